"""What the log does not say, where it begins, in which order and up to when it is read."""

import pandas as pd
import pytest
from tenant import (
    DAY,
    EXPORT,
    FIRST,
    HOUR,
    WEEK,
    ZONE,
    build_input,
    build_tenant,
    calls,
    clock,
    make_events,
    quiet_tenant,
    spread,
)
from test_engine import Distance
from town import build_town
from town import judge as judge_town

import audit_analytics as aa
from audit_analytics.dates.weeks import find_begin, parse_week
from audit_analytics.detect import detect_week, run_rules
from audit_analytics.detect._rule_input import RuleInput
from audit_analytics.detect.rules.chain import find_chain
from audit_analytics.detect.rules.denied_then_allowed import find_denied_then_allowed
from audit_analytics.detect.rules.enumeration import find_enumeration
from audit_analytics.detect.rules.rate_limited import find_rate_limited
from audit_analytics.errors import ConfigError
from audit_analytics.language.wording import format_span
from audit_analytics.review._scope import Scope, index_calls, shift_scope
from audit_analytics.rollup import rollup

SENSITIVE = {"api": EXPORT, "severity": "high"}


def detect(log):
    panel, by_api, by_ip = build_tenant(log, rollup(log))
    return detect_week(panel, by_api, by_ip, detector=Distance())


def without(log, start, end):
    return log[(log["at"] < start) | (log["at"] >= end)].reset_index(drop=True)


# 5


def test_point_5_weeks_the_log_lacks_are_no_weeks_of_zeros():
    at = WEEK.start_at + 60 * HOUR
    log = make_events(quiet_tenant(weeks=5), calls("cli_04", spread(at, 900), ip="10.0.4.1"))
    gap = without(log, WEEK.shifted(-3).start_at, WEEK.shifted(-1).start_at)
    whole, part = detect(log), detect(gap)
    assert len(part.panel.grid.weeks) == len(whole.panel.grid.weeks) == 4
    assert part.units["app"] == whole.units["app"] == 12
    # the burst is the rarest there is
    joint = part.app_p["joint"]
    assert joint[part.panel.apps.get_loc("cli_04")].min() == joint.min()


def test_point_5_days_to_come_are_not_judged():
    log = quiet_tenant(weeks=5)
    now = WEEK.start_at + 3 * DAY + 12 * HOUR
    found = detect(make_events(log[log["at"] < now]))
    assert found.tested[:, :4].any()
    assert not found.tested[:, 4:].any()
    assert (found.app_p["joint"][:, 4:] == 1).all()
    assert not found.api_days.tested[:, 4:].any()


# 6


def test_point_6_since_is_told_though_an_earlier_burst_of_the_day_was_larger():
    day = WEEK.start_at + 3 * DAY
    log = make_events(
        quiet_tenant(weeks=5),
        calls("cli_04", spread(day + 3 * HOUR, 140), ip="10.0.4.1"),
        calls("cli_04", spread(day + 10 * HOUR, 100), ip="10.0.4.1"),
    )
    log = log[log["at"] < day + 12 * HOUR]
    data = aa.analyze(
        log, since=(day + 9 * HOUR).isoformat(), settings=aa.Settings(), detector=Distance()
    ).data
    [found] = [row for row in data["findings"] if row["entity"] == "cli_04"]
    assert found["start_at"] == (day + 10 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert 100 <= found["observed"] < 140


# 7


def chain(app, start):
    yield calls(app, [start], api="GET/chats", category="chat_enum")
    yield calls(app, [start + HOUR], api="GET/mails", category="mail_read", severity="high")
    yield calls(app, [start + 3 * HOUR], api="POST/mail", category="mail_send")


def old(app):
    return calls(app, pd.date_range(FIRST, WEEK.shifted(1).end_at, freq="6h"), ip="10.0.9.9")


def test_point_7_a_chain_across_sunday_midnight_is_told_in_the_week_of_its_last_step():
    log = make_events(
        clock(end=WEEK.shifted(1).end_at), old("cli_a"), *chain("cli_a", WEEK.start_at - 2 * HOUR)
    )
    [hit] = find_chain(build_input(log))
    assert hit.entity == "cli_a"
    last = RuleInput.from_events(log, week=WEEK.shifted(-1).iso, zone=ZONE)
    assert find_chain(last) == []


def test_point_7_denied_on_sunday_night_and_let_in_on_monday():
    night = WEEK.start_at - 2 * HOUR
    log = make_events(
        clock(),
        calls("cli_a", spread(night, 6), outcome="permission", **SENSITIVE),
        calls("cli_a", [WEEK.start_at + HOUR], **SENSITIVE),
    )
    [hit] = find_denied_then_allowed(build_input(log))
    assert (hit.observed, hit.start_at) == (6, night)


def test_point_7_a_week_depends_on_nothing_after_its_end():
    log, then = build_town(), build_town(3)
    then = then[then["at"] >= WEEK.start_at]
    later = then.assign(at=then["at"] + 7 * DAY, id="later-" + then["id"].astype("str"))
    whole = pd.concat([log, later], ignore_index=True)
    cut = whole[whole["at"] < WEEK.end_at]
    (found, report), (same, part) = (judge_town(e, WEEK.iso, ZONE) for e in (whole, cut))
    assert len({hit.detector for hit in same.hits}) >= 25
    assert found.hits == same.hits
    # but for how much was read
    assert report | {"coverage": None} == part | {"coverage": None}


# 8


def test_point_8_what_was_denied_after_the_success_was_not_denied_before_it():
    noon = WEEK.start_at + 36 * HOUR

    def scene(app, *steps):
        for hours, minutes, count, outcome in steps:
            at = noon + hours * HOUR + pd.Timedelta(minutes=minutes)
            step = spread(at, count, over=pd.Timedelta(minutes=10))
            yield calls(app, step, outcome=outcome, **SENSITIVE)

    log = make_events(
        clock(),
        *scene("cli_after", (0, 0, 1, "ok"), (0, 20, 9, "permission"), (1, 0, 4, "permission")),
        *scene("cli_few", (-1, 0, 3, "permission"), (1, 0, 1, "ok"), (2, 0, 9, "permission")),
        *scene("cli_within", (0, 0, 6, "permission"), (0, 30, 1, "ok"), (1, 0, 5, "ok")),
        *scene("cli_early", (-30, 0, 1, "permission"), (-1, 0, 6, "permission"), (1, 0, 1, "ok")),
    )
    hits = {hit.entity: hit for hit in find_denied_then_allowed(build_input(log))}
    assert {name: hit.observed for name, hit in hits.items()} == {"cli_within": 6, "cli_early": 6}
    assert hits["cli_early"].start_at == noon - HOUR


# 9


def test_point_9_one_stray_event_of_years_ago_makes_no_history():
    stray = calls("cli_stray", [pd.Timestamp("2020-01-01T00:00Z")])
    young = make_events(
        clock(WEEK.start_at - DAY),
        calls("cli_a", spread(WEEK.start_at + DAY, 3), ip="203.0.113.9", **SENSITIVE),
    )
    log = make_events(
        clock(WEEK.start_at - DAY),
        stray,
        calls("cli_a", spread(WEEK.start_at + DAY, 3), ip="203.0.113.9", **SENSITIVE),
    )
    begun = [find_begin(frame["at"], zone=ZONE) for frame in (log, young)]
    assert begun == [WEEK.start_at - DAY] * 2
    data = build_input(log)
    assert not data.has_history
    assert data.networks.pairs.empty
    assert run_rules(data) == run_rules(build_input(young))


# 10


def test_point_10_one_week_of_history_is_refused_where_it_is_set():
    with pytest.raises((ConfigError, ValueError), match="history_weeks"):
        aa.Settings(history_weeks=1)


@pytest.mark.parametrize("outcome", ["not_found", "permission", "param", "other"])
def test_point_10_an_enumeration_is_drawn_by_what_refused_it(outcome):
    tried = calls("cli_a", spread(WEEK.start_at + DAY, 60), outcome=outcome, object=range(60))
    [hit] = find_enumeration(build_input(make_events(clock(), tried)))
    assert hit.facts["metric"] == outcome


# 11 and 12


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Adelaide"])
def test_point_11_monday_is_judged_and_the_last_hour_has_evidence_where_days_begin_within_hours(
    zone,
):
    week = parse_week("2026-W46", zone=zone)
    start = week.shifted(-4).start_at
    log = make_events(
        calls("cli_clock", pd.date_range(start, week.end_at + HOUR, freq="h", inclusive="left")),
        calls("cli_a", spread(week.start_at + 2 * HOUR, 90), outcome="rate_limit"),
    )
    [hit] = find_rate_limited(RuleInput.from_events(log, week=week.iso, zone=zone))
    assert hit.start_at == week.start_at
    assert hit.end_at == week.start_at + DAY
    assert (week.hours[0], week.hours[-1]) == (week.start_at, week.end_at - HOUR)


def test_point_12_a_day_of_25_hours_ends_at_midnight():
    zone = "Europe/Berlin"
    week = parse_week("2026-W43", zone=zone)
    late = pd.Timestamp("2026-10-25T21:00Z")
    log = make_events(
        calls("cli_clock", pd.date_range(week.shifted(-4).start_at, week.end_at, freq="h")),
        calls("cli_a", spread(late, 90), outcome="rate_limit"),
    )
    [hit] = find_rate_limited(RuleInput.from_events(log, week=week.iso, zone=zone))
    assert (hit.start_at, hit.end_at) == (pd.Timestamp("2026-10-24T22:00Z"), week.end_at)
    assert format_span(hit.start_at, hit.end_at, zone) == "on Sun 25 Oct"


@pytest.mark.parametrize("hour", ["2026-10-25T00:00Z", "2026-10-25T01:00Z"])
def test_point_12_the_hour_that_the_clocks_show_twice_keeps_its_calls(hour):
    week = parse_week("2026-W43", zone="Europe/Berlin")
    at = pd.Timestamp(hour)
    span = Scope(start_at=at, end_at=at + HOUR, where={"app_id": ("cli_a",)})
    assert shift_scope(span, week, 0) == span
    table = index_calls(rollup(make_events(calls("cli_a", spread(at, 7)))).by_api, zone=week.zone)
    assert table.count(shift_scope(span, week, 0)) == 7
    assert format_span(at, at + HOUR, week.zone) == "between 02:00 and 03:00 on Sun 25 Oct"


def test_point_12_an_hour_shifted_onto_the_one_that_is_missing_is_no_empty_span():
    week = parse_week("2026-W14", zone="Europe/Berlin")
    at = pd.Timestamp("2026-04-05T02:30", tz=week.zone).tz_convert("UTC")
    moved = shift_scope(Scope(start_at=at, end_at=at + HOUR, where={}), week, -1)
    assert moved.end_at - moved.start_at == HOUR
    day = pd.Timestamp("2026-04-05", tz=week.zone).tz_convert("UTC")
    whole = shift_scope(Scope(start_at=day, end_at=day + DAY, where={}), week, -1)
    assert whole.end_at - whole.start_at == 23 * HOUR


def test_point_12_a_day_that_begins_an_hour_late_is_told_as_a_day():
    zone = "America/Santiago"
    week = parse_week("2026-W36", zone=zone)
    start = pd.Timestamp("2026-09-06T04:00Z")  # clocks go from Saturday 24:00 to Sunday 01:00
    assert format_span(start, week.end_at, zone) == "on Sun 6 Sep"
    assert format_span(start - 2 * HOUR, start, zone) == "between 22:00 and 24:00 on Sat 5 Sep"
