from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_analytics.dates.buckets import (
    bucket_width,
    day_of,
    floor_at,
    list_buckets,
    load_zone,
    slot_of,
)
from audit_analytics.dates.weeks import choose_report_week, parse_week, week_of
from audit_analytics.errors import ConfigError

ZONES = ["Asia/Shanghai", "America/New_York", "Asia/Kolkata", "Africa/Cairo", "Pacific/Chatham"]
INSTANTS = st.integers(0, 4_000_000_000).map(lambda s: pd.Timestamp(s, unit="s", tz="UTC"))


@given(at=INSTANTS, zone=st.sampled_from(ZONES))
def test_an_instant_lies_in_its_own_week_and_the_week_can_be_read_back(at, zone):
    week = week_of(at, zone=zone)
    assert week.start_at <= at < week.end_at
    assert parse_week(week.iso, zone=zone) == week
    assert week.shifted(1).start_at == week.end_at
    assert week.shifted(1).shifted(-1) == week


@pytest.mark.parametrize(
    ("day", "iso"),
    [("2026-12-31", "2026-W53"), ("2027-01-03", "2026-W53"), ("2024-12-30", "2025-W01")],
)
def test_weeks_belong_to_the_year_of_their_thursday(day, iso):
    assert week_of(pd.Timestamp(day, tz="Asia/Shanghai"), zone="Asia/Shanghai").iso == iso


@pytest.mark.parametrize(
    ("iso", "zone", "hours"),
    [
        ("2026-W46", "Asia/Shanghai", 168),
        ("2026-W10", "America/New_York", 167),
        ("2026-W44", "America/New_York", 169),
        ("2026-W46", "Asia/Kolkata", 168),
    ],
)
def test_a_week_has_as_many_hours_as_the_clocks_show(iso, zone, hours):
    week = parse_week(iso, zone=zone)
    assert len(week.hours) == hours
    assert len(set(day_of(week.hours, zone=zone))) == 7
    assert week.hours.tz_convert(zone)[0].day_of_week == 0


@pytest.mark.parametrize("text", ["2026-W54", "2025-W53", "W46", "2026-46", "0000-W01", "9999-W52"])
def test_no_week_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match="like 2026-W46"):
        parse_week(text, zone="Asia/Shanghai")


@pytest.mark.parametrize("zone", ["Asia/Shangai", "", "../etc/passwd", "Asia"])
def test_no_zone_is_refused(zone):
    with pytest.raises(ConfigError, match="tenant_zone"):
        load_zone(zone)


@pytest.mark.parametrize(
    ("first", "last", "iso"),
    [
        ("2026-10-12 00:00", "2026-11-15 23:59", "2026-W46"),  # ends with the week
        ("2026-10-12 00:00", "2026-11-15 21:30", "2026-W46"),  # quiet Sunday night
        ("2026-10-12 00:00", "2026-11-15 20:30", "2026-W45"),  # cut on Sunday
        ("2026-10-12 00:00", "2026-11-16 09:00", "2026-W46"),  # read on Monday morning
        ("2026-11-09 08:30", "2026-11-16 09:00", "2026-W46"),  # one week, from office hours on
        ("2026-11-12 00:00", "2026-11-18 12:00", "2026-W47"),  # two halves: the later one
        ("2026-11-12 00:00", "2026-11-12 00:00", "2026-W46"),  # one event
    ],
)
def test_the_last_complete_week_is_reported(first, last, iso):
    ends = [pd.Timestamp(t, tz="Asia/Shanghai").tz_convert("UTC") for t in (first, last)]
    at = pd.Series([*pd.date_range(*ends, freq="h"), ends[1]])
    assert choose_report_week(at, zone="Asia/Shanghai").iso == iso


@pytest.mark.parametrize(
    ("usual", "last", "iso"),
    [
        ("18:00", "18:30", "2026-W46"),  # nobody calls on a Sunday night
        ("18:00", "15:30", "2026-W45"),  # earlier than they use to go home
        ("23:00", "18:30", "2026-W45"),  # somebody always does
    ],
)
def test_a_week_that_ends_as_early_as_those_before_it_is_complete(usual, last, iso):
    days = pd.date_range("2026-10-12", "2026-11-15", tz="Asia/Shanghai")
    at = [day + pd.Timedelta(hours=hour) for day in days[:-1] for hour in (9, int(usual[:2]))]
    at += [days[-1] + pd.Timedelta(hours=9), days[-1] + pd.Timedelta(f"{last}:00")]
    assert choose_report_week(pd.Series(at).dt.tz_convert("UTC"), zone="Asia/Shanghai").iso == iso


@pytest.mark.parametrize(
    ("days_off", "last", "iso"),
    [
        (2, "2026-11-13 18:00", "2026-W46"),  # nobody works at weekends: Friday evening ends a week
        (2, "2026-11-13 10:00", "2026-W45"),  # a morning does not
        (2, "2026-11-12 18:00", "2026-W45"),
        (1, "2026-11-14 16:00", "2026-W46"),  # closed on Sundays
        (1, "2026-11-13 18:00", "2026-W45"),
        (0, "2026-11-14 18:00", "2026-W45"),
    ],
)
def test_where_weekends_are_off_a_week_ends_before_them(days_off, last, iso):
    days = pd.date_range("2026-10-12", "2026-11-15", tz="Asia/Shanghai")
    open_ = days[days.day_of_week < 7 - days_off]
    at = pd.Series([day + pd.Timedelta(hours=hour) for day in open_ for hour in (9, 12, 18)])
    at = pd.Series(
        [*at[at < pd.Timestamp(last, tz="Asia/Shanghai")], pd.Timestamp(last, tz="Asia/Shanghai")]
    )
    assert choose_report_week(at.dt.tz_convert("UTC"), zone="Asia/Shanghai").iso == iso


def test_a_log_from_friday_to_sunday_reports_the_week_that_holds_it():
    at = pd.Series(pd.date_range("2026-11-13T00:00Z", "2026-11-15T23:00Z", freq="h"))
    # on the tenant's clocks the last eight hours are Monday's
    assert choose_report_week(at, zone="Asia/Shanghai").iso == "2026-W46"


@pytest.mark.parametrize("days", [["2026-11-03"], ["2026-11-03", "2026-11-05"]])
def test_a_log_of_a_few_days_a_week_reports_no_empty_week(days):
    weeks = [pd.Timedelta(weeks=n) for n in (-5, -4, -3, -2, 0, 2)]
    at = pd.Series([pd.Timestamp(day, tz="UTC") + week for day in days for week in weeks])
    week = choose_report_week(at, zone="Asia/Shanghai")
    assert at.between(week.start_at, week.end_at).any()


def test_holidays_are_days_off_and_worked_weekends_are_not():
    noon = pd.DatetimeIndex(["2026-10-01T04:00Z", "2026-10-10T04:00Z", "2026-10-11T04:00Z"])
    slots = slot_of(
        noon,
        zone="Asia/Shanghai",
        holidays={date(2026, 10, 1)},
        working_days={date(2026, 10, 10)},
    )
    assert slots.tolist() == [36, 12, 36]


def test_slots_follow_the_clocks_through_a_change():
    hours = pd.DatetimeIndex(["2026-10-30T13:00Z", "2026-11-02T14:00Z"])  # 09:00 on both days
    assert slot_of(hours, zone="America/New_York").tolist() == [9, 9]


@given(at=st.lists(INSTANTS, min_size=1, max_size=5), zone=st.sampled_from(ZONES))
def test_days_begin_at_midnight_even_where_midnight_is_skipped(at, zone):
    series = pd.Series(pd.DatetimeIndex(at)).astype("datetime64[us, UTC]")
    floor = floor_at(series, "1D", zone=zone)
    assert floor.dtype == series.dtype
    assert (floor <= series).all()
    assert (series - floor < pd.Timedelta(hours=25)).all()
    local = floor.dt.tz_convert(zone)
    assert (local.dt.date == series.dt.tz_convert(zone).dt.date).all()
    # the instant before belongs to the day before
    assert ((floor - pd.Timedelta(seconds=1)).dt.tz_convert(zone).dt.date < local.dt.date).all()


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_day_buckets_has_every_day_once(zone):
    hours = pd.Series(pd.date_range("2026-01-01", periods=8760, freq="h", tz=zone))
    floor = floor_at(hours.dt.tz_convert("UTC"), "1D", zone=zone)
    every = list_buckets(floor.min(), floor.max(), "1D", zone=zone)
    assert list(every) == sorted(floor.unique())


@pytest.mark.parametrize("text", ["", "x", "7h", "2D", "-1h", "0h", "NaT", "1ns", "5", "1week"])
def test_what_does_not_divide_a_day_is_no_bucket(text):
    with pytest.raises(ConfigError, match="15min, 1h or 1D"):
        bucket_width(text)
