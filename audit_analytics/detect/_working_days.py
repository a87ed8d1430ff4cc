"""Which days a tenant worked, against the calendar: its own apps know best.

A public holiday that nobody told the settings about, a make-up Saturday, a company outing or a week
that runs from Sunday to Thursday makes every app look silent or busy at once, and a day like it in
the history teaches the wrong thing. Many apps call far less on days off. Each of them has a vote on
every day: whether its calls were nearer to those of its working days or to those of its days off.
Where nearly all of them are against the calendar, the calendar is wrong. A day that people or the
country's calendar name is as they say.

Who writes a log can sway the apps it has taken over, not nearly all of those with a past. Calls, and
those that succeed, have to say the same: ids that never had a secret can be made up by the thousand,
and a working day on which everything fails is none off.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.dates.buckets import HOURS_PER_DAY, local_days, slot_of
from audit_analytics.detect._baseline import MAD_TO_SIGMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit_analytics.dates.calendar import DaysOff
    from audit_analytics.dates.weeks import Week

MIN_VOTERS: Final = 5
MIN_SHARE: Final = 0.8
"""Of so many apps, as many as this must be against the calendar."""

MIN_DAYS: Final = 2
"""Days of each kind that an app must have gone through since its first call."""

APART: Final = 2.0
"""Standard deviations between both kinds of days, of an app that can tell them from each other."""

LEAST_SD: Final = 0.3
"""Of the logarithm of a day's calls: a few alike days do not make a third of it a difference."""

ROUNDS: Final = 5
"""In a week from Sunday to Thursday two days are wrong at first, and blur what is compared."""


def infer_days_off(
    by_api: pd.DataFrame, days_off: DaysOff, week: Week, *, history_weeks: int
) -> DaysOff:
    """Find the days that a tenant worked, or did not, against its calendar.

    Parameters
    ----------
    by_api : pandas.DataFrame
        Table :data:`audit_analytics.schema.CALLS_BY_API`; what is not of the report week or the
        history is not looked at: over a year, what a working day is grows with the tenant.
    days_off : DaysOff
        What the calendar knows.
    week : Week
        The report week.
    history_weeks : int
        Weeks of history before it.

    Returns
    -------
    DaysOff
        `days_off` with the days found added, to be told from the others by their ``inferred``.
    """
    bucket_at, zone = by_api["bucket_at"], week.zone
    recent = bucket_at >= week.shifted(-history_weeks).start_at
    by_api = by_api[recent & (bucket_at < week.end_at)]
    if by_api.empty:
        return days_off
    at = pd.DatetimeIndex(by_api["bucket_at"])
    hours = at.unique()
    days = local_days(hours, zone=zone)
    first = days.min()
    day = np.asarray((days - first).days)[hours.get_indexer(at)]
    app, _ = pd.factorize(by_api["app_id"])
    counts = np.zeros((2, app.max() + 1, day.max() + 1))
    for kind, column in enumerate(("calls_count", "ok_count")):
        np.add.at(counts[kind], (app, day), by_api[column].to_numpy(dtype=float))
    every = first + pd.to_timedelta(np.arange(counts.shape[2]), unit="D")
    noons = (every + pd.Timedelta(hours=12)).tz_localize(zone).tz_convert("UTC")
    slot = slot_of(noons, zone=zone, holidays=days_off.holidays, working_days=days_off.working_days)
    off = slot >= HOURS_PER_DAY
    named = every.isin(pd.to_datetime(sorted(days_off.holidays | days_off.working_days)))
    # the log may begin and end within a day, and is silent where it was not read
    whole: NDArray[np.bool_] = np.asarray(counts[0].any(axis=0))
    local = hours.tz_convert(zone)
    whole[0] &= local.min().hour == 0
    whole[-1] &= local.max().hour == HOURS_PER_DAY - 1
    found = off.copy()
    for _round in range(ROUNDS):
        wrong = np.logical_and(*(_find_wrong(kind, found, whole) for kind in counts)) & ~named
        if not wrong.any():
            break
        found ^= wrong
    changed = found != off
    return replace(
        days_off,
        holidays=days_off.holidays | {d.date() for d in every[changed & found]},
        working_days=days_off.working_days | {d.date() for d in every[changed & ~found]},
        inferred=frozenset(d.date() for d in every[changed]),
    )


def _find_wrong(
    counts: NDArray[np.float64], off: NDArray[np.bool_], whole: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return on which days nearly all apps kept to the other kind of day."""
    began = np.maximum.accumulate(counts > 0, axis=1) & whole
    scale = np.where(began, np.log1p(counts), np.nan)
    known = np.flatnonzero(
        (began[:, off].sum(axis=1) >= MIN_DAYS) & (began[:, ~off].sum(axis=1) >= MIN_DAYS)
    )
    scale = scale[known]
    working, idle = (np.nanmedian(scale[:, kind], axis=1) for kind in (~off, off))
    spread = np.nanmedian(np.abs(scale[:, ~off] - working[:, None]), axis=1) * MAD_TO_SIGMA
    tells = working - idle >= APART * np.maximum(spread, LEAST_SD)
    scale = scale[tells]
    limit = (working + idle)[tells, None] / 2.0
    against = np.where(off, scale > limit, scale < limit).sum(axis=0)
    voters = (~np.isnan(scale)).sum(axis=0)
    return np.asarray((voters >= MIN_VOTERS) & (against >= MIN_SHARE * voters))
