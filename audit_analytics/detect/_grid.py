"""The time grid of a run: every hour of history and report week."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.dates.buckets import (
    HOURS_PER_DAY,
    SLOTS_COUNT,
    day_of,
    list_buckets,
    slot_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from numpy.typing import NDArray

    from audit_analytics.dates.weeks import Week

WEIGHT_PER_WEEK: Final = 0.7
"""Weight of an observation falls by this factor for each week between it and the scored week."""

MIN_HISTORY_DAYS: Final = 7
"""Days of history an app needs before it is compared with its own past."""

MISSING_P: Final = 1e-3
"""A silence of the tenant less probable than this is missing data."""

EMPTY_DISPERSION: Final = (0.05, 20.0)


@dataclass(frozen=True)
class Grid:
    """The hours of history and report week, and what is known of each."""

    hours: pd.DatetimeIndex  # starts of the hours, UTC; (n_hours,)
    # slot of each hour, 0 to 47 (see :func:`audit_analytics.dates.buckets.slot_of`); (n_hours,)
    slot: NDArray[np.intp]
    day: NDArray[np.intp]  # local day of each hour, from 0; (n_hours,)
    # week of each hour; 0 is the report week, -1 the week before; (n_hours,)
    week: NDArray[np.intp]
    # hours the log says nothing about: left out of every baseline, never scored; (n_hours,)
    gap: NDArray[np.bool_]
    began: int = 0  # position of the hour in which the log begins; negative if before the grid

    @property
    def ends(self) -> pd.DatetimeIndex:
        """Return when each hour ends: one in which clocks change may be half as long."""
        return self.hours[1:].append(self.hours[-1:] + pd.Timedelta(hours=1))

    def day_span(self, day: int) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Return when a local day begins and ends."""
        first = self.first_hour[day]
        return self.hours[first], self.ends[first + self.day_hours[day] - 1]

    def locate(self, at: pd.Series) -> NDArray[np.intp]:
        """Return the hour each instant falls into, as a position in `hours`.

        Negative before them, by as many hours, and beyond them their number.
        """
        return _locate(self.hours, self.ends[-1], at)

    @property
    def began_day(self) -> int:
        """Return the day on which the log began, negative before the grid."""
        if self.began < 0:
            return self.began // HOURS_PER_DAY
        return int(self.day[min(self.began, len(self.day) - 1)])

    @property
    def weeks(self) -> list[int]:
        """Return the weeks of history, oldest first: negative numbers."""
        return sorted({int(week) for week in self.week if week < 0})

    def days(self, week: int) -> list[int]:
        """Return the local days of a week, rising."""
        return sorted({int(day) for day in self.day[self.week == week]})

    @property
    def first_hour(self) -> NDArray[np.intp]:
        """Return the position of the first hour of each local day."""
        return find_starts(self.day)

    @property
    def day_hours(self) -> NDArray[np.intp]:
        """Return how many hours each local day has: 24, but where the zone changes its clocks."""
        return np.bincount(self.day)

    @property
    def unlogged(self) -> NDArray[np.bool_]:
        """Return the local days the log says nothing about (all gap): they are no days of zeros."""
        return np.logical_and.reduceat(self.gap, self.first_hour)

    @property
    def day_slot(self) -> NDArray[np.intp]:
        """Return the kind of each local day: 0 for a working day, 1 for a day off."""
        return np.asarray(self.slot[self.first_hour] // HOURS_PER_DAY)

    def weights(self, scored: int) -> NDArray[np.float64]:
        """Return the weight of each hour in the baseline of one scored week.

        0.7 to the power of the distance in weeks; 0 for gaps and weeks left out: the scored week
        never trains its own baseline, and neither does the report week train that of a past one.
        """
        weight = WEIGHT_PER_WEEK ** np.abs(self.week - scored).astype(float)
        weight[(self.week == scored) | (self.week == 0) | self.gap] = 0.0
        return weight


def build_grid(
    week: Week,
    *,
    history_weeks: int,
    first_at: pd.Timestamp,
    last_at: pd.Timestamp,
    calls_at: pd.Series,
    holidays: Collection[date] = (),
    working_days: Collection[date] = (),
) -> Grid:
    """Lay out the hours of history and report week and mark the gaps of the log.

    Gaps are the hours before the log and those :func:`_find_missing` finds. The log begins at
    `first_at` and its last event is at `last_at`; weeks before it are left out. `calls_at` are the
    starts of the hours in which something was logged, once for each app and API: how much goes on
    in an hour says how sure a silent one is to be missing.
    """
    start = week.start_at
    for back in range(1, history_weeks + 1):
        earlier = week.shifted(-back)
        if earlier.end_at <= first_at:
            break
        start = earlier.start_at
    hours = list_buckets(start, week.end_at, "1h", zone=week.zone)[:-1]
    day = day_of(hours, zone=week.zone)
    slot = slot_of(hours, zone=week.zone, holidays=holidays, working_days=working_days)
    active = _count_calls(hours, calls_at)
    began = int(_locate(hours, week.end_at, pd.Series([first_at]))[0])
    unborn = np.arange(len(hours)) < began
    missing = _find_missing(active, slot, day, np.asarray(~unborn & (hours <= last_at)))
    return Grid(
        hours=hours,
        slot=slot,
        day=day,
        # by the calendar: a week in which the clocks change has 167 or 169 hours
        week=np.asarray((day - day[hours >= week.start_at][0]) // 7, dtype=np.intp),
        gap=unborn | missing,
        began=began,
    )


def _locate(hours: pd.DatetimeIndex, end: pd.Timestamp, at: pd.Series) -> NDArray[np.intp]:
    place = hours.searchsorted(at, side="right") - 1
    before = (at - hours[0]) // pd.Timedelta(hours=1)
    place = np.where(at < hours[0], before, place)
    return np.where(at >= end, len(hours), place).astype(np.intp)


def find_starts(day: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return where each day begins among hours in their order."""
    return np.flatnonzero(np.r_[True, np.diff(day) > 0])


def find_whole_days(
    calls_at: pd.Series,
    *,
    zone: str,
    holidays: Collection[date] = (),
    working_days: Collection[date] = (),
) -> pd.DatetimeIndex:
    """Find the days a log covers completely.

    Parameters
    ----------
    calls_at : pandas.Series of datetime64[us, UTC]
        As for :func:`build_grid`.
    zone : str
        IANA name of the tenant's zone.
    holidays, working_days : collection of date
        Exceptions from the working week.

    Returns
    -------
    pandas.DatetimeIndex
        Starts of the local days between the log's first and last hour, UTC; those of which an hour
        is missing are left out, as in a grid.
    """
    if calls_at.empty:
        return pd.DatetimeIndex([], tz="UTC")
    hours = list_buckets(calls_at.min(), calls_at.max(), "1h", zone=zone)
    day = day_of(hours, zone=zone)
    slot = slot_of(hours, zone=zone, holidays=holidays, working_days=working_days)
    seen = np.ones(len(hours), dtype=bool)
    gap = _find_missing(_count_calls(hours, calls_at), slot, day, seen)
    starts = find_starts(day)
    first, last = (hours[at].tz_convert(zone) for at in (0, -1))
    whole = ~np.logical_or.reduceat(gap, starts)
    whole[0] &= (first - pd.Timedelta(hours=1)).date() < first.date()
    whole[-1] &= (last + pd.Timedelta(hours=1)).date() > last.date()
    return hours[starts][whole]


def _count_calls(hours: pd.DatetimeIndex, calls_at: pd.Series) -> NDArray[np.float64]:
    """Count how much was logged in each hour."""
    active = np.zeros(len(hours))
    at = hours.get_indexer(pd.DatetimeIndex(calls_at))
    np.add.at(active, at[at >= 0], 1.0)
    return active


def _find_missing(
    active: NDArray[np.float64],
    slot: NDArray[np.intp],
    day: NDArray[np.intp],
    seen: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Find the silent hours that are missing from the log, by the tenant's own rhythm.

    A silence is missing data if it is less probable than one in a thousand. How probable an empty
    hour is says a negative binomial of its slot, an empty day one of its kind of day:
    (1 + phi m)^(-1/phi), mean m by slot, one dispersion phi for all hours (the median over the
    slots) and one for all days, by moments. Hours multiply, but those of one day never to less than
    an empty day: who sleeps in sleeps for hours. So a busy tenant misses a single hour, a small
    one may skip a day, and nobody's night is a gap.

    All are of shape (n_hours,): `active` is how much was logged, in pairs of app and API, `day` the
    local day, `seen` holds between the log's first and last event. Missing are the hours of an
    improbable silence in which a call was more probable than none, and those outside the log.

    >>> active, hour = np.full(72, 20.0), np.arange(72)
    >>> active[30] = 0.0
    >>> _find_missing(active, hour % 24, hour // 24, np.ones(72, dtype=bool)).nonzero()[0].tolist()
    [30]
    """
    if not seen.any():
        return np.ones(len(active), dtype=bool)
    hourly = _weigh_silence(active[seen], slot[seen], SLOTS_COUNT)[slot]
    starts = find_starts(day)
    whole = np.logical_and.reduceat(seen, starts)
    kind = slot[starts] // HOURS_PER_DAY
    totals = np.add.reduceat(active, starts)
    daily = _weigh_silence(totals[whole], kind[whole], 2)[kind]
    silent = active == 0
    run = np.cumsum(np.r_[True, np.diff(silent.astype(int)) != 0]) - 1
    # days number from 0, and each run has its part of each of its days
    part = np.unique(np.stack([run, day]), axis=1, return_inverse=True)
    evidence = np.bincount(part[1].ravel(), hourly * silent)
    # a day that was never seen whole says nothing about empty ones
    limit = daily[part[0][1] - day[0]] if whole.any() else np.inf
    improbable = np.bincount(part[0][0], np.minimum(evidence, limit)) >= -np.log10(MISSING_P)
    # beyond the log a kind of day of which it holds none is unknown
    unknown = ~np.isin(slot // HOURS_PER_DAY, kind[whole])
    known = improbable[run] & ((hourly > np.log10(2.0)) | ~seen)
    return np.asarray(silent & (known | (~seen & unknown)))


def _weigh_silence(
    active: NDArray[np.float64], kind: NDArray[np.intp], kinds: int
) -> NDArray[np.float64]:
    """Return for each kind of bucket -log10 of how probable an empty one is."""
    count = np.maximum(np.bincount(kind, minlength=kinds), 1)
    mean = np.bincount(kind, active, kinds) / count
    variance = np.bincount(kind, active**2, kinds) / count - mean**2
    known = mean > 0
    excess = (variance[known] - mean[known]) / mean[known] ** 2
    phi = np.clip(np.median(excess), *EMPTY_DISPERSION) if known.any() else 1.0
    return np.asarray(np.log10(1.0 + phi * mean) / phi)
