"""Counts per app and hour as arrays: what every baseline and surprise is computed from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.dates.buckets import HOURS_PER_DAY
from audit_analytics.detect._grid import MIN_HISTORY_DAYS, find_starts
from audit_analytics.detect._presence import choose_apps
from audit_analytics.detect._tables import find_places, sort_words
from audit_analytics.features.tables import TOKEN_CATEGORY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from audit_analytics.detect._grid import Grid

OUTAGE_APPS: Final = 15
OUTAGE_CALLS: Final = 5
"""So many apps, each with so many calls in an hour, can say that something fails for everybody."""

COUNTS: Final = ("calls", "sensitive", "token", "objects", *schema.ERROR_OUTCOMES)
"""What is counted of every app and hour."""


class Pairs(NamedTuple):
    """Pairs of app and API that occur."""

    app: NDArray[np.intp]  # positions of the app and of the API; (n_pairs,)
    api: NDArray[np.intp]
    pair: NDArray[np.intp]  # position of the pair of each row of ``Panel.api_calls``; (n_rows,)


@dataclass(frozen=True, eq=False)
class Panel:
    """Hourly counts of every app over history and report week."""

    grid: Grid  # the hours
    apps: pd.Index  # app ids; (n_apps,)
    # hour of the grid in which the app was first seen; negative if before the grid; (n_apps,)
    first_hour: NDArray[np.intp]
    # ``calls``, ``sensitive``, ``token``, ``objects`` (distinct objects of each API within the
    # hour, summed) and one entry per class of ``schema.ERROR_OUTCOMES``; (n_apps, n_hours)
    counts: dict[str, NDArray[np.float64]]
    # ``app`` and ``hour`` (positions), ``api`` (categories in their order), ``calls_count`` and one
    # column per class of ``schema.ERROR_OUTCOMES``; one row per app, hour and API
    api_calls: pd.DataFrame
    # hours of an app that are no example of what is usual for it; none if not given; (n_apps,
    # n_hours)
    untaught: NDArray[np.bool_] | None = None
    # the user's metrics among `counts`, and the APIs whose calls they hold
    metric_apis: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    since_hour: int = 0  # first hour of the report week that is judged
    outages: dict[tuple[int, str], NDArray[np.float64]] = field(
        default_factory=dict, init=False, repr=False
    )

    def leave_out(self, hours: pd.DataFrame) -> Panel:
        """Keep some hours (``bucket_at``) of some apps (``app_id``) out of every baseline."""
        app = find_places(hours["app_id"], self.apps)
        hour = self.grid.hours.get_indexer(pd.DatetimeIndex(hours["bucket_at"]))
        inside = (app >= 0) & (hour >= 0)
        untaught = np.zeros((len(self.apps), len(self.grid.hours)), dtype=bool)
        untaught[app[inside], hour[inside]] = True
        return replace(self, untaught=untaught)

    def after(self, since: pd.Timestamp | None) -> Panel:
        """Forget what the report week held before an instant, so that the rest stands out alone.

        That are its hours that were over then; nothing is forgotten if it is None.
        """
        if since is None:
            return self
        over = np.asarray(self.grid.ends <= since)
        forgotten = over & (self.grid.week == 0)
        return replace(
            self,
            counts={name: np.where(forgotten, 0.0, values) for name, values in self.counts.items()},
            api_calls=self.api_calls[~forgotten[self.api_calls["hour"].to_numpy()]],
            since_hour=int(over.sum()),
        )

    @lru_cache(maxsize=4)  # noqa: B019 - a panel lives as long as its run
    def narrow_to_api(self, api: str) -> Panel:
        """Keep the calls of one API; of the counts, ``calls`` alone."""
        rows = self.api_calls[self.api_calls["api"] == api]
        calls = np.zeros((len(self.apps), len(self.grid.hours)))
        calls[rows["app"], rows["hour"]] = rows["calls_count"]
        return replace(self, counts={"calls": calls})

    @property
    def first_inside(self) -> NDArray[np.intp]:
        """Return the first hour of each app, or of the grid if the app called before it."""
        return np.clip(self.first_hour, 0, len(self.grid.hours) - 1)

    @property
    def settled(self) -> NDArray[np.bool_]:
        """Return in which hours the word of an app counts in what happens to everybody.

        From a week after the app was first seen; everywhere while the log itself is younger: ids
        forged within an hour must not pass for a tenant in which everything fails.
        """
        hour = np.arange(len(self.grid.hours))
        known = self.first_hour[:, None] <= hour - MIN_HISTORY_DAYS * HOURS_PER_DAY
        return np.asarray(known | ~known.any(axis=0))

    @cached_property
    def outage_word(self) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return who has the word in each hour on whether calls fail for everybody.

        Calls of settled apps, 0 of others; who is heard: of a few calls none may fail where one in
        five does, so those who made more, where enough did; and in which hours enough are heard.
        """
        settled = self.settled
        calls = np.where(settled, self.counts["calls"], 0.0)
        needed = np.minimum(OUTAGE_APPS, np.maximum(4, settled.sum(axis=0) // 2))
        enough = calls >= OUTAGE_CALLS
        heard = np.where(enough.sum(axis=0) >= needed, enough, calls > 0)
        return calls, heard, heard.sum(axis=0) >= needed

    @cached_property
    def api_pairs(self) -> Pairs:
        """Return the pairs of app and API among the calls, in the order of apps and APIs."""
        apis = self.api_calls["api"].cat
        number = self.api_calls["app"].to_numpy(np.intp) * len(apis.categories)
        # one number for app and API: words are compared far more slowly
        pairs, pair = np.unique(number + apis.codes.to_numpy(), return_inverse=True)
        return Pairs(*np.divmod(pairs, max(len(apis.categories), 1)), pair)

    def weights(self, scored: int) -> NDArray[np.float64]:
        """Return the weight of every app's hours in the baseline of one scored week.

        0 before the day the app was first seen, and in hours left out.
        """
        day = self.grid.day
        alive = day[None, :] >= day[self.first_inside][:, None]
        if self.untaught is not None:
            alive &= ~self.untaught
        return np.asarray(self.grid.weights(scored)[None, :] * alive)

    def history_days(self, scored: int) -> NDArray[np.intp]:
        """Return how many days of baseline each app has: with at least one weighted hour."""
        per_day = by_day(self.weights(scored) > 0, self.grid.day)
        return np.asarray((per_day > 0).sum(axis=1), dtype=np.intp)

    def assessed(self, scored: int) -> NDArray[np.bool_]:
        """Return which apps have the history to be compared with their own past.

        Seven days of history or more, begun before the scored week ends.
        """
        week_hours = np.flatnonzero(self.grid.week == scored)
        begun = self.first_hour <= week_hours[-1]
        return np.asarray(begun & (self.history_days(scored) >= MIN_HISTORY_DAYS))


def by_day(values: NDArray[np.generic], day: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sum the hours of each local day, row by row; days rise from 0.

    >>> by_day(np.array([[1, 2, 3]]), np.array([0, 0, 1]))
    array([[3., 3.]])
    """
    return np.asarray(np.add.reduceat(np.asarray(values, dtype=float), find_starts(day), axis=1))


def build_panel(by_api: pd.DataFrame, grid: Grid) -> Panel:
    """Arrange the hourly counts of the apps as arrays, in the order of their ids.

    Calls without an app id are left out, and apps that nobody could judge, see
    :mod:`audit_analytics.detect._presence`.
    """
    calls = by_api["calls_count"]
    sensitive = calls.where(by_api["severity"].isin(schema.SENSITIVE), 0)
    errors = by_api[[f"{name}_count" for name in schema.ERROR_OUTCOMES]].sum(axis=1)
    apps = choose_apps(by_api["app_id"], by_api["bucket_at"], calls, sensitive + errors)
    app, hour = find_places(by_api["app_id"], apps), grid.locate(by_api["bucket_at"])
    first_hour = pd.Series(hour[app >= 0]).groupby(app[app >= 0]).min().to_numpy(dtype=np.intp)
    kept = (hour >= 0) & (hour < len(grid.hours)) & (app >= 0)
    rows = pd.DataFrame(
        {
            "app": app,
            "hour": hour,
            "api": sort_words(by_api["api"]).array,
            "calls_count": calls.to_numpy(dtype=float),
            "sensitive": sensitive.to_numpy(),
            "token": calls.where(by_api["category"] == TOKEN_CATEGORY, 0).to_numpy(),
            "objects": by_api["objects_count"].to_numpy(),
            **{n: by_api[f"{n}_count"].to_numpy(dtype=float) for n in schema.ERROR_OUTCOMES},
        },
        copy=False,
    )
    rows = rows if kept.all() else rows[kept].reset_index(drop=True)
    shape = len(apps), len(grid.hours)
    cell = rows["app"].to_numpy() * shape[1] + rows["hour"].to_numpy()
    counts: dict[str, NDArray[np.float64]] = {}
    for name in COUNTS:
        column = rows["calls_count" if name == "calls" else name].to_numpy(dtype=float)
        summed = np.bincount(cell, column, math.prod(shape))
        counts[name] = summed.reshape(shape).astype(float)  # whole numbers where there is no row
    api_calls = rows[["app", "hour", "api", "calls_count", *schema.ERROR_OUTCOMES]]
    return Panel(grid, apps, first_hour, counts, api_calls)
