"""A week that differs as a whole is one story."""

from types import SimpleNamespace

import numpy as np
import pytest
from tenant import HOUR, SEND, WEEK, calls, local, make_events, quiet_tenant, spread

import audit_analytics as aa
from audit_analytics.cases import Case
from audit_analytics.detect import hits as hits_module
from audit_analytics.detect.hits import find_hits

NOON = local("2026-11-11 12:00")


class Distance:
    """Stands in for the forest, which is not what is tested: it is faster."""

    def fit(self, X):  # noqa: N803
        self.center = X.mean(axis=0)

    def score_samples(self, X):  # noqa: N803
        return -np.linalg.norm(X - self.center, axis=1)


@pytest.fixture(scope="module")
def report():
    together = [
        calls(f"cli_{a:02d}", spread(NOON, 60 + a, over=2 * HOUR), api=SEND, ip=f"10.0.{a}.1")
        for a in range(10)
    ]
    # one more is as loud, and has news of its own: its calls are denied
    own = calls("cli_11", spread(NOON, 60), outcome="permission", ip="10.0.11.1")
    events = make_events(quiet_tenant(), *together, own)
    return aa.analyze(events, week=WEEK.iso, settings=aa.Settings(), detector=Distance())


def test_apps_that_change_together_are_one_finding_and_the_odd_one_out_another(report):
    findings = report.data["findings"]
    whole = [f for f in findings if f["entity_type"] == "tenant"]
    assert len(whole) == 1
    assert whole[0]["sentence"].startswith("This week differs as a whole: 11 of 12 apps")
    assert "stood out by number of calls on Wed 11 Nov" in " ".join(
        reason["text"] for reason in whole[0]["reasons"]
    )
    told = {f["entity"] for f in findings if f["entity_type"] == "app"}
    assert "cli_11" in told
    # the two days that end on the day after still add up; without it all ten were told
    assert len(told & {f"cli_{a:02d}" for a in range(10)}) <= 3


def test_the_page_and_the_other_files_can_show_it(report, tmp_path):
    report.write(tmp_path)
    assert any("differs as a whole" in p.read_text() for p in tmp_path.rglob("*.html"))


def test_never_more_than_three_budgets_one_by_one(monkeypatch):
    rare = [
        Case(entity_type="app", entity=f"cli_{n}", p=1e-6, expected_per_week=0.01, q=0.01)
        for n in range(50)
    ]
    told, untold = [], []

    def explain(_found, case, _severity):
        told.append(case)
        return []

    def count(_found, more):
        untold.append(more)
        return []

    monkeypatch.setattr(hits_module, "explain_case", explain)
    monkeypatch.setattr(hits_module, "list_detectors", lambda _: [SimpleNamespace(explained=count)])
    find_hits(SimpleNamespace(cases=rare), budget=10, severity_of_api={})
    assert told == rare[:30]
    assert untold == [20]
