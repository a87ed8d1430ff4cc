"""No row that was stored is lost, whatever is read, joined, broken off or set back meanwhile."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenant import calls, make_events

from audit_analytics.catalogue import Catalogue
from audit_analytics.store import (
    ALL,
    Manifest,
    Store,
    WindowWriter,
    read_calls,
    read_store,
)
from audit_analytics.store._folder import list_files
from audit_analytics.store._manifest import find_needless
from audit_analytics.store._redaction import Redaction
from audit_analytics.store._upkeep import compact_store
from audit_analytics.sync._windows import Reading, Window, plan_windows

DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
LATER = DAY + timedelta(days=9)
SENSITIVE = "sensitive-1"
KEY = Redaction("key")
HOURS = 6


class Source:
    """A log that only grows: row `n` is of quarter `n`, and shows `late[n]` ticks after the start."""

    def __init__(self, late, sensitive):
        at = [pd.Timestamp(DAY + n * QUARTER) for n in range(HOURS * 4)]
        self.events = make_events(calls("cli_a", at, object=list(range(len(at)))))
        self.events["id"] = pd.Series([f"row-{n:02d}" for n in range(len(at))], dtype="str")
        self.late, self.sensitive = late, sensitive

    def read(self, start, end, scope, tick):
        at = self.events["at"]
        shown = pd.Series([late <= tick for late in self.late])
        inside = (at >= pd.Timestamp(start)) & (at < pd.Timestamp(end)) & shown
        if scope != ALL:
            inside &= pd.Series(self.sensitive)
        return self.events[inside]


def store_window(store, source, start, end, scope=ALL, *, tick=0, read_at=LATER):
    store.create()
    draft = Manifest(start=start, end=end, read_at=read_at, scope=scope)
    with WindowWriter(store, draft, KEY) as writer:
        events = source.read(start, end, scope, tick)
        if len(events):
            writer.add(events)
        writer.commit()
    return set(events["id"])


def kill(store, action):
    """Let an action move its window into place, and die before it removes the old ones."""
    before = {path: path.read_bytes() for path in store.folder.glob("day=*/*")}
    said = action()
    for path, content in before.items():
        if not path.exists():
            path.write_bytes(content)
    return said


place = st.integers(0, HOURS * 4 - 1)
action = st.one_of(
    st.tuples(st.just("read"), place, st.integers(1, 12), st.sampled_from([ALL, SENSITIVE])),
    st.tuples(st.just("halve"), place, st.integers(2, 12), st.sampled_from([ALL, SENSITIVE])),
    st.tuples(st.just("sync"), st.sampled_from([30, 60, 120]), st.integers(0, 99), st.booleans()),
    st.tuples(st.just("compact"), st.just(0), st.just(0), st.just(ALL)),
    st.tuples(st.just("repair"), st.just(0), st.just(0), st.just(ALL)),
)
steps = st.lists(
    st.tuples(action, st.booleans(), st.integers(-30, 30)),  # killed or not; the clock, in hours
    min_size=2,
    max_size=8,
)


def act(store, source, step, tick, read_at):
    """Do one thing; return the ids it stored."""
    (kind, first, length, scope), _, _ = step
    if kind in {"read", "halve"}:
        start = DAY + first * QUARTER
        end = min(start + length * QUARTER, DAY + HOURS * HOUR)
        window = Window(start, end)
        parts = [window] if kind == "read" else (window.halve() or [window])[::-1]
        about = {"tick": tick, "read_at": read_at}
        return set().union(
            *(store_window(store, source, w.start, w.end, scope, **about) for w in parts)
        )
    if kind == "sync":
        minutes, fails, wanted = first, length, ALL if scope else SENSITIVE
        never = datetime.max.replace(tzinfo=UTC)
        readings = [
            Reading(Window(m.start, m.end), m.read_at if m.scope == wanted else never)
            for m in store.scan().manifests
            if m.covers(wanted)
        ]
        due = plan_windows(
            DAY, read_at, readings, until=DAY + HOURS * HOUR, length=timedelta(minutes=minutes)
        )
        got = [
            store_window(store, source, w.start, w.end, wanted, tick=tick, read_at=read_at)
            for n, w in enumerate(due[::-1])
            if (n + fails) % 3  # every third window fails
        ]
        return set().union(*got)
    if kind == "compact":
        compact_store(store, LATER + timedelta(days=9))
    else:
        store.repair()
    return set()


@settings(max_examples=30, deadline=None)
@given(
    steps=steps,
    late=st.lists(st.integers(0, 6), min_size=HOURS * 4, max_size=HOURS * 4),
    sensitive=st.lists(st.booleans(), min_size=HOURS * 4, max_size=HOURS * 4),
    span=st.tuples(place, place),
)
def test_no_stored_row_is_ever_lost(steps, late, sensitive, span):
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        store.create()
        source, kept = Source(late, sensitive), set()
        for tick, step in enumerate(steps):
            read_at = LATER + step[2] * HOUR
            if step[1]:
                kept |= kill(store, lambda: act(store, source, step, tick, read_at))  # noqa: B023
            else:
                kept |= act(store, source, step, tick, read_at)
            if list_files(store.folder):
                assert kept <= set(read_store(store.folder)["id"])
        if not list_files(store.folder):
            return
        store.repair()
        windows = store.scan().manifests
        assert find_needless(windows) == []
        found = read_store(store.folder)["id"].tolist()
        assert kept <= set(found)
        assert len(found) == len(set(found))
        counts = read_calls(store, windows, Catalogue.default())
        assert counts.by_api["calls_count"].sum() == len(found)
        # a span shows the windows that reach into it, and those alone
        start, end = (DAY + n * QUARTER for n in sorted(span))
        reaching = [w for w in windows if w.start < end and w.end > start]
        assert store.scan(start, end).manifests == reaching
        # a reading of everything stands for everything
        store_window(store, source, DAY, DAY + HOURS * HOUR, tick=99)
        assert len(list_files(store.folder)) == 1


def full(hours=HOURS):
    return Source([0] * hours * 4, [n % 4 == 0 for n in range(hours * 4)])


def test_what_a_filter_read_and_joined_takes_no_full_window_away(tmp_path):
    """sync --sensitive-only, store compact, a full sync that stops half way, the next sync."""
    store, source = Store(tmp_path / "store"), full()
    for n in range(HOURS):
        store_window(store, source, DAY + n * HOUR, DAY + (n + 1) * HOUR, SENSITIVE)
    compact_store(store, LATER + timedelta(days=9))
    got = set()
    for n in (5, 4, 3):
        got |= store_window(store, source, DAY + n * HOUR, DAY + (n + 1) * HOUR)
    store.repair()
    stored = {(m.start.hour, m.scope) for m in store.scan().manifests}
    assert stored == {(0, SENSITIVE), (3, ALL), (4, ALL), (5, ALL)}
    assert got <= set(read_store(store.folder)["id"])
    # the first hour has the name of the joined file, which still holds two hours of its own
    store_window(store, source, DAY, DAY + HOUR)
    hours = read_store(store.folder)["at"].dt.hour
    assert hours.value_counts().sort_index().tolist() == [4, 1, 1, 4, 4, 4]


def test_a_span_shows_the_long_window_around_a_short_one(tmp_path):
    store, source = Store(tmp_path / "store"), full()
    store_window(store, source, DAY, DAY + 6 * HOUR)
    store_window(store, source, DAY + HOUR, DAY + 2 * HOUR)
    stored = store.scan(DAY + 3 * HOUR, DAY + 4 * HOUR).manifests
    assert [m.end for m in stored] == [DAY + 6 * HOUR]
    assert len(read_store(store.folder, DAY + 3 * HOUR, DAY + 4 * HOUR)) == 4


def test_a_window_that_reaches_beyond_a_new_one_stays(tmp_path):
    store, source = Store(tmp_path / "store"), full()
    store_window(store, source, DAY + HOUR, DAY + 4 * HOUR)
    store_window(store, source, DAY, DAY + 2 * HOUR)
    assert len(read_store(store.folder)) == 16


@pytest.mark.parametrize("hours", [-30, 30])
def test_what_stands_for_what_does_not_depend_on_the_clock(tmp_path, hours):
    store, source = Store(tmp_path / "store"), full()
    source.late = [0, 1, 0, 0] * HOURS
    store_window(store, source, DAY, DAY + HOUR, tick=0, read_at=LATER)
    store_window(store, source, DAY, DAY + HOUR, tick=1, read_at=LATER + hours * HOUR)
    store.repair()
    assert len(list_files(store.folder)) == 1
    assert len(read_store(store.folder)) == 4
