import numpy as np
import pandas as pd
import pytest
from tenant import DAY, FIRST, HOUR, WEEK, calls, hourly, local, make_events, spread

from audit_analytics.detect._grid import build_grid
from audit_analytics.rollup import rollup


def lay_out(*parts):
    by_api = rollup(make_events(*parts)).by_api
    return build_grid(
        WEEK,
        history_weeks=4,
        first_at=by_api["first_at"].min(),
        last_at=by_api["last_at"].max(),
        calls_at=by_api["bucket_at"],
    )


def missing(*parts):
    grid = lay_out(*parts)
    return [hour.isoformat() for hour in grid.hours[grid.gap]]


def office(app, rng, *, share=1.0):
    """Call at ten and three on a share of the working days."""
    days = pd.date_range(FIRST, WEEK.end_at, freq="D", inclusive="left")
    local_day = days.tz_convert("Asia/Shanghai").day_of_week
    kept = days[(local_day < 5) & (rng.random(len(days)) < share)]
    return calls(app, [day + at * HOUR for day in kept for at in (10, 15)])


def busy(every):
    return [calls(f"cli_{n}", every, api=f"GET/x/{n}") for n in range(12)]


def test_an_hour_without_a_call_is_missing_in_a_busy_tenant():
    every = hourly(FIRST, WEEK.end_at)
    gone = local("2026-11-11 03:00")
    assert missing(*busy(every[every.floor("h") != gone])) == [gone.isoformat()]


def test_the_quiet_days_and_nights_of_a_small_tenant_are_not_missing():
    rng = np.random.default_rng(1)
    apps = [office(f"cli_{n}", rng, share=0.7) for n in range(2)]
    grid = lay_out(*apps, calls("cli_0", [FIRST, WEEK.end_at - HOUR]))
    assert not grid.gap.any()


def test_a_day_that_nobody_logged_is_missing_in_a_tenant_of_every_hour():
    every = hourly(FIRST, WEEK.end_at)
    start = local("2026-11-12 00:00")
    off = (every >= start) & (every < start + DAY)
    assert len(missing(*busy(every[~off]))) == 24


@pytest.mark.parametrize(("until", "hours"), [("2026-11-15 22:00", 0), ("2026-11-13 12:00", 60)])
def test_the_end_of_the_log_is_judged_by_the_rhythm_too(until, hours):
    # a tenant that calls from nine to six on working days, for four weeks and a part
    days = pd.date_range(FIRST, WEEK.end_at, freq="D", inclusive="left")
    days = days[days.tz_convert("Asia/Shanghai").day_of_week < 5]
    at = pd.DatetimeIndex([t for day in days for t in spread(day + 9 * HOUR, 9, over=9 * HOUR)])
    at = at[at < local(until)]
    grid = lay_out(*(calls(f"cli_{n}", at, api=f"GET/x/{n}") for n in range(12)))
    assert int(grid.gap[grid.week == 0].sum()) == hours
