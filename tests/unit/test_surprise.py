from functools import reduce

import numpy as np
import pytest
from tenant import (
    DAY,
    EXPORT,
    FIRST,
    HOUR,
    READ,
    SEND,
    TOKEN,
    WEEK,
    build_tenant,
    calls,
    hourly,
    local,
    make_events,
    quiet_tenant,
    spread,
)

from audit_analytics.dates.weeks import parse_week
from audit_analytics.detect import expect_week, list_detectors
from audit_analytics.detect._baseline import share_surprise
from audit_analytics.detect._frame import WeekFrame
from audit_analytics.detect._grid import build_grid
from audit_analytics.detect._group import CountGroup
from audit_analytics.detect._rates import outage_excess, usual_rate
from audit_analytics.detect._surprise import Surprise, fit_daily, fit_hourly
from audit_analytics.detect.groups.one_api import _score_apis
from audit_analytics.detect.groups.volume import VOL
from audit_analytics.rollup import rollup

NOON = local("2026-11-11 12:00")
QUIET = quiet_tenant()


def build(*parts):
    events = make_events(*parts)
    return build_tenant(events, rollup(events))[0]


@pytest.fixture(scope="module")
def quiet():
    return build(QUIET)


def day_of_week(at):
    return (at - WEEK.start_at) // DAY


def position(panel, app):
    return panel.apps.get_loc(app)


def test_the_report_week_never_trains_its_own_baseline(quiet):
    rng = np.random.default_rng(5)
    week = QUIET["at"] >= WEEK.start_at
    kept = rng.random(len(QUIET)) < 0.3
    more = QUIET[week].sample(3000, replace=True, random_state=1)
    changed = build(QUIET[~week | kept], more.assign(outcome="auth", severity="critical"))
    first, second = expect_week(quiet), expect_week(changed)
    assert (first.observed != second.observed).any()
    np.testing.assert_array_equal(first.expected, second.expected)
    np.testing.assert_array_equal(first.high, second.high)
    for scored in quiet.grid.weeks:  # nor that of a past week
        bases = [fit_daily(WeekFrame(p, scored), p.counts["calls"]) for p in (quiet, changed)]
        np.testing.assert_array_equal(bases[0].mean, bases[1].mean)


def test_a_scored_week_never_trains_its_own_baseline(quiet):
    for scored in [*quiet.grid.weeks, 0]:
        frame, counts = WeekFrame(quiet, scored), quiet.counts["calls"]
        before = fit_hourly(frame, counts)
        counts = np.where(quiet.grid.week == scored, 777, counts)
        np.testing.assert_array_equal(before.mean, fit_hourly(frame, counts).mean)


@pytest.mark.parametrize("iso", ["2026-W10", "2026-W11", "2026-W44", "2026-W45"])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "Asia/Shanghai"])
def test_every_week_of_the_grid_has_its_own_seven_days(iso, zone):
    week = parse_week(iso, zone=zone)
    start, end = week.shifted(-4).start_at, week.end_at
    grid = build_grid(
        week, history_weeks=4, first_at=start, last_at=end, calls_at=hourly(start, end).floor("h")
    )
    assert grid.weeks == [-4, -3, -2, -1]
    days = [grid.days(number) for number in (*grid.weeks, 0)]
    assert [len(own) for own in days] == [7] * 5
    assert len(set().union(*days)) == 35
    assert grid.hours[grid.week == 0].equals(week.hours)
    assert (grid.weights(0)[grid.week == 0] == 0).all()
    assert not grid.gap[:-1].any()


def test_a_gap_is_left_out_and_not_taken_for_silence():
    every = hourly(FIRST, WEEK.end_at)
    gap = (every >= NOON - 7 * DAY) & (every < NOON - 7 * DAY + 10 * HOUR)
    panel = build(calls("cli_a", every[~gap]))
    assert panel.grid.gap.sum() == 10
    slots = panel.grid.slot[panel.grid.gap]
    mean = fit_hourly(WeekFrame(panel, 0), panel.counts["calls"]).mean[0]
    assert mean[slots].min() == pytest.approx(mean[:24].max(), abs=0.05)


def test_a_tenant_that_sleeps_at_night_has_no_gap_at_night():
    every = hourly(FIRST, WEEK.end_at)
    awake = every.tz_convert("Asia/Shanghai").hour
    panel = build(calls("cli_a", every[(awake >= 8) & (awake < 19)]))
    logged = np.flatnonzero(panel.counts["calls"].sum(axis=0))
    assert not panel.grid.gap[logged[0] : logged[-1]].any()


def surprises(*parts):
    panel = build(QUIET, *parts)
    frame = WeekFrame(panel, 0)
    return panel, {
        group.name: reduce(Surprise.or_greater, group.score(frame))
        for group in list_detectors(CountGroup)
    }


@pytest.mark.parametrize(
    ("group", "part"),
    [
        ("VOL", calls("cli_03", spread(NOON, 150), api=SEND)),
        ("OBJ", calls("cli_03", spread(NOON, 80), api=READ, object=range(900, 980))),
        ("SENS", calls("cli_03", spread(NOON, 60), api=EXPORT, severity="high")),
        ("TOK", calls("cli_03", spread(NOON, 60), api=TOKEN, category="token_issuance")),
        ("ERR", calls("cli_03", spread(NOON, 40), outcome="permission")),
        ("ERR", calls("cli_03", spread(NOON, 40), outcome="other")),
        ("API", calls("cli_03", spread(NOON, 80), api=READ)),
    ],
)
def test_each_group_sees_its_own_burst_where_and_when_it_was(group, part):
    panel, found = surprises(part)
    score = found[group].score
    app, day = position(panel, "cli_03"), day_of_week(NOON)
    assert np.unravel_index(score.argmax(), score.shape) == (app, day)
    assert score[app, day] > 2 * np.delete(score.ravel(), score.argmax()).max()
    hour = panel.grid.hours[found[group].hour[app, day]]
    assert hour == (NOON if found[group].hours[app, day] == 1 else local("2026-11-11 00:00"))
    assert found[group].observed[app, day] >= len(part)


def test_walking_through_objects_surprises_more_than_coming_back_to_the_same_few():
    walk, back = (
        surprises(calls("cli_03", spread(NOON, 40), api=READ, object=objects))[1]["OBJ"].score[3, 2]
        for objects in (range(900, 940), [7, 8] * 20)
    )
    assert walk > back + 3


def test_a_few_more_objects_an_hour_for_four_days_add_up():
    start = local("2026-11-10 00:00")
    leak = calls("cli_03", spread(start, 4 * 16, over=4 * DAY), api=READ, object=range(900, 964))
    panel, found = surprises(leak)
    app, slow = position(panel, "cli_03"), found["SLOW"]
    last = day_of_week(start + 3 * DAY)
    assert slow.score[app].argmax() == last
    assert slow.score[app, last] == slow.score.max() > found["OBJ"].score[app].max() + 0.5
    assert slow.score[app, last] > np.delete(slow.score, app, axis=0).max() + 2
    assert panel.grid.hours[slow.hour[app, last]] == start
    assert slow.hours[app, last] == 96
    # the same objects within an hour are a burst, and the hour tells it better
    burst = surprises(calls("cli_03", spread(NOON, 64), api=READ, object=range(900, 964)))[1]
    assert burst["OBJ"].score[app].max() > burst["SLOW"].score[app].max()


def test_a_handful_of_objects_is_no_walk():
    few, walk = (
        surprises(calls("cli_03", spread(NOON, n), api=READ, object=range(900, 900 + n)))[1]
        for n in (8, 40)
    )
    day = day_of_week(NOON)
    assert few["OBJ"].score[3, day] == 0 < walk["OBJ"].score[3, day]
    polled = hourly(NOON, NOON + 12 * HOUR)
    assert surprises(calls("cli_03", polled, object=900))[1]["SLOW"].score[3].max() == 0


def test_a_handful_of_sensitive_calls_is_no_surprise_by_number():
    few, many = (
        surprises(calls("cli_03", spread(NOON, n), severity="high"))[1]["SENS"].score[3]
        for n in (2, 12)
    )
    assert few.max() == 0 < many[day_of_week(NOON)]


def test_a_daily_job_that_wakes_is_more_of_a_surprise_than_a_batch_that_always_sleeps():
    woken = [*(FIRST + day * DAY for day in range(9)), NOON]
    batches = [NOON - days * DAY + n * HOUR for days in (30, 15, 0) for n in (0, 1)]
    back = [*(FIRST + day * DAY for day in range(17)), NOON - 5 * DAY]
    panel = build(QUIET, *(calls(f"cli_{n}", at) for n, at in enumerate((woken, batches, back))))
    score = VOL.score(WeekFrame(panel, 0))[-1].score
    day = day_of_week(NOON)
    rare, usual = (score[position(panel, f"cli_{n}"), day] for n in (0, 1))
    # nine days with a call, eight pauses of a day and one of 20: (9 / 29) ** 9
    slept = (NOON - woken[8]) // DAY
    assert rare == pytest.approx(9 * np.log10(1 + slept / 9))
    assert 0 < usual < 1
    assert score[position(panel, "cli_2")].max() == 0
    assert (score > 0).sum() == 2


def test_where_calls_hardly_name_objects_none_are_missed():
    nameless = QUIET.assign(object=QUIET["object"].where(np.arange(len(QUIET)) % 100 == 0))
    panel = build(nameless, calls("cli_03", spread(NOON, 60), api=READ, object=range(900, 960)))
    found = {group.name: group.score(WeekFrame(panel, 0)) for group in list_detectors(CountGroup)}
    assert not any(window.score.any() for name in ("OBJ", "SLOW") for window in found[name])
    assert any(window.score[3].any() for window in found["VOL"])


def test_an_error_burst_is_not_hidden_by_a_busier_hour_with_the_usual_share():
    hot, busy = NOON, NOON + HOUR
    # 12 of 14 calls fail at noon; an hour later there are 30 errors among 1,500 calls
    parts = [
        calls("cli_x", hourly(FIRST, WEEK.start_at)),
        calls("cli_x", spread(FIRST, 400, over=20 * DAY), outcome="not_found"),
        calls("cli_x", spread(FIRST, 19600, over=20 * DAY)),
        calls("cli_x", spread(hot, 12), outcome="not_found"),
        calls("cli_x", spread(hot, 2)),
        calls("cli_x", spread(busy, 30), outcome="not_found"),
        calls("cli_x", spread(busy, 1470)),
    ]
    panel, found = surprises(*parts)
    app = position(panel, "cli_x")
    day = day_of_week(NOON)
    assert panel.grid.hours[found["ERR"].hour[app, day]] == hot
    assert found["ERR"].observed[app, day] == 12


def test_errors_count_only_as_far_as_their_share_is_surprising():
    part = calls("cli_03", spread(NOON, 40), outcome="not_found")
    panel, found = surprises(part)
    app, day = position(panel, "cli_03"), day_of_week(NOON)
    rate = usual_rate(WeekFrame(panel, 0), panel.counts["not_found"])[app]
    hour = found["ERR"].hour[app, day]
    made = panel.counts["calls"][app, hour]
    limit = 2 * share_surprise(
        found["ERR"].observed[[app], [day]], np.array([made]), np.array([rate]), correlation=0.05
    )
    assert 0 < found["ERR"].score[app, day] <= limit[0] + 1e-9


def test_two_errors_are_no_surprise():
    panel, found = surprises(calls("cli_03", spread(NOON, 2), outcome="auth"))
    app, day = position(panel, "cli_03"), day_of_week(NOON)
    assert found["ERR"].label[app, day] != "auth" or found["ERR"].score[app, day] == 0


def test_an_outage_is_expected_of_every_app():
    night = local("2026-11-11 13:00")
    fails = [calls(f"cli_{a:02d}", spread(night, 8), outcome="server") for a in range(12)]
    panel, found = surprises(*fails)
    errors = panel.counts["server"]
    excess = outage_excess(panel, errors, usual_rate(WeekFrame(panel, 0), errors))
    assert np.flatnonzero(excess).tolist() == [panel.grid.hours.get_loc(night)]
    day = day_of_week(night)
    assert found["ERR"].score[:, day].max() < 3
    alone = surprises(fails[0])[1]["ERR"].score[0, day]
    assert alone > found["ERR"].score[0, day]


def test_the_usual_share_is_shrunk_towards_the_tenants(quiet):
    frame = WeekFrame(quiet, 0)
    errors = np.zeros_like(quiet.counts["calls"])
    errors[0] = quiet.counts["calls"][0]
    rate = usual_rate(frame, errors)
    assert rate[0] > 0.9
    assert 0 < rate[1] < 0.05


def test_an_api_adopted_in_the_last_days_is_expected_as_often_as_since_then():
    every = hourly(FIRST, WEEK.end_at).repeat(8)
    adopted = hourly(WEEK.start_at - 3 * DAY, WEEK.end_at).repeat(8)
    panel = build(calls("cli_a", every, api=READ), calls("cli_a", adopted, api=SEND))
    by_hour, by_day = _score_apis(WeekFrame(panel, 0))
    app = position(panel, "cli_a")
    told = by_day.label[app] == SEND
    # of eight an hour; a share of the whole history would let one in ten of the calls expect
    assert told.any()
    assert (by_day.expected[app][told] > 3 * 24).all()
    assert (by_hour.score[app] < 3).all()
