"""Memory: the watch list over weeks, what verdicts teach, what is resolved and what stays open."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from tenant import DAY, HOUR, WEEK, ZONE

from audit_analytics.cases import Case, Hit
from audit_analytics.detect import choose_reasons
from audit_analytics.findings import build_watch
from audit_analytics.findings._follow_up import _count_promise, _list_resolved
from audit_analytics.review import lower_known
from audit_analytics.review._parting import FACTOR
from audit_analytics.review._past import PastReports
from audit_analytics.review._verdicts import Verdict, VerdictCalls

BEFORE = WEEK.shifted(-1)


def case(name, p):
    return Case(entity_type="app", entity=name, p=p, expected_per_week=60 * p, q=1.0)


def watch(cases, past=None, told=(), parts=None, explain=lambda _case: []):
    return build_watch(
        cases, told, past or {}, week=WEEK.iso, zone=ZONE, parts=parts or {}, explain=explain
    )


def find_spread(seed):
    """Say whether an app that is a little unusual in each of four weeks is on the list."""
    random = np.random.default_rng(seed)
    names = [f"cli_{n:02}" for n in range(60)]
    weeks = []
    for _week in range(4):
        p = random.uniform(size=60)
        p[7] = random.uniform(0.02, 0.12)  # below any budget in every week
        weeks.append([case(name, value) for name, value in zip(names, p, strict=True)])
    past = {WEEK.shifted(n - 3).iso: watch(cases)["cases"] for n, cases in enumerate(weeks[:3])}
    rows = watch(weeks[3], past)["rows"]
    assert len(rows) <= 10
    assert [row["combined_p"] for row in rows] == sorted(row["combined_p"] for row in rows)
    return "cli_07" in [row["entity"] for row in rows]


def test_what_is_spread_over_four_weeks_stands_on_the_list():
    assert sum(map(find_spread, range(20))) >= 14


def test_a_finding_is_not_on_the_list_and_one_bad_week_does_not_stay():
    cases = [case("cli_told", 0.001), case("cli_a", 0.02), case("cli_b", 0.9)]
    rows = watch(cases, told={("app", "cli_told")})["rows"]
    assert [row["entity"] for row in rows] == ["cli_a"]
    assert not rows[0]["rose"]  # nothing is known about before
    past = {BEFORE.iso: [["app", "cli_a", 0.15, {}]], WEEK.shifted(-2).iso: []}
    (row,) = watch([case("cli_a", 0.02)], past)["rows"]
    assert row["rose"]
    assert row["text"] == "A little unusual in 2 of 3 weeks."
    assert row["combined_p"] > 0.02  # a week without it counts as an ordinary one
    quiet = {WEEK.shifted(-n).iso: [] for n in range(1, 5)}
    assert watch([case("cli_a", 0.15)], quiet)["rows"] == []


def test_what_is_repeated_in_the_same_way_stands_before_what_is_as_unusual_in_changing_ways():
    cases = [case("cli_a", 0.3), case("cli_b", 0.3)]
    weeks = [WEEK.shifted(-n).iso for n in range(1, 4)]
    kinds = ("TOK", "ERR", "API")
    past = {
        iso: [["app", "cli_a", 0.3, {"OBJ": 0.05}], ["app", "cli_b", 0.3, {other: 0.05}]]
        for iso, other in zip(weeks, kinds, strict=True)
    }
    hits = [HIT, replace(HIT, detector="OBJ", observed=41.0, facts={"hours": 1})]
    found = watch(
        cases,
        past,
        parts={"cli_a": {"OBJ": 0.05}, "cli_b": {"VOL": 0.05}},
        explain=lambda _case: hits,
    )
    assert [row["entity"] for row in found["rows"]] == ["cli_a"]
    text = found["rows"][0]["text"]
    assert "41" in text  # of what it repeats, not of what stands first
    assert text.endswith("Unusual number of objects in 4 of 4 weeks.")
    assert found["cases"][0] == ["app", "cli_a", 0.3, {"OBJ": 0.05}]


def test_a_detector_that_is_in_use_no_more_says_nothing():
    past = {WEEK.shifted(-n).iso: [["app", "cli_a", 0.5, {"SHOP": 0.001}]] for n in (1, 2)}
    assert watch([case("cli_a", 0.5)], past)["rows"] == []


HIT = Hit(
    detector="TOK",
    entity_type="app",
    entity="cli_a",
    start_at=WEEK.start_at + DAY,
    end_at=WEEK.start_at + DAY + HOUR,
    observed=9.0,
    unit="token requests",
    p=0.001,
    where={"app_id": ("cli_a",), "category": ("token_issuance",)},
)


def decide(verdict="benign", week=BEFORE, finding="f-1", **calls):
    start = week.start_at + DAY
    given = {"start_at": start, "end_at": start + HOUR, "detector": "TOK", "observed": 8.0}
    scope = {"app_id": ("cli_a",), "category": ("token_issuance",)}
    return Verdict(
        finding=finding,
        verdict=verdict,
        created=date(2026, 11, 9),
        week=week.iso,
        entity_type="app",
        entity="cli_a",
        calls=(VerdictCalls(**{**given, "scope": scope, **calls}),),
    )


def lower(hit, *verdicts):
    (lowered,) = lower_known([hit], verdicts, WEEK)
    return lowered


def test_a_harmless_verdict_lowers_what_is_like_it():
    once = lower(HIT, decide())
    assert once.p == pytest.approx(HIT.p * FACTOR)
    twice = lower(HIT, decide(), decide(week=WEEK.shifted(-2), finding="f-2"))
    assert twice.p == pytest.approx(HIT.p * FACTOR**2)
    rule = replace(HIT, p=None, severity="high", detector="rule:x")
    assert lower(rule, decide(detector="rule:x")).severity == "medium"
    lowest = replace(rule, severity="low")
    assert lower(lowest, decide(detector="rule:x")).severity == "low"


@pytest.mark.parametrize(
    "verdict",
    [
        decide(detector="VOL"),  # something else was harmless
        decide(detector=""),  # written before verdicts said what spoke
        decide(observed=2.9),  # this is more than three times as great
        decide(scope={"app_id": ("cli_a",), "category": ("token_issuance",), "ip": ("10.0.0.1",)}),
        decide(week=WEEK),  # it is this week that is to be judged
        decide("true"),
    ],
)
def test_nothing_else_is_lowered(verdict):
    assert lower(HIT, verdict) is HIT


def test_a_confirmed_one_undoes_what_harmless_ones_taught():
    earlier = decide(week=WEEK.shifted(-3), finding="f-3")
    confirmed = decide("true", week=WEEK.shifted(-2), finding="f-2")
    assert lower(HIT, earlier, confirmed) is HIT
    assert lower(HIT, earlier, confirmed, decide()).p == pytest.approx(HIT.p * FACTOR)


def test_what_is_lowered_far_enough_leaves_the_budget():
    cases = [Case(entity_type="app", entity="cli_a", p=0.02, expected_per_week=4.0, q=1.0)]
    told = choose_reasons([HIT], cases, every=[HIT], budget=10).hits
    assert told == [HIT]
    less = lower(HIT, decide())
    assert choose_reasons([less], cases, every=[HIT], budget=10).hits == []


def finding(name, entity):
    row = {"finding_id": name, "kind": "volume", "title": "t", "severity": "high", "rank": 1}
    row |= {"sentence": "s", "key": "k", "entity_type": "app", "entity": entity}
    return row | {"since_week": None, "status": "new"}


def test_resolved_is_what_nobody_confirmed():
    last = {"findings": [finding("f-1", "cli_a"), finding("f-2", "cli_b")], "suppressed": []}
    past = PastReports(last=last, status="compared", week=BEFORE.iso, told=["f-1", "f-2"])
    names = [row["finding_id"] for row in _list_resolved(past, [], [], {})]
    assert names == ["f-1", "f-2"]
    confirmed = {"f-1": decide("true")}
    assert [row["finding_id"] for row in _list_resolved(past, [], [], confirmed)] == ["f-2"]
    closed = {"f-1": decide("closed")}
    assert len(_list_resolved(past, [], [], closed)) == 2
    past = replace(past, budgets=[10.0])
    assert _count_promise(past, confirmed) == {
        "weeks": 1,
        "promised": 10.0,
        "told_count": 2,
        "confirmed_count": 1,
        "harmless_count": 0,
        "undecided_count": 1,
    }
