from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_analytics.dates.weeks import read_since, read_span
from audit_analytics.errors import ConfigError
from audit_analytics.sync._windows import (
    HOUR,
    REREAD,
    SETTLE,
    SHORTEST,
    Reading,
    Window,
    plan_windows,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OLD = timedelta(days=3)

instants = st.integers(0, 3 * 86400).map(lambda s: NOON - OLD + timedelta(seconds=s))
lengths = st.sampled_from([15, 30, 60, 240, 1440]).map(lambda m: timedelta(minutes=m))


@st.composite
def stores(draw):
    """What syncs may have left: windows that do not overlap, each read at or after its end."""
    marks = sorted(draw(st.sets(instants, max_size=8)))
    readings = []
    for start, end in zip(marks[::2], marks[1::2], strict=False):
        lag = draw(st.integers(0, 7200))
        readings.append(Reading(Window(start, end), end + timedelta(seconds=lag)))
    return readings


def spans(start, *ends):
    points = [NOON + timedelta(minutes=minutes) for minutes in (start, *ends)]
    return [Window(a, b) for a, b in itertools.pairwise(points)]


@given(since=instants, seconds=st.integers(0, 86400), length=lengths)
def test_windows_of_an_empty_store_tile_the_range_along_the_grid(since, seconds, length):
    now = since + timedelta(seconds=seconds)
    windows = plan_windows(since, now, length=length)
    if not windows:
        assert since == now
        return
    assert all(a.end == b.start for a, b in itertools.pairwise(windows))
    assert windows[0].start <= since < windows[0].start + length
    assert windows[-1].end == now
    for window in windows:
        assert (window.start - datetime(1970, 1, 1, tzinfo=UTC)) % length == timedelta()
        assert timedelta() < window.end - window.start <= length


@given(since=instants, readings=stores(), length=lengths, later=st.integers(0, 3 * 86400))
def test_planned_and_kept_windows_cover_the_range_once(since, readings, length, later):
    now = max([since, *(r.read_at for r in readings)]) + timedelta(seconds=later)
    planned = plan_windows(since, now, readings, length=length)
    kept = [r for r in readings if not r.is_due(now)]
    covered = sorted([*planned, *(r.window for r in kept)])
    assert all(a.end <= b.start for a, b in itertools.pairwise(covered)), "overlap"
    waiting = [r.window.end for r in kept if not r.is_settled(now)]

    def may_wait(start, end):
        # Only the rest of an hour that was begun, wherever in it the range begins.
        return any(begun <= start and end - begun <= length for begun in waiting)

    at = since
    for window in covered:
        assert window.start <= at or may_wait(at, window.start)
        at = max(at, window.end)
    assert at >= now or may_wait(at, now)


@given(since=instants, readings=stores(), length=lengths)
def test_what_is_read_again_replaces_what_is_stored(since, readings, length):
    now = max([since, *(r.read_at for r in readings)]) + timedelta(hours=3)
    planned = plan_windows(since, now, readings, length=length)
    for reading in readings:
        overlapping = [
            w for w in planned if w.start < reading.window.end and reading.window.start < w.end
        ]
        if not reading.is_due(now):
            assert not overlapping
        elif reading.window.end > since:
            (window,) = overlapping
            assert window.start == reading.window.start
            assert window.end >= reading.window.end


@given(since=instants, length=lengths, later=st.integers(0, 86400))
def test_a_second_sync_at_the_same_time_has_nothing_to_do(since, length, later):
    now = since + timedelta(seconds=later)
    readings = [Reading(w, now) for w in plan_windows(since, now, length=length)]
    assert plan_windows(since, now, readings, length=length) == []


def test_the_newest_hour_is_read_until_it_is_settled_and_once_more_later():
    """A sync a minute, from 12:00 to 15:00: when is the hour from 12:00 read?"""
    readings: dict[datetime, Reading] = {}
    read_at = []
    for minute in range(181):
        now = NOON + minute * MINUTE
        for window in plan_windows(NOON, now, readings.values()):
            readings[window.start] = Reading(window, now)
            if window.start == NOON:
                read_at.append((minute, (window.end - NOON) // MINUTE))
    assert read_at == [
        (1, 1), (11, 11), (21, 21), (31, 31), (41, 41), (51, 51),  # as it grows
        (61, 60), (71, 60),  # whole, and then settled
        (120, 60),  # once more for what came later than assumed
    ]  # fmt: skip


def test_a_window_is_read_again_only_until_the_last_late_row_may_have_come():
    (hour,) = spans(0, 60)
    later = hour.end + timedelta(days=1)
    assert not Reading(hour, hour.end).is_settled(later)
    assert Reading(hour, hour.end + SETTLE).is_settled(later)
    soon, late = Reading(hour, hour.end + SETTLE), Reading(hour, hour.end + REREAD)
    assert [soon.is_due(hour.end + wait) for wait in (SETTLE, REREAD - MINUTE, REREAD)] == [
        False,
        False,
        True,
    ]
    assert not late.is_due(hour.end + timedelta(days=100))


@given(since=instants, ahead=st.integers(1, 400 * 86400), length=lengths)
def test_a_reading_from_the_future_is_not_believed(since, ahead, length):
    wrong = since + timedelta(seconds=ahead)
    readings = [Reading(w, wrong) for w in plan_windows(since, wrong, length=length)[:400]]
    now = since + timedelta(days=1)
    believed = [r for r in readings if r.is_settled(now)]
    planned = plan_windows(since, now, readings, length=length)
    if wrong > now:
        assert believed == []
        assert planned[0].start <= since
        assert all(a.end == b.start for a, b in itertools.pairwise(planned))
        assert planned[-1].end >= now


def test_what_is_kept_is_not_read_again_whatever_its_age():
    (hour,) = spans(0, 60)
    kept = Reading(hour, hour.end, is_kept=True)
    assert not kept.is_due(hour.end + timedelta(days=1))
    assert plan_windows(NOON, hour.end, [kept]) == []


def test_halves_stay_halves_when_they_are_read_again():
    halves = spans(0, 30, 60)
    now = NOON + 121 * MINUTE
    readings = [Reading(half, NOON + 75 * MINUTE) for half in halves]
    assert plan_windows(NOON, now, readings)[:2] == halves


def test_a_change_of_the_length_neither_fetches_twice_nor_leaves_a_gap():
    hours = spans(-180, -120, -60, 0)
    readings = [Reading(hour, hour.end + REREAD) for hour in hours]
    planned = plan_windows(NOON - OLD, NOON + HOUR, readings, length=timedelta(days=1))
    assert planned[-1].end == NOON + HOUR
    assert all(w.end <= hours[0].start or w.start >= hours[-1].end for w in planned)


@given(seconds=st.integers(1, 86400))
def test_halving_ends_and_loses_nothing(seconds):
    window = Window(NOON, NOON + timedelta(seconds=seconds))
    halves = window.halve()
    if halves is None:
        assert seconds < 120
        return
    first, second = halves
    assert (first.start, first.end, second.end) == (window.start, second.start, window.end)
    assert all(part.end - part.start >= SHORTEST - timedelta(seconds=1) for part in halves)
    assert all(part.start.microsecond == 0 for part in halves)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("28d", NOON - timedelta(days=28)),
        ("12h", NOON - 12 * HOUR),
        ("2w", NOON - timedelta(weeks=2)),
        ("90m", NOON - 90 * MINUTE),
        ("2026-03-01T08:00:00Z", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 2, 28, 16, tzinfo=UTC)),
    ],
)
def test_a_beginning_is_a_span_or_a_date_in_the_tenants_zone(text, at):
    assert read_since(text, NOON, zone="Asia/Shanghai") == at


@pytest.mark.parametrize(
    "text", ["", "28", "0d", "-1d", "1y", "yesterday", "9999999w", "2026-13-01"]
)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match="28d"):
        read_since(text, NOON)


@pytest.mark.parametrize("text", ["", "5", "10y", "1 d d", "99999d"])
def test_a_span_has_a_unit_and_an_end(text):
    with pytest.raises(ConfigError, match="28d"):
        read_span(text)
