"""Which windows are needless: the one place that says when readings stand for another window.

A reading is a span, a scope and a place in the order of readings. The log only grows, so a reading
holds every row an earlier reading of the same span held, and one without a filter those of one with
a filter. A window is needless if later readings reach over all of its span, and never else: not for
a longer one that was filtered, nor for an older one, nor for one that ends sooner.

The order is that in which windows were stored, not that of the clock, which may be set back.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from audit_analytics.store._manifest import Manifest


@dataclass(frozen=True)
class _Reading:
    window: Manifest
    start: datetime
    end: datetime
    rank: tuple[int, datetime, timedelta, str]

    def is_after(self, other: _Reading) -> bool:
        return self.rank > other.rank and self.window.covers(other.window.scope)


def find_needless(windows: Iterable[Manifest]) -> list[Manifest]:
    """List the windows whose rows are all in later ones, to be removed all of them at once.

    What stands for one of them is kept, or is stood for itself.
    """
    ordered = sorted(windows, key=lambda w: w.start)
    needless = []
    for group in _group(ordered):
        if len(group) > 1:
            readings = list(chain.from_iterable(map(_list_readings, group)))
            needless += [w for w in group if _is_needless(w, readings)]
    return needless


def _group(windows: Sequence[Manifest]) -> Iterable[list[Manifest]]:
    """Cut windows in order of time where none reaches over the cut."""
    group: list[Manifest] = []
    reached: datetime | None = None
    for window in windows:
        if reached and window.start >= reached:
            yield group
            group, reached = [], None
        group.append(window)
        reached = max(reached or window.end, window.end)
    if group:
        yield group


def _list_readings(window: Manifest) -> list[_Reading]:
    # the longer window comes later: what was joined stands for what it was joined from
    last = (window.end - window.start, window.file)
    return [
        _Reading(window, part.start, part.end, (part.serial, part.read_at, *last))
        for part in window.list_readings()
    ]


def _is_needless(window: Manifest, readings: list[_Reading]) -> bool:
    return all(
        _reach(own, [r for r in readings if r.window is not window and r.is_after(own)])
        for own in readings
        if own.window is window
    )


def _reach(own: _Reading, later: list[_Reading]) -> bool:
    """Tell whether readings leave nothing of another one's span uncovered."""
    at = own.start
    for reading in sorted(later, key=lambda r: r.start):
        if reading.start > at:
            break
        at = max(at, reading.end)
    return at >= own.end
