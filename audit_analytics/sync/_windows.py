"""Windows: the spans of time in which the log is fetched, which are due, and what came late.

A window is the unit of work, of retry and of storage. Windows lie on a grid in UTC, so that two
syncs cut the same time the same way; what is stored already is the only memory between syncs.

A window is read for the last time an hour after its end. What shows later is found here: once a day
the rows of the last three days are counted again, in spans of a day instead of windows, which takes
fewest pages, and a window with more rows than are stored is read again.
"""

from __future__ import annotations

import json
import logging
import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from audit_analytics.errors import RemoteError
from audit_analytics.feishu import PAGE_SIZE_MAX
from audit_analytics.files import write_private
from audit_analytics.store import Manifest, Store, explains_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

HOUR: Final = timedelta(hours=1)
SETTLE: Final = timedelta(minutes=10)
"""How long a row is assumed to take until it shows in the log."""

REREAD: Final = timedelta(minutes=60)
"""How long after its end a window is read once more, for rows later than assumed."""

SHORTEST: Final = timedelta(minutes=1)
"""Windows are not halved below this."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, order=True)
class Window:
    """A span of time, without its end.

    >>> str(Window(datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC)))
    '2026-03-02T09:00:00Z/2026-03-02T10:00:00Z'
    """

    start: datetime  # the span ``[start, end)`` in UTC, whole seconds
    end: datetime

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%dT%H:%M:%SZ}/{self.end:%Y-%m-%dT%H:%M:%SZ}"

    def halve(self) -> tuple[Window, Window] | None:
        """Cut the window in half; None if the halves would be shorter than :data:`SHORTEST`."""
        half = (self.end - self.start) / 2
        if half < SHORTEST:
            return None
        middle = self.start + half - timedelta(microseconds=half.microseconds)
        return Window(self.start, middle), Window(middle, self.end)


@dataclass(frozen=True)
class Reading:
    """A window as it was read."""

    window: Window
    read_at: datetime  # when the reading began, in UTC
    # whether it stays whatever its age: what is read without a filter is not replaced by less
    is_kept: bool = False

    def is_settled(self, now: datetime, settle: timedelta = SETTLE) -> bool:
        """Tell whether every row was in the log when the window was read, `settle` after its end.

        A reading from the future was noted by a wrong clock, and nobody knows when it was.
        """
        return self.is_kept or self.window.end + settle <= self.read_at <= now

    def is_due(
        self, now: datetime, *, settle: timedelta = SETTLE, reread: timedelta = REREAD
    ) -> bool:
        """Tell whether the window has to be read again."""
        if self.is_kept:
            return False
        if self.read_at > now:
            return True
        if not self.is_settled(now, settle):
            # Any sooner, a sync every minute would spend the quota on one and the same hour.
            return now >= self.read_at + settle
        return self.read_at < self.window.end + reread <= now


def plan_windows(
    since: datetime,
    now: datetime,
    readings: Iterable[Reading] = (),
    *,
    until: datetime | None = None,
    length: timedelta = HOUR,
    settle: timedelta = SETTLE,
    reread: timedelta = REREAD,
) -> list[Window]:
    """List the windows a sync has to read, in order of time, from `since` (moved back to the grid).

    A window read sooner than `settle` after its end is read again, at most once every so long; one
    read sooner than `reread` is read once more when that has passed. They do not overlap, and with the
    readings that are not due they leave no gap but the rest of an hour that was begun. One that is due
    begins where it began and is as long at least, so that it replaces what is stored.

    >>> at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    >>> [str(window) for window in plan_windows(at - HOUR, at)]
    ['2026-03-02T08:00:00Z/2026-03-02T09:00:00Z', '2026-03-02T09:00:00Z/2026-03-02T09:30:00Z']
    """
    end = floor_to(min(until or now, now), _SECOND)
    begin = floor_to(since, length)
    planned: list[Window] = []
    at, reached = begin, _EPOCH
    ordered = sorted(readings, key=lambda reading: reading.window)
    for position, reading in enumerate(ordered):
        window = reading.window
        if window.end <= begin or window.start >= end:
            continue
        planned += _cut(at, window.start, length)
        following = ordered[position + 1].window.start if position + 1 < len(ordered) else end
        cell_end = floor_to(window.end - _SECOND, length) + length
        longer = Window(max(window.start, reached), max(window.end, min(cell_end, following, end)))
        is_due = reading.is_due(now, settle=settle, reread=reread)
        if is_due and longer.start < longer.end:
            planned.append(longer)
        if is_due or not reading.is_settled(now, settle):
            window = longer
        at, reached = max(at, window.end), max(reached, window.end)
    return [*planned, *_cut(at, end, length)]


def is_covered(window: Window, parts: Iterable[Window]) -> bool:
    """Tell whether parts, in any order, leave nothing of a window out.

    >>> hour = Window(datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC))
    >>> first, second = hour.halve()
    >>> is_covered(hour, [second, first]), is_covered(hour, [second])
    (True, False)
    """
    at = window.start
    for part in sorted(parts):
        if part.start <= at:
            at = max(at, part.end)
    return at >= window.end


def floor_to(at: datetime, length: timedelta) -> datetime:
    """Move a time back to the grid of windows of some length.

    >>> str(floor_to(datetime(2026, 3, 2, 9, 30, tzinfo=UTC), HOUR))
    '2026-03-02 09:00:00+00:00'
    """
    return at - (at - _EPOCH) % length


def _cut(start: datetime, end: datetime, length: timedelta) -> Iterator[Window]:
    while start < end:
        stop = min(floor_to(start, length) + length, end)
        yield Window(start, stop)
        start = stop


def say_other_windows(stored: Sequence[Manifest], now: dict[str, int]) -> str:
    """Say that a store was read in other windows until now, and what becomes of the older ones.

    Empty once there is a newer window with these settings, so that it is said once.
    """
    newest = max(stored, key=lambda m: (m.serial, m.read_at), default=None)
    then = newest.windows if newest else {}
    changed = [
        f"{name} (was {then[name]}, is {now[name]})"
        for name in now
        if then.get(name, now[name]) != now[name]
    ]
    if not changed:
        return ""
    said = (
        f"the windows of this store changed: {', '.join(changed)}. Those stored keep their length"
    )
    settle = timedelta(minutes=now["settle_minutes"])
    early = sum(m.read_at < m.end + settle for m in stored)
    return said + (
        f"; {early} that were read sooner than {now['settle_minutes']} minutes after their end are "
        "read again as far as this sync goes back"
        if early
        else ""
    )


EVERY: Final = timedelta(days=1)
"""How often rows are counted again."""

SPAN: Final = timedelta(days=3)
"""How old a window is when its rows are counted for the last time."""

RECENT: Final = timedelta(hours=12)
"""A window read this short a while ago is not counted yet."""

REQUESTS_MAX: Final = 1000
"""Requests a day for counting: ten minutes of the quota."""

STATE_FILE: Final = ".counted"

_log = logging.getLogger(__name__)


def _is_count_due(folder: Path, now: datetime) -> bool:
    """Tell whether a day has passed since rows were counted, or nobody knows when it was."""
    try:
        state = json.loads((folder / STATE_FILE).read_text(encoding="ascii"))
        counted_at = datetime.fromisoformat(state["counted_at"])
        return not timedelta(0) <= now - counted_at < EVERY
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _choose_spans(
    manifests: Iterable[Manifest], now: datetime, *, settled_after: timedelta
) -> tuple[list[list[Manifest]], int]:
    """Choose which windows are counted again; return them, and how many would cost too much.

    They come in spans of windows that follow one another within a day of UTC, the newest first.
    """
    spans: list[list[Manifest]] = []
    for manifest in manifests:
        is_old = manifest.end + settled_after <= now and manifest.read_at + RECENT <= now
        if not is_old or manifest.end <= now - SPAN:
            continue
        before = spans[-1][-1] if spans else None
        if before and before.end == manifest.start and before.start.date() == manifest.start.date():
            spans[-1].append(manifest)
        else:
            spans.append([manifest])
    chosen: list[list[Manifest]] = []
    left = REQUESTS_MAX
    for span in reversed(spans):
        left -= math.ceil(sum(m.rows_count for m in span) / PAGE_SIZE_MAX) + 1
        if left < 0:
            break
        chosen.append(span)
    return chosen, sum(map(len, spans)) - sum(map(len, chosen))


def look_for_late(
    store: Store,
    windows: Sequence[Window],
    read: Callable[[Window], Iterable[pd.DataFrame]],
    *,
    scope: str,
    since: datetime,
    now: datetime,
    settled_after: timedelta,
    hopeless: tuple[type[RemoteError], ...],
) -> dict[Window, int]:
    """Count the rows of recent windows again, once a day: how many came late into each.

    ``read(window)`` gives the events of a span in batches; `windows` are read anyway, and any for the
    last time `settled_after` its end. After an error that is `hopeless` no span is asked for.
    """
    if not _is_count_due(store.folder, now):
        return {}
    others = [
        m
        for m in store.scan(since).manifests
        if m.scope == scope
        and m.start >= since
        and not any(w.start < m.end and m.start < w.end for w in windows)
    ]
    spans, left_out = _choose_spans(others, now, settled_after=settled_after)
    if left_out:
        _log.info("late rows are not looked for in %d windows: too many pages", left_out)
    late = _find_late(spans, read, hopeless=hopeless)
    with explains_failure(store.folder):
        state = json.dumps({"counted_at": now.isoformat()})
        write_private(store.folder / STATE_FILE, state.encode())
    return late


def _find_late(
    spans: Iterable[Sequence[Manifest]],
    read: Callable[[Window], Iterable[pd.DataFrame]],
    *,
    hopeless: tuple[type[RemoteError], ...],
) -> dict[Window, int]:
    """Find the windows into which rows came after they were read, and how many."""
    late: dict[Window, int] = {}
    for span in spans:
        try:
            late |= _compare_counts(span, read(Window(span[0].start, span[-1].end)))
        except RemoteError as error:
            _log.warning("late rows are not looked for: %s", error)
            if isinstance(error, hopeless):
                break
    for window, number in late.items():
        _log.warning("window %s: %d rows came late; read again", window, number)
    return late


def _compare_counts(span: Sequence[Manifest], batches: Iterable[pd.DataFrame]) -> dict[Window, int]:
    """Find the windows of a span that have more rows now than are stored, and how many more."""
    found: defaultdict[datetime, set[str]] = defaultdict(set)
    for events in batches:
        # events are in order of time, windows follow one another: each takes a slice
        ordered = events.sort_values("at", kind="stable")
        edges = ordered["at"].searchsorted([m.start for m in span] + [span[-1].end])
        for manifest, (low, high) in zip(span, pairwise(edges), strict=True):
            found[manifest.start].update(ordered["id"].iloc[low:high])
    return {
        Window(m.start, m.end): len(found[m.start]) - m.rows_count
        for m in span
        if len(found[m.start]) > m.rows_count
    }
