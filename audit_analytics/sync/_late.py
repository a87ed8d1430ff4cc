"""Rows that came later than any settled window waits for: found once a day by counting.

A window is read for the last time an hour after its end. What shows later is found here: once a day
the rows of the last three days are counted again, in spans of a day instead of windows, which takes
fewest pages, and a window with more rows than are stored is read again.
"""

from __future__ import annotations

import json
import logging
import math
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from audit_analytics.errors import RemoteError
from audit_analytics.feishu import PAGE_SIZE_MAX
from audit_analytics.files import write_private
from audit_analytics.store import Manifest, Store, explains_failure
from audit_analytics.sync._windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import pandas as pd


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


def _note_count(folder: Path, now: datetime) -> None:
    """Remember that rows were counted."""
    with explains_failure(folder):
        write_private(folder / STATE_FILE, json.dumps({"counted_at": now.isoformat()}).encode())


def _choose_spans(
    manifests: Iterable[Manifest], now: datetime, *, settled_after: timedelta
) -> tuple[list[list[Manifest]], int]:
    """Choose which windows are counted again; return them, and how many would cost too much.

    They come in spans of windows that follow one another within a day of UTC, the newest first,
    which together cost at most :data:`REQUESTS_MAX` requests.
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

    ``read(window)`` gives the events of a span, batch by batch; `windows` are read anyway. A window
    is read for the last time `settled_after` its end. After an error that is `hopeless` no span is
    asked for.
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
    _note_count(store.folder, now)
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
