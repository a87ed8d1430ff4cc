"""Hours are cut on the tenant's clocks, by every reader of them alike."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_ins import Flat
from tenant import calls, store_window

import audit_analytics as aa
from audit_analytics.catalogue import Catalogue
from audit_analytics.dates.buckets import end_bucket, floor_at, floor_hour, list_buckets
from audit_analytics.dates.weeks import parse_week
from audit_analytics.detect import RuleInput
from audit_analytics.detect.rules.failing import find_failing
from audit_analytics.rollup import rollup
from audit_analytics.store import (
    Rollups,
    Store,
    read_calls,
    read_store,
)
from audit_analytics.store._upkeep import verify_store

ZONES = [
    "UTC",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "America/Santiago",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
]
HOUR = timedelta(hours=1)
SHIPPED = Catalogue.default()
# clocks change on these days in one or another of the zones
CHANGES = ["2026-03-29", "2026-04-04", "2026-04-05", "2026-09-06", "2026-10-03", "2026-10-25"]


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    day=st.sampled_from(CHANGES),
    seconds=st.lists(st.integers(-100_000, 200_000), min_size=1, max_size=30),
    bucket=st.sampled_from(["15min", "1h", "6h", "1D"]),
)
def test_buckets_part_the_time_and_begin_with_a_whole_number_on_the_clocks(
    zone, day, seconds, bucket
):
    at = pd.Series(pd.Timestamp(day, tz="UTC") + pd.to_timedelta(seconds, unit="s"))
    start = floor_at(at, bucket, zone=zone)
    assert (start <= at).all()
    pd.testing.assert_series_equal(floor_at(start, bucket, zone=zone), start)
    ends = pd.Series([end_bucket(one, bucket, zone=zone) for one in start], dtype=start.dtype)
    assert (at < ends).all()
    listed = list_buckets(start.min(), start.max(), bucket, zone=zone)
    assert listed.is_monotonic_increasing
    assert listed.is_unique
    assert start.isin(listed).all()
    width = pd.Timedelta(bucket)
    wall = start.dt.tz_convert(zone).dt.tz_localize(None)
    # the clocks leave the beginning out, and show what comes next
    late = wall[wall != wall.dt.floor(width)]
    assert (late - late.dt.floor(width) <= HOUR).all()
    if bucket == "1h":
        assert [floor_hour(one, zone) for one in at] == start.tolist()
        if zone in {"UTC", "Asia/Shanghai", "Europe/Berlin", "America/Santiago"}:
            pd.testing.assert_series_equal(start, at.dt.floor("h"))


@pytest.mark.parametrize(
    ("at", "start", "end"),
    [
        # at two the clocks are set back to half past one
        ("2026-04-04T15:10Z", "2026-04-04T14:00Z", "2026-04-04T15:30Z"),
        # at two they are set forward to half past two
        ("2026-10-03T15:50Z", "2026-10-03T15:30Z", "2026-10-03T16:00Z"),
    ],
)
def test_an_hour_in_which_clocks_change_by_half_an_hour_is_one(at, start, end):
    zone = "Australia/Lord_Howe"
    assert floor_hour(pd.Timestamp(at), zone) == pd.Timestamp(start)
    assert end_bucket(pd.Timestamp(start), "1h", zone=zone) == pd.Timestamp(end)


@pytest.mark.parametrize("iso", ["2026-W14", "2026-W40", "2026-W46", "2026-W53"])
@pytest.mark.parametrize("zone", ZONES)
def test_the_hours_of_a_week_are_those_of_its_days(zone, iso):
    week = parse_week(iso, zone=zone)
    hours = week.hours
    assert hours[0] == week.start_at
    assert end_bucket(hours[-1], "1h", zone=zone) == week.end_at
    every = pd.Series(pd.date_range(week.start_at, week.end_at, freq="15min", inclusive="left"))
    assert floor_at(every, "1h", zone=zone).drop_duplicates().tolist() == hours.tolist()


def write(store, start, minutes, count):
    end = start + timedelta(minutes=minutes)
    at = [pd.Timestamp(start) + n * (end - start) / count for n in range(count)]
    store_window(store, start, [calls("cli_a", at, object=np.arange(count) % 3)], end=end)


def read(store, zone):
    return read_calls(store, store.scan().manifests, SHIPPED, zone=zone)


def assert_exact(store, zone):
    """The counts that are kept are those of the events, and nothing is left to count."""
    counted, expected = read(store, zone), rollup(read_store(store.folder), zone=zone)
    for name in ("by_api", "by_ip"):
        pd.testing.assert_frame_equal(getattr(counted, name), getattr(expected, name))
    rollups = Rollups(store, SHIPPED, zone=zone)
    assert not any(day.counted for day in rollups.refresh(store.scan().manifests))
    found = verify_store(rollups)
    assert found.problems == []
    assert found.hours_count == len(set(counted.by_api["bucket_at"]))


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.create()
    start = datetime(2026, 4, 4, 12, tzinfo=UTC)
    # through midnight in UTC, and through the hour in which Lord Howe's clocks change
    for minutes, count in [(60, 9)] * 4 + [(30, 5)] * 3 + [(90, 12), (360, 40), (60, 7), (60, 8)]:
        write(store, start, minutes, count)
        start += timedelta(minutes=minutes)
    return store


def test_the_counts_of_a_store_are_cut_by_the_zone_that_asks(store):
    for zone in [*ZONES, "Asia/Kolkata", "UTC"]:
        assert_exact(store, zone)


def test_counts_of_whole_hours_serve_all_zones_that_have_them(store):
    read(store, "UTC")
    files = {path: path.stat().st_ino for path in store.folder.rglob(".rollup/*/*.parquet")}
    assert len(files) == 4
    for zone in ("Asia/Shanghai", "Europe/Berlin", "America/Santiago"):
        assert_exact(store, zone)
    assert {path: path.stat().st_ino for path in files} == files


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Australia/Lord_Howe"])
def test_a_window_counts_the_hours_it_reaches_into_and_no_other(store, zone):
    read(store, zone)
    start = store.scan().manifests[-1].end
    write(store, start, 30, 6)
    rollups = Rollups(store, SHIPPED, zone=zone)
    [new] = [m for m in store.scan().manifests if m.start == start]
    rollups.refresh_window(new)
    assert_exact(store, zone)
    assert rollups.remove_days() == 0


def test_a_day_without_a_midnight_is_a_day():
    # in Chile the clocks go from 24:00 to 01:00
    at = range(1788667200, 1788667200 + 21 * 86400, 300)
    call = {"api_key": "GET/open-apis/im/v1/chats", "log_detail": {"status_code": 404}}
    log = [call | {"id": str(n), "event_time": n, "app_id": "cli_a"} for n in at]
    report = aa.analyze(log, tenant_zone="America/Santiago", rules=[], detector=Flat())
    assert report.data["week"]["iso"] == "2026-W38"
    events = aa.load(log)
    data = RuleInput.from_events(events, week="2026-W36", zone="America/Santiago")
    [hit] = find_failing(data)
    assert hit.start_at == pd.Timestamp("2026-09-06T04:00Z")
    assert hit.end_at == pd.Timestamp("2026-09-07T03:00Z")
    aa.plots.first_seen_timeline(aa.features.first_seen(events)["apis"], zone="America/Santiago")
