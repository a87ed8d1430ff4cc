"""What is told first where several days and groups are as rare as the past can tell."""

from dataclasses import replace

import numpy as np
from tenant import DAY, READ, build_tenant, calls, local, make_events, quiet_tenant, spread

from audit_analytics.cases import Case, Hit
from audit_analytics.detect import detect_week, find_hits
from audit_analytics.findings._ranking import order_reasons
from audit_analytics.rollup import rollup

NOON = local("2026-11-10 12:00")


class Distance:
    """Stands in for the forest, which is not what is tested: it is faster."""

    def fit(self, X):  # noqa: N803
        self.center = X.mean(axis=0)

    def score_samples(self, X):  # noqa: N803
        return -np.linalg.norm(X - self.center, axis=1)


def test_the_greatest_excess_speaks_not_the_first_day_nor_a_fixed_order():
    apis = [f"GET/open-apis/drive/v1/{name}" for name in "abcdefghijkl"]
    usual = [calls("cli_03", spread(NOON - 30 * DAY, 25, over=29 * DAY), api=api) for api in apis]
    small = calls("cli_03", spread(NOON, 80), api=apis[0])
    # two days later everything grows, and no API much
    great = [calls("cli_03", spread(NOON + 2 * DAY, 50), api=api) for api in apis]
    events = make_events(quiet_tenant(), *usual, small, *great)
    panel, by_api, by_ip = build_tenant(events, rollup(events))
    found = detect_week(panel, by_api, by_ip, detector=Distance())
    hits = [h for h in find_hits(found, budget=10, severity_of_api={}) if h.entity == "cli_03"]
    assert hits[0].detector == "VOL"
    assert hits[0].start_at >= NOON + DAY
    assert hits[0].observed >= 600
    app = panel.apps.get_loc("cli_03")
    assert (found.app_p["VOL"][app] == found.app_p["VOL"][app].min()).sum() > 1
    first = next(case.entity for case in found.cases if case.entity_type == "app")
    assert first == "cli_03"


def hit(detector, p=None):
    return Hit(
        detector=detector,
        kind="volume",
        entity_type="app",
        entity="cli_a",
        start_at=NOON,
        end_at=NOON + DAY,
        observed=1.0,
        unit="calls",
        p=p,
    )


def test_what_is_about_as_rare_speaks_in_the_order_in_which_it_tells():
    """Both far out, by tails of a few days: 4 errors are no rarer than 3,000 calls more."""
    # the engine put what tells most first
    hits = [hit("VOL", 4e-4), hit("ERR", 2e-5), hit("SENS", 4e-3)]
    case = Case(entity_type="app", entity="cli_a", p=1e-3, expected_per_week=0.3, q=0.1)
    assert [h.detector for h in order_reasons(hits, case)] == ["VOL", "ERR", "SENS"]
    assert [h.detector for h in order_reasons(hits[::-1], case)] == ["ERR", "VOL", "SENS"]


def test_of_equals_that_speaks_first_which_a_rule_tells_as_well():
    errors = replace(hit("ERR", 2e-4), kind="error_burst")
    hits = [hit("VOL", 1e-4), errors, replace(hit("rule:error_burst"), kind="error_burst")]
    case = Case(entity_type="app", entity="cli_a", p=1e-4, expected_per_week=2.0, q=1e-3)
    told = [h.detector for h in order_reasons(hits, case)]
    assert told == ["ERR", "VOL", "rule:error_burst"]
    # what it saw a week later was something else
    later = replace(hits[2], start_at=NOON + 7 * DAY, end_at=NOON + 8 * DAY)
    assert order_reasons([*hits[:2], later], case)[0].detector == "VOL"


def test_what_an_app_did_tells_more_than_that_it_stopped():
    hits = [hit("rule:silence"), hit("NEWNET", 1e-3)]
    case = Case(entity_type="app", entity="cli_a", p=2e-2, expected_per_week=2.5, q=0.1)
    assert [h.detector for h in order_reasons(hits, case)] == ["NEWNET", "rule:silence"]


def test_what_was_deleted_tells_more_than_that_its_api_is_new():
    hits = [hit("NEWAPI", 1e-6), hit("VOL", 1e-5), hit("rule:mass_delete")]
    case = Case(entity_type="app", entity="cli_a", p=1e-5, expected_per_week=1e-3, q=1e-3)
    assert order_reasons(hits, case)[0].detector == "rule:mass_delete"


def test_in_a_small_tenant_a_network_like_none_before_tells_more_than_how_much():
    """Five apps: no tail can be fitted to what is new, its p stops at one in a hundred."""
    burst = calls(
        "cli_03", spread(NOON, 200), ip="203.0.113.9", api=READ, outcome="permission", object=1
    )
    events = make_events(quiet_tenant(apps=5), burst)
    panel, by_api, by_ip = build_tenant(events, rollup(events))
    found = detect_week(panel, by_api, by_ip, detector=Distance())
    hits = [h for h in find_hits(found, budget=10, severity_of_api={}) if h.entity == "cli_03"]
    own = {h.detector: h for h in hits}
    assert own["NEWNET"].unmatched
    # what a tail was fitted to says itself how rare it is
    assert not own["VOL"].unmatched
    assert own["NEWNET"].p > 100 * own["VOL"].p
    case = next(case for case in found.cases if case.entity == "cli_03")
    assert [h.detector for h in order_reasons(hits, case)][:2] == ["NEWNET", "ERR"]


def test_that_a_new_app_did_something_for_the_first_time_tells_least():
    usual, bad = hit("rule:high_impact_write"), hit("rule:high_impact_write")
    usual, bad = replace(usual, severity="medium"), replace(bad, severity="high")
    born = hit("BIRTH", 1e-3)
    case = Case(entity_type="app", entity="cli_a", p=1e-3, expected_per_week=2.0, q=0.1)
    assert order_reasons([usual, born], case)[0] is born
    assert order_reasons([bad, born], case)[0] is bad
    assert order_reasons([usual, hit("VOL", 1e-3)], case)[0] is usual


def count_rarity(number):
    few = calls("cli_few", spread(NOON - 27 * DAY, 8, over=26 * DAY))
    events = make_events(quiet_tenant(), few, calls("cli_few", spread(NOON, number)))
    panel, by_api, by_ip = build_tenant(events, rollup(events))
    found = detect_week(panel, by_api, by_ip, detector=Distance())
    return found.app_p["VOL"][panel.apps.get_loc("cli_few")].min()


def test_a_handful_of_calls_is_no_volume_whoever_makes_it():
    """A rotation of everybody's keys is four calls of each, and each was one of eleven of E < 1."""
    assert count_rarity(4) > 0.2
    assert count_rarity(9) < 0.01
