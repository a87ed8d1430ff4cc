"""The hours a made-up log covers, and what an hour means to the people who work then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

HOUR, DAY, WEEK = 3600, 86400, 604800
UTC_OFFSET = 8 * HOUR
"""The tenants work in China, which knows no summer time."""
ENDS = (date(2026, 11, 15), date(2026, 10, 25), date(2026, 6, 28), date(2026, 5, 31))
"""Last days of logs, all Sundays: five weeks before them lie ordinary work, National Day, the Dragon
Boat Festival, and Labour Day with a month's end in the last week and one before."""
HOLIDAYS = frozenset(
    [date(2026, 5, day) for day in (1, 4, 5)]
    + [date(2026, 6, 19), date(2026, 9, 25)]
    + [date(2026, 10, day) for day in (1, 2, 5, 6, 7)]
)
WORKING_DAYS = frozenset([date(2026, 5, 9), date(2026, 9, 20), date(2026, 10, 10)])
"""Weekend days worked to make up for holidays."""


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """``start`` and ``end`` in epoch seconds; the arrays have one value an hour of the log.

    ``quiet`` is how much of a working day's life people bring to the hour: 1 on working days, 0 on
    days off, 0.4 on the day of an outing that nobody told the settings about.
    """

    start: int
    end: int
    starts: np.ndarray
    hour: np.ndarray
    weekday: np.ndarray
    off: np.ndarray
    quiet: np.ndarray
    month_end: np.ndarray

    @property
    def week(self) -> int:
        """Return when the last seven days start."""
        return self.end - WEEK

    @property
    def weeks(self) -> float:
        return (self.end - self.start) / WEEK

    def index(self, time: np.ndarray) -> np.ndarray:
        """Return the hour of the log each time falls into."""
        hour = (np.asarray(time, dtype=float) - self.start) // HOUR
        return np.clip(hour, 0, len(self.starts) - 1).astype(np.int64)


def make_calendar(seed: int, days: int, rng: np.random.Generator) -> Calendar:
    last = ENDS[seed % len(ENDS)]
    midnight = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    end = int(midnight.timestamp()) - UTC_OFFSET
    start = end - days * DAY
    starts = np.arange(start, end, HOUR)
    dates = [last - timedelta(days=days - 1 - day) for day in range(days)]
    off = np.array([_is_off(day) for day in dates])
    quiet = np.where(off, 0.0, 1.0)
    worked = np.flatnonzero(~off[: max(0, days - 7)])
    if len(worked) > 5:
        quiet[rng.choice(worked)] = 0.4
    month_end = np.array([_ends_month(day) for day in dates])
    each = np.repeat(np.arange(days), 24)
    return Calendar(
        start=start,
        end=end,
        starts=starts,
        hour=np.tile(np.arange(24), days),
        weekday=np.array([day.weekday() for day in dates])[each],
        off=off[each],
        quiet=quiet[each],
        month_end=month_end[each],
    )


def _is_off(day: date) -> bool:
    return day not in WORKING_DAYS and (day.weekday() >= 5 or day in HOLIDAYS)


def _ends_month(day: date) -> bool:
    """Tell whether no working day follows in the month."""
    following = day + timedelta(days=1)
    while following.month == day.month:
        if not _is_off(following):
            return False
        following += timedelta(days=1)
    return not _is_off(day)
