"""The time grid of a run: every hour of history and report week."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.dates.buckets import HOURS_PER_DAY, SLOTS_COUNT, day_of, slot_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from numpy.typing import NDArray

    from audit_analytics.dates.weeks import Week

WEIGHT_PER_WEEK: Final = 0.7
"""Weight of an observation falls by this factor for each week between it and the scored week."""

MIN_HISTORY_DAYS: Final = 7
"""Days of history an app needs before it is compared with its own past."""


@dataclass(frozen=True)
class Grid:
    """The hours of history and report week, and what is known of each.

    Parameters
    ----------
    hours : pandas.DatetimeIndex of shape (n_hours,)
        Starts of the hours, UTC.
    slot : numpy.ndarray of shape (n_hours,)
        Slot of each hour, 0 to 47 (see :func:`audit_analytics.dates.buckets.slot_of`).
    day : numpy.ndarray of shape (n_hours,)
        Local day of each hour, from 0.
    week : numpy.ndarray of shape (n_hours,)
        Week of each hour; 0 is the report week, -1 the week before.
    gap : numpy.ndarray of bool of shape (n_hours,)
        Hours the log says nothing about: left out of every baseline, never scored.
    began : int
        Position of the hour in which the log begins; negative if before the grid.
    """

    hours: pd.DatetimeIndex
    slot: NDArray[np.intp]
    day: NDArray[np.intp]
    week: NDArray[np.intp]
    gap: NDArray[np.bool_]
    began: int = 0

    @property
    def weeks(self) -> list[int]:
        """Return the weeks of history, oldest first.

        Returns
        -------
        list of int
            Negative numbers.
        """
        return sorted({int(week) for week in self.week if week < 0})

    def days(self, week: int) -> list[int]:
        """Return the local days of a week.

        Parameters
        ----------
        week : int
            Week number, 0 for the report week.

        Returns
        -------
        list of int
            Day numbers, rising.
        """
        return sorted({int(day) for day in self.day[self.week == week]})

    @property
    def first_hour(self) -> NDArray[np.intp]:
        """Return the position of the first hour of each local day.

        Returns
        -------
        numpy.ndarray of shape (n_days,)
            Positions in `hours`.
        """
        return np.flatnonzero(np.r_[True, np.diff(self.day) > 0])

    @property
    def day_hours(self) -> NDArray[np.intp]:
        """Return how many hours each local day has.

        Returns
        -------
        numpy.ndarray of shape (n_days,)
            24, but where the zone changes its clocks.
        """
        return np.bincount(self.day)

    @property
    def unlogged(self) -> NDArray[np.bool_]:
        """Return the local days the log says nothing about: they are no days of zeros.

        Returns
        -------
        numpy.ndarray of bool of shape (n_days,)
            Days that are all gap.
        """
        return np.logical_and.reduceat(self.gap, self.first_hour)

    @property
    def day_slot(self) -> NDArray[np.intp]:
        """Return the kind of each local day.

        Returns
        -------
        numpy.ndarray of shape (n_days,)
            0 for a working day, 1 for a day off.
        """
        return np.asarray(self.slot[self.first_hour] // HOURS_PER_DAY)

    def weights(self, scored: int) -> NDArray[np.float64]:
        """Return the weight of each hour in the baseline of one scored week.

        Parameters
        ----------
        scored : int
            The week to be scored; it never trains its own baseline, and neither does the
            report week train that of a past one.

        Returns
        -------
        numpy.ndarray of shape (n_hours,)
            0.7 to the power of the distance in weeks; 0 for gaps and weeks left out.
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

    Parameters
    ----------
    week : Week
        The report week.
    history_weeks : int
        Weeks of history before it; weeks before `first_at` are left out.
    first_at, last_at : pandas.Timestamp
        Begin of the log and its last event, UTC; the hours outside are gaps.
    calls_at : pandas.Series of datetime64[us, UTC]
        Starts of the hours in which anything at all was logged.
    holidays, working_days : collection of date
        Exceptions from the working week.

    Returns
    -------
    Grid
        Whole hours; an hour without any call in the tenant is a gap, unless that slot is
        usually empty (a small tenant sleeps at night).
    """
    start = week.start_at
    for back in range(1, history_weeks + 1):
        earlier = week.shifted(-back)
        if earlier.end_at <= first_at:
            break
        start = earlier.start_at
    hours = pd.date_range(start.ceil("h"), week.end_at, freq="h", inclusive="left")
    day = day_of(hours, zone=week.zone)
    slot = slot_of(hours, zone=week.zone, holidays=holidays, working_days=working_days)
    covered = hours.isin(pd.DatetimeIndex(calls_at))
    # a day without any call is no quiet day, and must not make an hour of other days look quiet
    alive = np.isin(day, day[covered])
    seen = (hours >= first_at.floor("h")) & (hours <= last_at) & alive
    share = np.array(
        [
            covered[(slot == s) & seen].mean() if ((slot == s) & seen).any() else 1.0
            for s in range(SLOTS_COUNT)
        ]
    )
    return Grid(
        hours=hours,
        slot=slot,
        day=day,
        # by the calendar: a week in which the clocks change has 167 or 169 hours
        week=np.asarray((day - day[hours >= week.start_at][0]) // 7, dtype=np.intp),
        gap=np.asarray(~covered & ((share[slot] > 0.5) | ~seen)),
        began=int((first_at.floor("h") - hours[0]) // pd.Timedelta(hours=1)),
    )
