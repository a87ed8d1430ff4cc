"""A week that differs as a whole is one story."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenant import HOUR, SEND, WEEK, build_tenant, calls, local, make_events, quiet_tenant, spread

import audit_analytics as aa
from audit_analytics.cases import Case, Hit
from audit_analytics.detect import _hits as hits_module
from audit_analytics.detect import detect_week
from audit_analytics.detect._alike import part_alike
from audit_analytics.detect._hits import find_hits
from audit_analytics.detect.groups.rest import REST
from audit_analytics.rollup import rollup

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
    begin, end = ((NOON + n * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ") for n in (-12, 12))
    told = {
        f["entity"]
        for f in findings
        if f["entity_type"] == "app"
        and any(r["start_at"] < end and r["end_at"] > begin for r in f["reasons"])
    }
    assert "cli_11" in told
    # days that are added up over that day still stand out; without it all ten were told
    assert len(told & {f"cli_{a:02d}" for a in range(10)}) <= 3


def test_the_page_and_the_other_files_can_show_it(report, tmp_path):
    report.write(tmp_path)
    assert any("differs as a whole" in p.read_text() for p in tmp_path.rglob("*.html"))


def name(n, expected=0.01):
    return Case(entity_type="app", entity=f"cli_{n}", p=1e-6, expected_per_week=expected, q=0.01)


def speak(case, api="", kind="volume"):
    where = {"app_id": (case.entity,)} | ({"api": (api,)} if api else {})
    at = pd.Timestamp(NOON)
    return [
        Hit(
            detector="VOL",
            kind=kind,
            entity_type="app",
            entity=case.entity,
            start_at=at,
            end_at=at,
            observed=9.0,
            unit="calls",
            p=case.p,
            where=where,
        )
    ]


def test_never_more_than_three_budgets_one_by_one(monkeypatch):
    rare = [name(n) for n in range(50)]
    untold = []

    def explain(_found, case, _severity):
        return speak(case, api=case.entity)

    def count(_found, left):
        untold.extend(left)
        return []

    monkeypatch.setattr(hits_module, "explain_case", explain)
    monkeypatch.setattr(hits_module, "list_detectors", lambda _: [SimpleNamespace(explained=count)])
    hits = find_hits(
        SimpleNamespace(cases=rare, ordinary=1.0, quiet=False), budget=10, severity_of_api={}
    )
    assert [hit.entity for hit in hits] == [case.entity for case in rare[:30]]
    assert untold == rare[30:]
    assert not any("crowd" in hit.facts for hit in hits)


@given(
    st.lists(st.integers(0, 12), max_size=60),
    st.integers(1, 40),
)
def test_every_story_has_three_places_before_one_as_rare_has_its_fourth(stories, most):
    cases = [(name(n), speak(name(n), api=f"api {story}")) for n, story in enumerate(stories)]
    hits, left = part_alike(cases, most=most)
    told = {hit.entity for hit in hits}
    assert told.isdisjoint(case.entity for case in left)
    assert len(told) + len(left) == len(cases)
    if len(cases) <= most:
        assert hits == [hit for _, own in cases for hit in own]
        return
    assert len(told) <= most
    sizes = Counter(stories)
    turns = Counter[int]()
    early = []
    for n, story in enumerate(stories):
        turns[story] += 1
        early += [f"cli_{n}"] * (turns[story] <= 3)
    # the rarest first, but none for a fourth time while another has not had its third
    assert told >= set(early[:most])
    for story, number in sizes.items():
        own = [hit for hit in hits if hit.where["api"] == (f"api {story}",)]
        crowd = number > max(8, most / 2)
        assert len(own) <= (3 if crowd else number)
        assert all(("crowd" in hit.facts) == crowd for hit in own)


@pytest.mark.parametrize(("expected", "left"), [(1.5, "cli_3"), (0.9, "cli_own26")])
def test_a_fourth_case_of_a_story_has_a_place_where_it_is_twice_as_rare(expected, left):
    four = [(name(n, expected), speak(name(n, expected))) for n in range(4)]
    own = [(name(f"own{n}", 2.0), speak(name(f"own{n}", 2.0), api=f"api {n}")) for n in range(27)]
    _, beyond = part_alike([*four, *own], most=30)
    assert [case.entity for case in beyond] == [left]


def test_whom_a_rule_tells_takes_no_place_of_others(monkeypatch):
    rare = [name(n) for n in range(40)]
    beyond = []

    def count(_found, left):
        beyond.extend(left)
        return []

    monkeypatch.setattr(
        hits_module, "explain_case", lambda _, case, __: speak(case, api=case.entity)
    )
    monkeypatch.setattr(hits_module, "list_detectors", lambda _: [SimpleNamespace(explained=count)])
    told = {("app", f"cli_{n}") for n in (*range(4), *range(30, 40))}
    hits = find_hits(
        SimpleNamespace(cases=rare, ordinary=1.0, quiet=False),
        budget=10,
        severity_of_api={},
        told=told,
    )
    assert {hit.entity for hit in hits} == {case.entity for case in rare}
    assert beyond == []


def test_one_case_more_than_there_are_places_takes_one_place_and_not_a_storys_all():
    ten = [(name(n, 0.5), speak(name(n, 0.5))) for n in range(10)]
    own = [(name(f"own{n}", 2.0), speak(name(f"own{n}", 2.0), api=f"api {n}")) for n in range(21)]
    hits, left = part_alike([*ten, *own], most=30)
    assert len({hit.entity for hit in hits}) == 30
    assert [case.entity for case in left] == ["cli_9"]


def test_a_thousand_alike_leave_the_others_their_places_and_are_one_row_with_names():
    crowd = [(name(n, 0.5), speak(name(n, 0.5))) for n in range(1000)]
    own = [(name(f"own{n}", 2.0), speak(name(f"own{n}", 2.0), api=f"api {n}")) for n in range(6)]
    hits, left = part_alike([*crowd, *own], most=30)
    assert [hit.entity for hit in hits] == ["cli_0", "cli_1", "cli_2", *(c.entity for c, _ in own)]
    grid = SimpleNamespace(days=lambda _: [0], day_span=lambda _: (NOON, NOON + HOUR))
    detection = SimpleNamespace(quiet=False, panel=SimpleNamespace(grid=grid))
    (row,) = REST.explained(detection, left)
    assert row.severity == "high"
    assert len(row.where["app_id"]) == 997
    assert "997 more cases" in REST.sentence(row, "", "UTC")
    assert "cli_3, cli_4, cli_5 and 994 more" in REST.sentence(row, "", "UTC")


def test_a_report_of_a_quiet_week_has_twice_the_budget_of_rows_at_most(monkeypatch):
    cases = [name(n, 1.0 + n * 0.3) for n in range(29)]
    monkeypatch.setattr(
        hits_module, "explain_case", lambda _, case, __: speak(case, api=case.entity)
    )
    monkeypatch.setattr(hits_module, "list_detectors", lambda _: [REST])
    ruled = {("app", f"cli_{n}") for n in (3, 28)} | {("app", "cli_other")}
    grid = SimpleNamespace(days=lambda _: [0], day_span=lambda _: (NOON, NOON + HOUR))

    def find(*, quiet):
        found = SimpleNamespace(
            cases=cases, ordinary=1.0, quiet=quiet, panel=SimpleNamespace(grid=grid)
        )
        return find_hits(found, budget=10, severity_of_api={}, told=ruled)

    hits = find(quiet=True)
    # the three of the rules, sixteen more, and the row that counts the others
    (row,) = [hit for hit in hits if hit.detector == "REST"]
    assert len({hit.entity for hit in hits} | {entity for _, entity in ruled}) == 20
    assert row.observed == 27 - 16
    assert row.severity == "low"
    assert "11 more cases are within the alarm budget" in REST.sentence(row, "", "UTC")
    assert {hit.entity for hit in find(quiet=False)} == {case.entity for case in cases}


def test_a_week_is_quiet_with_three_cases_an_ordinary_one_has_one_of():
    events = make_events(quiet_tenant(seed=1))
    found = detect_week(*build_tenant(events, rollup(events)), detector=Distance())
    assert replace(found, cases=[name(n, 0.5) for n in range(3)]).quiet
    assert not replace(found, cases=[name(n, 0.5) for n in range(4)]).quiet
    assert replace(found, cases=[name(n, 4.5) for n in range(10)]).quiet
    assert not replace(found, cases=[name(n, 4.5) for n in range(11)]).quiet
