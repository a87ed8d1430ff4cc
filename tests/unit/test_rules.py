from dataclasses import replace

import numpy as np
import pandas as pd
from tenant import (
    DAY,
    EXPORT,
    FIRST,
    HOUR,
    READ,
    SEND,
    WEEK,
    build_input,
    calls,
    clock,
    hourly,
    local,
    make_events,
    spread,
)

from audit_analytics.detect import run_rules
from audit_analytics.detect.rules.audit_access import find_audit_access
from audit_analytics.detect.rules.auth_failures import find_auth_failures
from audit_analytics.detect.rules.denied_network import find_denied_network
from audit_analytics.detect.rules.denied_then_allowed import find_denied_then_allowed
from audit_analytics.detect.rules.dormant import find_dormant
from audit_analytics.detect.rules.enumeration import find_enumeration
from audit_analytics.detect.rules.error_burst import find_error_burst
from audit_analytics.detect.rules.failing import find_failing
from audit_analytics.detect.rules.first_sensitive import find_first_sensitive
from audit_analytics.detect.rules.many_networks import find_many_networks
from audit_analytics.detect.rules.new_network import find_new_network
from audit_analytics.detect.rules.outage import find_outage
from audit_analytics.detect.rules.probing import find_probing
from audit_analytics.detect.rules.rate_limited import find_rate_limited
from audit_analytics.detect.rules.shared_ip import find_shared_ip
from audit_analytics.detect.rules.silence import find_silence
from audit_analytics.rollup import rollup

NOON = local("2026-11-11 12:00")
PAST = local("2026-11-03 12:00")
AUDIT = "GET/open-apis/admin/v1/audit_infos"


def run(rule, *parts, history=True, deny_networks=(), **rules):
    start = FIRST if history else WEEK.start_at
    return list(
        rule(build_input(make_events(clock(start), *parts), deny_networks=deny_networks, **rules))
    )


def about(hits):
    return [(hit.entity, hit.observed, hit.alone) for hit in hits]


def test_enumeration():
    def guess(app, objects, outcome="not_found", at=NOON):
        return calls(app, spread(at, objects), outcome=outcome, object=range(objects))

    hits = run(
        find_enumeration,
        guess("cli_a", 30),
        guess("cli_near", 29),
        guess("cli_found", 40, "ok"),  # successes stand apart
        guess("cli_outage", 40, "server"),  # an outage is no guessing
        guess("cli_unknown", 40, "unknown"),  # the log does not say
        guess("cli_always", 30),
        guess("cli_always", 30, at=PAST),
        guess("cli_half", 40),
        guess("cli_half", 20, "ok"),  # half of them were found after all
    )
    assert about(hits) == [("cli_a", 30, True)]


def test_probing():
    def probe(app, apis, over=HOUR):
        tried = [f"GET/open-apis/x/v1/{i}" for i in range(apis)]
        return calls(app, spread(NOON, apis, over=over), api=tried, outcome="permission")

    hits = run(
        find_probing,
        probe("cli_a", 10),
        probe("cli_near", 9),
        probe("cli_over_two_hours", 10, 2 * HOUR),
        probe("cli_slow", 10, 3 * HOUR),
    )
    assert about(hits) == [("cli_a", 10, True), ("cli_over_two_hours", 10, True)]


def test_routes_that_do_not_exist_are_probed():
    def seek(app, routes, at=NOON, **columns):
        tried = [f"GET/open-apis/x/v1/route{i}" for i in range(routes)]
        given = {"outcome": "not_found", "category": "unknown"} | columns
        return calls(app, spread(at, routes), api=tried, **given)

    hits = run(
        find_probing,
        seek("cli_a", 40),
        seek("cli_near", 9),
        seek("cli_always", 40),
        seek("cli_always", 40, at=PAST),  # an old client that never stopped asking
        seek("cli_known", 9, category="other"),
    )
    assert about(hits) == [("cli_a", 40, True)]
    sentence = find_probing.sentence(hits[0], "cli_a", "Asia/Shanghai")
    assert sentence.startswith("cli_a called 40 routes that do not exist between")


def test_a_route_that_answers_somebody_exists():
    tried = [f"GET/open-apis/x/v1/route{i}" for i in range(40)]
    hits = run(
        find_probing,
        calls("cli_a", spread(NOON, 40), api=tried, outcome="not_found", category="unknown"),
        calls("cli_b", spread(PAST, 40), api=tried, category="unknown"),
    )
    assert hits == []


def test_denied_then_allowed():
    def scene(app, denials=5, wait=3 * HOUR, api=EXPORT, severity="high"):
        sensitive = {"api": api, "severity": severity}
        yield calls(app, spread(NOON, denials), outcome="permission", **sensitive)
        yield calls(app, [NOON + wait], **sensitive)

    hits = run(
        find_denied_then_allowed,
        *scene("cli_a"),
        *scene("cli_near", denials=4),
        *scene("cli_late", wait=30 * HOUR),
        *scene("cli_plain", api=SEND, severity="low"),
        *scene("cli_known"),
        calls("cli_known", [PAST], api=EXPORT, severity="high"),
    )
    assert about(hits) == [("cli_a", 5, True)]


def try_apps(apps, *, ip="10.9.9.9", outcome="auth", each=3, at=NOON):
    return [calls(f"cli_{a}", spread(at, each), ip=ip, outcome=outcome) for a in range(apps)]


def test_auth_failures():
    hits = run(
        find_auth_failures,
        *try_apps(5),
        *try_apps(4, ip="10.9.9.4", at=NOON + HOUR),
        # a gateway with a few failures among many calls
        *try_apps(6, ip="10.9.9.6", each=1, at=NOON + 2 * HOUR),
        *try_apps(6, ip="10.9.9.6", each=60, at=NOON + 2 * HOUR, outcome="ok"),
    )
    assert about(hits) == [("10.9.9.9", 5, True)]
    assert hits[0].facts["failures"] == 15


def test_shared_ip():
    parts = try_apps(5, outcome="ok")
    hits = run(
        find_shared_ip,
        *parts,
        *try_apps(4, ip="10.9.4.1", outcome="ok"),
        *try_apps(6, ip="10.9.5.1", outcome="ok"),
        calls("cli_0", [PAST], ip="10.9.5.2"),  # the network is known
        *try_apps(6, ip="", outcome="ok"),
        *try_apps(6, ip="platform", outcome="ok"),
    )
    assert about(hits) == [("10.9.9.9", 5, True)]
    assert run(find_shared_ip, *parts, history=False) == []


def test_where_apps_share_a_pool_of_addresses_one_more_is_told_only_if_more_apps_are_on_it():
    def share(network, apps, weeks_ago=0):
        at = NOON - weeks_ago * 7 * DAY
        return [calls(f"cli_{n}", [at], ip=f"{network}.9.9") for n in range(apps)]

    known = calls("cli_0", [FIRST], ip="10.1.0.1")
    pool = [part for week in (1, 2, 3) for part in share(f"10.{week + 20}", 6, week)]
    now = [*share("10.30", 6), *share("10.31", 8)]
    told = {hit.entity for hit in run(find_shared_ip, known, *now)}
    assert told == {"10.30.9.9", "10.31.9.9"}
    assert {h.entity for h in run(find_shared_ip, known, *pool, *now)} == {"10.31.9.9"}


def test_many_networks():
    def move(app, networks, at=NOON):
        return calls(app, spread(at, networks), ip=[f"10.{i}.0.1" for i in range(networks)])

    hits = run(
        find_many_networks,
        move("cli_a", 3),
        move("cli_near", 2),
        move("cli_always", 3),
        move("cli_always", 3, at=PAST),
        # somebody else tries wrong secrets of this app from a third network
        move("cli_tried", 2),
        calls("cli_tried", spread(NOON, 3), ip="203.0.113.9", outcome="auth"),
    )
    assert about(hits) == [("cli_a", 3, False)]


def test_new_network_only_supports_other_findings():
    hits = run(
        find_new_network,
        *(calls(app, hourly(FIRST, WEEK.end_at)) for app in ("cli_a", "cli_near")),
        calls("cli_a", [NOON], ip="203.0.113.7"),
        calls("cli_near", [NOON], ip="10.0.9.9"),  # the tenant's own /16
    )
    assert about(hits) == [("cli_a", 1, False)]
    assert hits[0].where["network"] == ("203.0.113.0/24",)


def test_many_new_networks_of_an_app_are_one_reason():
    moved = [calls("cli_a", [NOON + i * HOUR], ip=f"203.{i}.113.7") for i in range(44)]
    hits = run(find_new_network, calls("cli_a", hourly(FIRST, WEEK.end_at)), *moved)
    assert about(hits) == [("cli_a", 44, False)]
    assert len(hits[0].where["network"]) == 44
    assert "and 41 more" in find_new_network.sentence(hits[0], "cli_a", "UTC")


def test_denied_network():
    ips = ["203.0.113.7", "203.0.114.7", "2001:db8::7", "2001:db9::7", "platform", ""]
    hits = run(
        find_denied_network,
        calls("cli_a", [NOON] * len(ips), ip=ips),
        deny_networks=("203.0.113.0/24", "2001:db8::/32"),
    )
    assert [hit.entity for hit in hits] == ["2001:db8::7", "203.0.113.7"]


def test_first_use_of_a_sensitive_api():
    def use(app, severity, outcome="ok", at=NOON):
        api = f"POST/open-apis/{severity}"
        return calls(app, [at], api=api, severity=severity, outcome=outcome)

    hits = run(
        find_first_sensitive,
        use("cli_a", "critical"),
        use("cli_denied", "critical", "permission"),
        use("cli_high", "high"),
        use("cli_medium", "medium"),
        use("cli_known", "critical"),
        use("cli_known", "critical", at=PAST),
    )
    assert about(hits) == [("cli_a", 1, True), ("cli_denied", 1, False), ("cli_high", 1, False)]


def test_in_a_log_without_history_nothing_is_a_first_use():
    first = calls("cli_a", [NOON], api=EXPORT, severity="critical")
    assert run(find_first_sensitive, first, history=False) == []


def test_audit_log_reading():
    audit = {"api": AUDIT, "category": "audit_access", "severity": "high"}
    hits = run(
        find_audit_access,
        calls("cli_a", [NOON], **audit),
        calls("cli_always", [PAST, NOON], **audit),
        calls("cli_before", [PAST], **audit),
    )
    assert about(hits) == [("cli_a", 1, True), ("cli_always", 1, False)]
    always = calls("cli_always", [WEEK.start_at + HOUR, NOON], **audit)
    hits = run(find_audit_access, calls("cli_begins", [NOON], **audit), always, history=False)
    assert about(hits) == [("cli_always", 2, False), ("cli_begins", 1, True)]


def test_a_dormant_app_wakes():
    now = local("2026-11-14 12:00")
    hits = run(
        find_dormant,
        calls("cli_a", [now - 30 * DAY, now, now + HOUR]),
        calls("cli_near", [now - 29 * DAY, now]),
        calls("cli_new", [now]),
    )
    # a sleep of two weeks is told of an app that stands out otherwise, and makes no finding itself
    assert about(hits) == [("cli_a", 2, True), ("cli_near", 1, False)]
    assert hits[0].end_at > now + HOUR
    assert hits[0].severity == "low"  # two calls are not much of an awakening


def test_an_app_that_always_sleeps_so_long_does_not_wake():
    now = local("2026-11-14 12:00")
    monthly = [now - days * DAY for days in (93, 62, 31, 0)]
    log = make_events(
        clock(FIRST),
        calls("cli_monthly", monthly),
        calls("cli_longer", [now - 51 * DAY, now - 31 * DAY, now]),
        calls("cli_batches", [now - days * DAY for days in (39, 28, 15, 0)]),
        calls("cli_near", [now - 13 * DAY, now]),
    )
    hits = list(find_dormant(build_input(log)))
    assert [(hit.entity, hit.facts["quiet_days"]) for hit in hits] == [("cli_longer", 31)]


def test_calls_that_teach_nothing_were_made_all_the_same():
    now = local("2026-11-14 12:00")
    data = build_input(make_events(clock(FIRST), calls("cli_a", [now - 32 * DAY, *spread(now, 5)])))
    assert [hit.facts["quiet_days"] for hit in find_dormant(data)] == [32]
    assert find_dormant(data)[0].severity == "medium"
    left_out = make_events(calls("cli_a", [now - 10 * DAY]))
    every = pd.concat(
        [data.by_api, rollup(left_out).by_api.astype({"app_id": "str", "api": "str"})]
    )
    assert find_dormant(replace(data, every_api=every)) == []


def test_an_every_hour_app_falls_silent():
    def fall_silent(app, hours, every):
        return calls(app, every[(every < NOON) | (every >= NOON + hours * HOUR)])

    every = hourly(FIRST, WEEK.end_at)
    hits = run(
        find_silence,
        fall_silent("cli_a", 4, every),
        fall_silent("cli_near", 3, every),
        fall_silent("cli_sparse", 9, every[::2]),
        fall_silent("cli_young", 9, hourly(WEEK.start_at - 10 * DAY, WEEK.end_at)),
    )
    assert [(h.entity, h.facts["hours"], h.expected) for h in hits] == [
        ("cli_a", 4, 4),
        ("cli_young", 9, 9),
    ]


def test_in_a_log_of_twelve_days_an_every_hour_app_falls_silent_too():
    every = hourly(WEEK.start_at - 5 * DAY, WEEK.end_at)

    def fall_silent(app, hours, start=NOON):
        return calls(app, every[(every < start) | (every >= start + hours * HOUR)])

    log = make_events(
        clock(every[0]),
        fall_silent("cli_a", 20),
        fall_silent("cli_gone", 200, WEEK.start_at + DAY),  # six days are too few to know it
        calls("cli_steady", every),
        calls("cli_now", hourly(NOON, WEEK.end_at)),
    )
    assert [(h.entity, h.facts["hours"]) for h in find_silence(build_input(log))] == [("cli_a", 20)]


def test_a_silence_like_those_of_every_week_is_told_only_if_it_is_longer():
    every = hourly(FIRST, WEEK.end_at)

    def fall_silent(app, *spans):
        kept = np.ones(len(every), dtype=bool)
        for start, hours in spans:
            kept &= (every < start) | (every >= start + hours * HOUR)
        return calls(app, every[kept])

    usual = [
        fall_silent(f"cli_{app}", (NOON - (7 + app % 21) * DAY + app * HOUR, 5))
        for app in range(12)
    ]
    alike, longer = fall_silent("cli_alike", (NOON, 5)), fall_silent("cli_longer", (NOON, 9))
    assert {h.entity for h in run(find_silence, alike, longer)} == {"cli_alike", "cli_longer"}
    assert {h.entity for h in run(find_silence, alike, longer, *usual)} == {"cli_longer"}


def test_silence_of_the_whole_log_is_no_silence_of_an_app():
    every = hourly(FIRST, WEEK.end_at)
    gap = (every >= NOON) & (every < NOON + 10 * HOUR)
    events = make_events(*(calls(app, every[~gap]) for app in ("cli_a", "cli_b")))
    assert list(find_silence(build_input(events))) == []


def test_an_error_burst():
    def fail(app, errors, at=NOON):
        return calls(app, spread(at, errors), outcome="not_found")

    hits = run(
        find_error_burst,
        fail("cli_a", 20),
        fail("cli_near", 19, NOON + HOUR),
        fail("cli_half", 20, NOON + 2 * HOUR),
        calls("cli_half", spread(NOON + 2 * HOUR, 20)),
    )
    assert about(hits) == [("cli_a", 20, False)]


def outage(apps, *, at, hours=1, outcome="server"):
    size = 20 * hours
    return [
        calls(f"cli_{a}", spread(at, size, over=hours * HOUR), outcome=outcome) for a in range(apps)
    ]


def usual(apps):
    return [calls(f"cli_{a}", hourly(FIRST, WEEK.end_at)) for a in range(apps)]


def test_an_outage_of_the_platform_is_one_finding_a_stretch():
    two = [*outage(16, at=NOON, hours=2), *outage(16, at=NOON + DAY)]
    hits = run(find_outage, *usual(16), *two)
    assert [(h.entity, h.facts["hours"], h.facts["apps"]) for h in hits] == [
        ("platform", 2, 16),
        ("platform", 1, 16),
    ]
    assert [h.start_at for h in hits] == [NOON, NOON + DAY]
    assert run(find_error_burst, *usual(16), *two) == []
    assert run(find_outage, *usual(16), *outage(7, at=NOON)) == []  # not half of the apps


def test_an_outage_of_one_call_in_five_is_heard_from_those_who_call_enough():
    night = local("2026-11-12 02:00")
    busy = [
        calls(f"cli_{a}", spread(night, 10), outcome=["server", *["ok"] * 4] * 2) for a in range(16)
    ]
    seldom = [calls(f"cli_{a}", [night + HOUR / 2]) for a in range(16, 40)]
    hits = run(find_outage, *usual(40), *busy, *seldom)
    assert [(h.entity, h.facts["apps"], h.start_at) for h in hits] == [("platform", 16, night)]


def test_rate_limit_pressure():
    def press(app, limited, at=NOON):
        outcomes = ["rate_limit"] * limited + ["ok"] * (125 - limited)
        return calls(app, spread(at, 125), outcome=outcomes)

    hits = run(
        find_rate_limited,
        press("cli_a", 25),
        press("cli_near", 24),
        press("cli_always", 25),
        press("cli_always", 25, at=PAST),
    )
    assert about(hits) == [("cli_a", 25, False)]


def test_a_day_of_rate_limits_is_a_day_of_the_tenant():
    early = local("2026-11-09 02:00")  # Monday, but still Sunday in UTC
    hits = run(find_rate_limited, calls("cli_a", spread(early, 100), outcome="rate_limit"))
    assert [(h.start_at, h.end_at, h.facts["share"]) for h in hits] == [
        (WEEK.start_at, WEEK.start_at + DAY, 1.0)
    ]


def test_thresholds_are_settings():
    apis = [f"GET/open-apis/x/v1/{i}" for i in range(3)]
    denied = calls("cli_a", spread(NOON, 3), api=apis, outcome="permission")
    assert run(find_probing, denied) == []
    assert len(run(find_probing, denied, probing_apis=3)) == 1


def test_quiet_weeks_break_no_rule():
    at = hourly(FIRST, WEEK.end_at)
    events = make_events(
        *(calls(f"cli_{a}", at, api=api) for a in range(3) for api in (READ, SEND))
    )
    assert run_rules(build_input(events)) == []


def test_what_happened_before_the_week_is_not_told_again():
    tried = [f"GET/open-apis/x/v1/{i}" for i in range(20)]
    denied = calls("cli_a", spread(PAST, 20), api=tried, outcome="permission", object=range(20))
    stuffing = try_apps(8, at=PAST)
    assert run_rules(build_input(make_events(clock(), denied, *stuffing))) == []


def test_every_rule_copes_with_a_log_of_one_event():
    events = make_events(calls("cli_a", [NOON]))
    assert run_rules(build_input(events, deny_networks=("203.0.113.0/24",))) == []


def test_hits_lie_in_the_week_and_point_at_events():
    rng = np.random.default_rng(0)
    tried = [f"GET/open-apis/x/v1/{i}" for i in range(40)]
    parts = [
        calls("cli_a", spread(NOON, 40), api=tried, outcome="permission", object=range(40)),
        calls("cli_a", spread(NOON, 40), outcome="not_found", object=rng.integers(0, 9**9, 40)),
        *try_apps(6),
    ]
    events = make_events(clock(), *parts)
    for hit in run_rules(build_input(events)):
        assert WEEK.start_at <= hit.start_at < hit.end_at
        mask = (events["at"] >= hit.start_at) & (events["at"] < hit.end_at)
        for column, values in hit.where.items():
            mask &= events[column].isin(values)
        assert mask.any()


def test_a_denied_probe_beforehand_does_not_hide_a_first_use():
    reset = {"api": "POST/open-apis/admin/v1/password/reset", "severity": "critical"}
    hits = run(
        find_first_sensitive,
        calls("cli_a", [PAST], outcome="permission", **reset),
        calls("cli_a", spread(NOON, 3), **reset),
        calls("cli_unread", spread(NOON, 3), outcome="unknown", **reset),
        calls("cli_denied", spread(NOON, 3), outcome="permission", **reset),
    )
    assert sorted(about(hits)) == [
        ("cli_a", 3, True),
        ("cli_denied", 3, False),
        ("cli_unread", 3, True),
    ]


def test_guessing_across_the_hour_is_enumeration():
    def guess(app, objects, over):
        at = spread(NOON + HOUR / 2, objects, over=over)
        return calls(app, at, outcome="not_found", object=range(objects))

    hits = run(find_enumeration, guess("cli_a", 34, HOUR), guess("cli_slow", 34, 4 * HOUR))
    assert about(hits) == [("cli_a", 34, True)]


def test_where_stale_ids_are_tried_every_week_as_many_are_no_finding_by_themselves():
    def guess(app, objects, at):
        return calls(app, spread(at, objects), outcome="not_found", object=range(objects))

    weekly = [guess(f"cli_{n}", 50, NOON - (8 + 5 * n) * DAY) for n in range(3)]
    hits = run(find_enumeration, *weekly, guess("cli_a", 40, NOON), guess("cli_b", 60, NOON))
    assert {hit.entity: hit.alone for hit in hits} == {"cli_a": False, "cli_b": True}


def test_an_app_that_only_fails_is_told_with_its_beat():
    def fail(app, number, every, at=NOON - DAY, outcome="param"):
        return calls(app, [at + n * every for n in range(number)], outcome=outcome)

    beat, noise = pd.Timedelta(seconds=275), np.random.default_rng(1).uniform(0, 11, 300)
    hits = run(
        find_failing,
        fail("cli_a", 950, beat),
        fail("cli_few", 190, beat),
        fail("cli_server", 950, beat, outcome="server"),
        calls("cli_noise", [NOON - DAY + pd.Timedelta(hours=h) for h in noise], outcome="param"),
        fail("cli_half", 300, beat),
        fail("cli_half", 300, beat, outcome="ok"),
        fail("cli_always", 300, beat),
        fail("cli_always", 300, beat, at=PAST),
    )
    assert {hit.entity: hit.facts.get("gap_seconds") for hit in hits} == {
        "cli_a": 275.0,
        "cli_noise": None,
    }
    assert find_failing.sentence(hits[0], "cli_a", WEEK.zone).endswith(
        "The calls come every 4.6 minutes, like a clock."
    )
