"""Hours of stored windows: the unit in which counts are kept and counted again."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import defaultdict
from contextlib import suppress
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from audit_analytics.dates.buckets import end_bucket, floor_hour, list_buckets

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from audit_analytics.store._manifest import Manifest


class Hour(NamedTuple):
    """An hour on the tenant's clocks."""

    start: datetime  # UTC
    end: datetime

    @property
    def name(self) -> str:
        """Name the hour as a file of counts does: by what it spans, whatever the zone is called.

        Examples
        --------
        >>> from datetime import UTC, datetime
        >>> nine = datetime(2026, 3, 2, 9, tzinfo=UTC)
        >>> Hour(nine, nine.replace(hour=10)).name, Hour(nine, nine.replace(minute=30)).name
        ('2026-03-02T09', '2026-03-02T09:00/09:30')
        """
        whole = self.start.minute == 0 and (self.end - self.start).total_seconds() == 3600
        return (
            f"{self.start:%Y-%m-%dT%H}"
            if whole
            else f"{self.start:%Y-%m-%dT%H:%M}/{self.end:%H:%M}"
        )


Hours = dict[Hour, "list[Manifest]"]


def sort_into_hours(manifests: Iterable[Manifest], zone: str) -> dict[date, Hours]:
    """Sort windows into the days and hours they overlap; hours are cut on the clocks of `zone`.

    A day is one of UTC, and has the hours that begin on it.
    """
    windows = list(manifests)
    if not windows:
        return {}
    first = floor_hour(pd.Timestamp(min(window.start for window in windows)), zone)
    last = floor_hour(pd.Timestamp(max(window.end for window in windows)), zone)
    edges = list(
        list_buckets(first, end_bucket(last, "1h", zone=zone), "1h", zone=zone).to_pydatetime()
    )
    every = [Hour(*ends) for ends in pairwise(edges)]
    hours: Hours = defaultdict(list)
    for window in windows:
        touched = slice(bisect_right(edges, window.start) - 1, bisect_left(edges, window.end))
        for hour in every[touched]:
            hours[hour].append(window)
    days: dict[date, Hours] = defaultdict(dict)
    for hour in sorted(hours):
        days[hour.start.date()][hour] = hours[hour]
    return days


def fingerprint_windows(hour: Hour, windows: list[Manifest]) -> str:
    """Return what tells whether an hour has to be counted again.

    Another one when a window is read again, comes or goes, and the same when windows are joined,
    which changes no row.
    """
    text = "\n".join(
        sorted(
            # what was redacted again has other words to count by
            f"{part.start}|{part.end}|{part.read_at}|{part.rows_count}|{sorted(kept.items())}"
            for window in windows
            for kept in [window.redaction]
            for part in window.list_readings()
            if part.start < hour.end and part.end > hour.start
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_day(stem: str) -> date | None:
    """Read of which day a file of counts is; None for a file of another origin.

    Examples
    --------
    >>> parse_day("day=2026-03-02"), parse_day("notes")
    (datetime.date(2026, 3, 2), None)
    """
    with suppress(ValueError):
        return date.fromisoformat(stem.removeprefix("day="))
    return None
