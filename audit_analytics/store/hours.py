"""Hours of stored windows: the unit in which counts are kept and counted again."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from audit_analytics.store.manifest import Manifest

    Hours = dict[datetime, list[Manifest]]

HOUR: Final = timedelta(hours=1)


def sort_into_hours(manifests: Iterable[Manifest]) -> dict[date, Hours]:
    """Sort windows into the days and hours they overlap.

    Parameters
    ----------
    manifests : iterable of Manifest
        The windows, in order of time.

    Returns
    -------
    dict of datetime.date to dict of datetime.datetime to list of Manifest
        The windows of each hour of each day, in order of time.
    """
    hours: Hours = defaultdict(list)
    for window in manifests:
        hour = window.start.replace(minute=0, second=0, microsecond=0)
        while hour < window.end:
            hours[hour].append(window)
            hour += HOUR
    days: dict[date, Hours] = defaultdict(dict)
    for hour in sorted(hours):
        days[hour.date()][hour] = hours[hour]
    return days


def name_hour(hour: datetime) -> str:
    """Name an hour as a file of counts does.

    Parameters
    ----------
    hour : datetime.datetime
        When it begins, UTC.

    Returns
    -------
    str
        Such as ``2026-03-02T09``.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> name_hour(datetime(2026, 3, 2, 9, tzinfo=UTC))
    '2026-03-02T09'
    """
    return f"{hour:%Y-%m-%dT%H}"


def fingerprint_windows(hour: datetime, windows: list[Manifest]) -> str:
    """Return what tells whether an hour has to be counted again.

    Parameters
    ----------
    hour : datetime.datetime
        When it begins, UTC.
    windows : list of Manifest
        The windows that overlap the hour, in order of time.

    Returns
    -------
    str
        16 hexadecimal digits; others when a window is read again, comes or goes, and the same when
        windows are joined, which changes no row.
    """
    text = "\n".join(
        sorted(
            # what was redacted again has other words to count by
            f"{part.start}|{part.end}|{part.read_at}|{part.rows_count}|{sorted(kept.items())}"
            for window in windows
            for kept in [window.redaction]
            for part in window.list_readings()
            if part.start < hour + HOUR and part.end > hour
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]
