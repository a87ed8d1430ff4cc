import numpy as np
import pandas as pd
import pytest
from tenant import (
    DAY,
    EXPORT,
    FIRST,
    HOUR,
    READ,
    SEND,
    WEEK,
    build_tenant,
    calls,
    hourly,
    local,
    make_events,
    spread,
)

from audit_analytics.detect._ip_days import count_ip_days
from audit_analytics.detect._novelty import (
    Novelty,
    _fit_exposure,
    find_new_apis,
    find_new_networks,
    score_novelty,
)
from audit_analytics.rollup import rollup

NOON = local("2026-11-11 12:00")
EVERY = hourly(FIRST, WEEK.end_at)
APPS = [calls(f"cli_{a}", EVERY, ip=f"10.0.{a}.1") for a in range(6)]


def build(*parts):
    return build_tenant(make_events(*APPS, *parts), rollup(make_events(*APPS, *parts)))


def networks(*parts):
    panel, _, by_ip = build(*parts)
    novelty = find_new_networks(panel, by_ip)
    return panel, novelty, score_novelty(panel, novelty, 0)


@pytest.mark.parametrize(
    ("ip", "foreign"), [("10.0.3.9", 0), ("10.0.99.9", 1), ("203.0.113.9", 2), ("2001:db8::9", 2)]
)
def test_how_foreign_a_network_is(ip, foreign):
    _, novelty, score = networks(calls("cli_0", [NOON], ip=ip))
    assert novelty.pairs[["app", "foreignness"]].to_numpy().tolist() == [[0, foreign]]
    assert score[0, 2] > 0
    assert score.sum() == score[0, 2]


@pytest.mark.parametrize(
    ("usual", "new", "foreign"),
    [("alpha/sh-1", "alpha/sh-1", 1), ("alpha/sh-1", "alpha/sh-2", 2), ("", "alpha/sh-1", 2)],
)
def test_the_provider_and_region_an_app_uses_anyway_are_less_foreign(usual, new, foreign):
    panel, _, by_ip = build(calls("cli_0", [NOON], ip="203.0.113.9"))
    names = {"10.0.0.0/24": usual, "203.0.113.0/24": new, "10.0.1.0/24": "alpha/sh-2"}
    found = find_new_networks(panel, by_ip, places={k: v for k, v in names.items() if v})
    pairs = found.pairs[["foreignness", "at_home"]]
    assert pairs.to_numpy().tolist() == [[foreign, foreign == 1]], "another app's is no home"


@pytest.mark.parametrize("ip", ["10.0.3.9", "10.0.99.9"])
def test_a_move_within_a_cloud_near_what_the_tenant_knows_is_no_news(ip):
    panel, _, by_ip = build(calls("cli_0", [NOON], ip=ip))
    cloud = dict.fromkeys(("10.0.0.0/24", "10.0.3.0/24", "10.0.99.0/24"), "alpha/sh-1")
    assert len(find_new_networks(panel, by_ip).pairs) == 1
    assert find_new_networks(panel, by_ip, places=cloud).pairs.empty


@pytest.mark.parametrize("ip", ["", "platform"])
def test_no_network_is_no_new_network(ip):
    _, novelty, score = networks(calls("cli_0", [NOON], ip=ip))
    assert novelty.pairs.empty
    assert not score.any()


def test_calls_of_the_first_24_hours_are_the_mark():
    _, novelty, _ = networks(
        calls("cli_0", spread(NOON, 9, over=3 * HOUR), ip="203.0.113.9"),
        calls("cli_0", spread(NOON + 25 * HOUR, 50), ip="203.0.113.9"),
    )
    assert novelty.pairs["mark"].tolist() == [9]
    assert novelty.pairs["first_at"].tolist() == [NOON]


def test_more_foreign_and_busier_is_more_surprising():
    past = [
        calls("cli_0", spread(NOON - back * DAY, back), ip=f"10.0.{100 + back}.1")
        for back in range(7, 21)
    ]
    near, far, busy = (
        networks(*past, part)[2][1, 2]
        for part in (
            calls("cli_1", [NOON], ip="10.0.200.1"),
            calls("cli_1", [NOON], ip="203.0.113.1"),
            calls("cli_1", spread(NOON, 60), ip="203.0.113.1"),
        )
    )
    assert near < far < busy


def test_who_moves_every_week_surprises_less():
    roaming = [
        calls("cli_0", [NOON - back * DAY], ip=f"192.0.{100 + back}.1") for back in range(7, 21)
    ]
    now = [calls(f"cli_{a}", [NOON], ip="203.0.113.1") for a in (0, 1)]
    _, _, score = networks(*roaming, *now)
    assert 0 < score[0, 2] < score[1, 2]


def test_a_network_is_new_to_an_app_from_its_second_day_on():
    young = calls("cli_young", hourly(WEEK.start_at - 3 * DAY, WEEK.end_at), ip="10.0.0.1")
    panel, novelty, score = networks(young, calls("cli_young", [NOON], ip="203.0.113.9"))
    app = panel.apps.get_loc("cli_young")
    assert np.isnan(score[app]).sum() == 0
    assert score[app, 2] > 0
    assert novelty.pairs["name"].tolist() == ["203.0.113.0/24"]
    born = calls("cli_born", hourly(NOON, WEEK.end_at), ip="198.51.100.1")
    panel, novelty, score = networks(born)
    assert np.isnan(score[panel.apps.get_loc("cli_born")]).tolist() == [True] * 3 + [False] * 4
    assert novelty.pairs.empty


def test_an_api_is_new_to_an_app_after_a_week_only():
    young = calls("cli_young", hourly(WEEK.start_at - 3 * DAY, WEEK.end_at), ip="10.0.0.1")
    panel, by_api, _ = build(young, calls("cli_young", [NOON], api=EXPORT, severity="high"))
    novelty = find_new_apis(panel, by_api)
    app = panel.apps.get_loc("cli_young")
    assert np.isnan(score_novelty(panel, novelty, 0)[app]).tolist() == [True] * 4 + [False] * 3
    assert novelty.pairs.empty


def test_in_the_first_week_of_a_log_no_network_is_new():
    later = FIRST + 3 * DAY + 12 * HOUR
    _, novelty, _ = networks(calls("cli_0", [later], ip="203.0.113.9"))
    assert novelty.pairs.empty


def test_the_report_week_teaches_no_other_week():
    past = calls("cli_0", [NOON - 8 * DAY], ip="203.0.113.9")
    now = [calls(f"cli_{a}", [NOON], ip=f"198.51.{a}.9") for a in range(5)]
    scores = []
    for parts in ([past], [past, *now]):
        panel, novelty, _ = networks(*parts)
        scores.append(score_novelty(panel, novelty, -2))
    np.testing.assert_array_equal(*scores)


def test_where_one_week_alone_can_teach_its_days_teach_each_other():
    days = [
        calls(f"cli_{n % 6}", [NOON - back * DAY], ip=f"203.0.{n}.9")
        for n, back in enumerate((-1, 0, 1, 2, 6, 7, 8, 9))
    ]
    panel, _, by_ip = build(*days)
    novelty = find_new_networks(panel, by_ip, known_days=21)
    past, now = (np.nan_to_num(score_novelty(panel, novelty, week)) for week in (-1, 0))
    assert (novelty.active & (panel.grid.week[panel.grid.first_hour] < -1)).sum() == 0
    assert (past > 0).sum() == (now > 0).sum() == 4
    assert now.max() < past.max() + 0.1, "where nothing was learnt nothing is rare"


@pytest.mark.parametrize(
    ("api", "severity", "foreign"), [(EXPORT, "high", 2), (SEND, "low", 0), ("GET/new", "none", 1)]
)
def test_new_apis_are_sensitive_or_new_to_the_tenant_or_neither(api, severity, foreign):
    panel, by_api, _ = build(
        calls("cli_5", EVERY, api=SEND, severity="low"),
        calls("cli_0", spread(NOON, 4), api=api, severity=severity, outcome="permission"),
    )
    novelty = find_new_apis(panel, by_api)
    row = novelty.pairs.iloc[0]
    assert len(novelty.pairs) == 1
    assert (row["name"], row["foreignness"], row["mark"]) == (api, foreign, 4)
    assert score_novelty(panel, novelty, 0)[0, 2] > 0
    assert not (novelty.pairs["name"] == READ).any()


def test_ip_days_count_apps_failures_and_new_pairs():
    shared = [calls(f"cli_{a}", [NOON, NOON], ip="203.0.113.9") for a in range(3)]
    failing = calls("cli_0", spread(NOON, 3), ip="198.51.100.1", outcome="auth")
    near = calls("cli_0", spread(NOON, 2), ip="198.51.100.2", outcome="auth")
    panel, _, by_ip = build(*shared, failing, near)
    table = count_ip_days(panel, by_ip, find_new_networks(panel, by_ip))
    table = table.set_index("ip")
    assert sorted(table.index) == ["198.51.100.1", "203.0.113.9"]
    row = table.loc["203.0.113.9"]
    assert (row["apps_count"], row["new_apps_count"], row["calls_count"]) == (3, 3, 6)
    assert (row["NEWAPPS"], row["week"]) == (9, 0)
    row = table.loc["198.51.100.1"]
    # failures of a single app are that app's own news
    assert (row["AUTHAPPS"], row["AUTHFAIL"]) == (0, 0)
    first_hour = panel.grid.first_hour[int(row["day"])]
    assert panel.grid.hours[first_hour] == local("2026-11-11")


@pytest.mark.parametrize(
    ("per_week", "falls"), [((60, 20, 10, 8), True), ((12, 12, 12, 12), False)]
)
def test_what_is_new_in_a_young_log_was_mostly_not_seen_yet(per_week, falls):
    apps, days = 50, 42
    age = np.arange(days)
    watched = np.broadcast_to((age >= 7) & (age < 35), (apps, days))
    day = np.concatenate([7 + 7 * w + np.arange(n) % 7 for w, n in enumerate(per_week)])
    pairs = pd.DataFrame({"app": np.arange(len(day)) % apps, "day": day}).drop_duplicates()
    past = pairs.set_index(["app", "day"])
    nobody = np.zeros((apps, days), dtype=bool)
    exposure = _fit_exposure(Novelty(pairs, nobody, watched, age), watched, past)
    assert np.average(exposure, weights=watched.sum(axis=0)) == pytest.approx(1.0)
    # a new pair of the report week is rarer than one of the log's second week
    assert (exposure[38] < 0.5 * exposure[10]) == falls
    assert exposure[38] == pytest.approx(1.0, abs=0.1) or falls
