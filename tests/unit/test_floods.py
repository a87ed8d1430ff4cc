"""Whoever writes the log can forge apps by the thousand: what that costs, and what it moves."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from tenant import (
    DAY,
    EXPORT,
    FIRST,
    HOUR,
    SEND,
    WEEK,
    calls,
    local,
    make_events,
    quiet_tenant,
    spread,
)

import audit_analytics as aa
from audit_analytics.detect import _presence as presence
from audit_analytics.detect import _series as series
from audit_analytics.detect._panel import Panel
from audit_analytics.report import _answers as answers

NOON = local("2026-11-11 12:00")
REAL = {
    "cli_02": calls("cli_02", spread(NOON, 200), api=SEND, ip="10.0.2.1"),
    "cli_05": calls("cli_05", spread(NOON, 60), ip="203.0.113.9"),
    "cli_08": calls("cli_08", spread(NOON, 60), ip="10.0.8.1", outcome="permission"),
}
AUDIT = "GET/open-apis/admin/v1/audit_infos"


class Distance:
    """Stands in for the forest, which is not what is tested: it is faster."""

    def fit(self, X):  # noqa: N803
        self.center = X.mean(axis=0)

    def score_samples(self, X):  # noqa: N803
        return -np.linalg.norm(X - self.center, axis=1)


def analyze(*parts):
    events = make_events(quiet_tenant(), *REAL.values(), *parts)
    return aa.analyze(events, week=WEEK.iso, settings=aa.Settings(), detector=Distance())


def forge(count, starts, *, size=3, name="cli_x", **columns):
    """Make some calls of each of many apps that nobody ever saw."""
    frames = calls("", np.repeat(starts.to_numpy(), size), **columns)
    return frames.assign(app_id=np.repeat([f"{name}{n:05d}" for n in range(count)], size))


@pytest.fixture(scope="module")
def usual():
    return analyze()


def ranks_of(report):
    ranks = {f["entity"]: f["rank"] for f in report.data["findings"]}
    return [ranks.get(name, 0) for name in REAL]


@pytest.mark.parametrize("is_spread", [True, False], ids=["spread", "bursting"])
def test_ids_of_a_few_calls_cost_no_place_and_move_nobody(usual, is_spread):
    count = 2000
    span = WEEK.end_at - FIRST if is_spread else HOUR
    starts = spread(FIRST if is_spread else NOON - DAY, count, over=span)
    flooded = analyze(forge(count, starts, ip="10.0.1.1"))
    before, after = (
        {f["entity"]: f["expected_per_week"] for f in r.data["findings"]} for r in (usual, flooded)
    )
    assert ranks_of(flooded) == ranks_of(usual)
    for name in REAL:
        assert after[name] == pytest.approx(before[name], rel=0.05)
    assessed = flooded.data["assessed"]
    assert assessed["apps_count"] == usual.data["assessed"]["apps_count"]
    assert len(assessed["not_assessed"]) <= 50 < assessed["not_assessed_count"] or is_spread
    assert "too few calls" in json.dumps(assessed["not_assessed"])


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param(
            {"api": [f"GET/open-apis/x/v1/{n}" for n in range(40)], "outcome": "permission"},
            marks=pytest.mark.benchmark,
        ),
        pytest.param(
            {"api": EXPORT, "severity": "high", "category": "files"}, marks=pytest.mark.benchmark
        ),
        pytest.param(
            {"api": AUDIT, "severity": "high", "category": "audit_access"},
            marks=pytest.mark.benchmark,
        ),
        {"outcome": "auth"},
    ],
    ids=["probing", "exporting", "reading audit logs", "failing"],
)
def test_twenty_fake_apps_push_nothing_real_down_by_more_than_three(usual, columns):
    starts = spread(NOON + 10 * HOUR, 20, over=2 * DAY)
    fakes = [
        calls(f"cli_fake{n:02}", spread(at, 40), ip=f"192.0.2.{n}", **columns)
        for n, at in enumerate(starts)
    ]
    flooded = analyze(*fakes)
    for before, after in zip(ranks_of(usual), ranks_of(flooded), strict=True):
        assert 0 < after <= before + 3
    worst = [
        f["entity"]
        for f in flooded.data["findings"]
        if f["severity"] == "critical" and f["entity"].startswith("cli_fake")
    ]
    assert len(worst) <= 3


def test_a_crowd_that_sets_off_one_rule_is_counted_and_every_output_is_bounded(tmp_path):
    at = spread(NOON - DAY, 60)
    old = forge(60, spread(FIRST, 60), size=1, name="cli_old")
    daily = [old.assign(at=old["at"] + n * DAY) for n in range(35)]
    burst = forge(
        60, at, size=20, name="cli_old", api=AUDIT, severity="high", category="audit_access"
    )
    denied = forge(150, spread(NOON, 150), size=40, name="cli_g", outcome="permission")
    flooded = analyze(*daily, burst, denied)
    crowd = [f for f in flooded.data["findings"] if "cli_old" in f["entity"]]
    assert len(crowd) <= 20
    counted = [f for f in flooded.data["findings"] if f["entity"] == "rule:audit_access/app"]
    assert "40 more apps" in counted[0]["sentence"]
    assert max(ranks_of(flooded)) <= 10
    findings = flooded.data["findings"]
    assert len(findings) <= 100
    assert "they are counted here, not told" in json.dumps(findings)
    for path in flooded.write(tmp_path).values():
        assert path.stat().st_size < 4_000_000, path.name
    assert pd.read_csv(tmp_path / "findings.csv").shape[0] == len(findings)


def test_the_work_for_a_finding_does_not_grow_with_the_findings_nor_with_what_is_not_shown(
    monkeypatch,
):
    fitted, looked = [], []
    fit, usual_calls = series.fit_hourly, answers._usual_calls
    monkeypatch.setattr(series, "fit_hourly", lambda *a: fitted.append(a) or fit(*a))
    monkeypatch.setattr(answers, "_usual_calls", lambda *a: looked.append(a) or usual_calls(*a))
    loud = [
        # not on one day: what apps have in common is one finding
        calls(
            f"cli_{n:02d}",
            spread(NOON + (n % 6 - 2) * DAY + n * HOUR, 150),
            api=SEND,
            ip=f"10.0.{n}.1",
        )
        for n in range(12)
    ]
    readers = forge(
        300, spread(NOON, 300), size=6, name="cli_r", api=EXPORT, severity="high", category="files"
    )
    report = analyze(*loud, readers)
    drawn = [f for f in report.data["findings"] if f["series"] and f["entity_type"] == "app"]
    drawn_as = {f["series"]["what"] for f in drawn} | {f["detectors"][0] for f in drawn}
    assert len(drawn) >= 6
    # one a metric or API, whatever the number of findings
    assert len(fitted) <= len(drawn_as) + 1
    assert len(looked) <= answers.MAX_ROWS


def test_who_is_judged_is_bounded_and_those_of_most_days_come_first(monkeypatch):
    monkeypatch.setattr(presence, "MAX_APPS", 12)
    monkeypatch.setattr(presence, "MAX_FLEETING", 5)
    panels = []
    build = Panel.__init__
    monkeypatch.setattr(
        Panel, "__init__", lambda self, *a, **k: panels.append(self) or build(self, *a, **k)
    )
    loud = forge(200, spread(NOON, 200), size=30, outcome="permission")
    # three days each, and older than most of the tenant's calls
    lasting = [forge(200, spread(FIRST + n * DAY, 200), size=10, name="cli_y") for n in range(3)]
    report = analyze(loud, *lasting)
    assert max(len(panel.apps) for panel in panels) <= 17
    assert {f"cli_{n:02d}" for n in range(12)} <= set(panels[0].apps)
    assert 0 not in ranks_of(report)
