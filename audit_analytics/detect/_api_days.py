"""The surprise group of an API-day: an API that fails for many apps, unlike before.

Errors of one app are that app's own news. So the app that is hit worst is left out of each hour's
errors: only what the others share is left. Those shared errors are in turn expected of each app,
so that an API that fails for everybody is one finding about the API.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics import schema
from audit_analytics.detect._calibrate import Calibrator, rate_groups, rate_weeks
from audit_analytics.detect._detectors import list_detectors
from audit_analytics.detect._frame import WeekFrame
from audit_analytics.detect._group import ApiGroup
from audit_analytics.detect._panel import Panel
from audit_analytics.detect._rates import expect_outage
from audit_analytics.detect._rows import stack_weeks
from audit_analytics.detect._surprise import Surprise

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MIN_APPS: Final = 5
"""An API that fewer apps ever called has no news that is not one of theirs."""


@dataclass(frozen=True)
class ApiDays:
    """How unusual each day of each shared API was."""

    # as the tenant's, with APIs in the place of apps; the errors are those of all apps but the one
    # hit worst in the hour
    panel: Panel
    surprises: dict[str, Surprise]  # the groups of the report week
    # calibrated p-value of each group: how rare such a day is; and ``joint``: how rare a week is
    # that holds such a day; (n_apis, n_days)
    p: dict[str, NDArray[np.float64]]
    tested: NDArray[np.bool_]  # which days could be judged; (n_apis, n_days)

    def count_apps(self, api: int, hours: slice, name: str) -> int:
        """Count the apps that met errors of one class at an API in some hours of the grid."""
        rows = self.panel.api_calls
        rows = rows[rows["api"] == str(self.panel.apps[api])]
        within = (rows["hour"] >= hours.start) & (rows["hour"] < hours.stop)
        return int(rows["app"][within & (rows[name] > 0)].nunique())


def judge_api_days(panel: Panel, since: pd.Timestamp | None = None) -> ApiDays:
    """Judge every day of every shared API; nothing is tested without a past week to calibrate on.

    What lies after `since` in the report week is judged by itself.
    """
    apis, groups = _build_api_panel(panel), [group.name for group in list_detectors(ApiGroup)]
    scored = {week: _score(panel, apis, week) for week in panel.grid.weeks}
    scored[0] = _score(panel.after(since), apis.after(since), 0)
    current, surprises = scored[0]
    rows = current.reshape(-1, len(groups))
    past = {week: scored[week][0] for week in panel.grid.weeks}
    reference, of = stack_weeks(past, len(groups))
    past_p, p = rate_weeks(reference, of.week), rate_groups(reference, rows)
    calibrator = Calibrator.of_weeks(-np.log10(past_p.min(axis=1)), of)
    # few days of few APIs fail for anybody: no tail can be fitted to them, they can be counted
    p = np.maximum(p, 1.0 / (len(reference) + 1.0))
    joint = calibrator.rate(-np.log10(p.min(axis=1)))
    joint = np.maximum(joint, 1.0 / (len(calibrator.reference_) + 1.0))
    tested = np.asarray(~np.isnan(rows).all(axis=1) & bool(len(reference)))
    shape = current.shape[:2]
    named = dict(zip(groups, p.T, strict=True)) | {"joint": joint}
    return ApiDays(
        panel=apis,
        surprises=surprises,
        p={name: np.where(tested, values, 1.0).reshape(shape) for name, values in named.items()},
        tested=tested.reshape(shape),
    )


def _build_api_panel(panel: Panel) -> Panel:
    """Arrange the hourly counts of the shared APIs as arrays, APIs in the place of apps, by name.

    ``calls`` are those of all apps, errors those of all but the one with most of them in the hour.
    """
    rows, pairs = panel.api_calls, panel.api_pairs
    names, code = rows["api"].cat.categories, rows["api"].cat.codes.to_numpy()
    shared = np.bincount(pairs.api, minlength=len(names)) >= MIN_APPS
    apis, rows = names[shared], rows[shared[code]]
    place, hour = (np.cumsum(shared) - 1)[code[shared[code]]], rows["hour"].to_numpy()
    shape = len(apis), len(panel.grid.hours)

    def arrange(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        total, most = np.zeros((2, *shape))
        values = rows[name].to_numpy()
        some = np.flatnonzero(values)
        at = place[some], hour[some]
        np.add.at(total, at, values[some])
        np.maximum.at(most, at, values[some])
        return total, most

    counts = {"calls": arrange("calls_count")[0]}
    for name in schema.ERROR_OUTCOMES:
        total, most = arrange(name)
        counts[name] = total - most
    first_hour = np.full(shape[0], shape[1], dtype=np.intp)
    np.minimum.at(first_hour, place, hour)
    return Panel(panel.grid, apis, first_hour, counts, rows)


def _score(panel: Panel, apis: Panel, week: int) -> tuple[NDArray[np.float64], dict[str, Surprise]]:
    """Return scores of shape (n_apis, n_days, n_groups), NaN where there is too little history."""
    counts, of_apps = dict(apis.counts), WeekFrame(panel, week)
    for name in schema.ERROR_OUTCOMES:
        # while everything fails, no API has news of its own
        outage = expect_outage(of_apps, name) > 0
        counts[name] = np.where(outage, 0.0, counts[name])
    frame = WeekFrame(replace(apis, counts=counts), week)
    surprises = {
        group.name: reduce(Surprise.or_greater, group.scored(frame))
        for group in list_detectors(ApiGroup)
    }
    stacked = np.stack([surprise.score for surprise in surprises.values()], axis=2)
    stacked[~apis.assessed(week)] = np.nan
    stacked[:, panel.grid.unlogged[panel.grid.days(week)]] = np.nan
    return stacked, surprises
