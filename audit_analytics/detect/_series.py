"""Observed against expected counts over the report week, for plots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import scipy  # not scipy.stats: who reads settings alone need not wait for it

from audit_analytics.detect._frame import WeekFrame
from audit_analytics.detect._surprise import fit_hourly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit_analytics.detect._baseline import Baseline
    from audit_analytics.detect._panel import Panel


@dataclass(frozen=True)
class WeekSeries:
    """Counts of every app in every hour of the report week."""

    # count, expectation and both ends of its 95 % interval; NaN where nothing is expected because
    # the app has too little history; (n_apps, n_hours)
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def expect_week(panel: Panel, metric: str = "calls") -> WeekSeries:
    """Return what was to be expected of every app in every hour of the report week.

    Parameters
    ----------
    panel : Panel
        The tenant.
    metric : str, default="calls"
        One of the keys of ``panel.counts``.

    Returns
    -------
    WeekSeries
        In the order of ``panel.apps``.
    """
    return _expect(panel, metric, np.arange(len(panel.apps)))


def expect_app(panel: Panel, metric: str, app: int) -> WeekSeries:
    """Return what was to be expected of one app in every hour of the report week.

    Parameters
    ----------
    panel : Panel
        The tenant.
    metric : str
        One of the keys of ``panel.counts``.
    app : int
        Position of the app.

    Returns
    -------
    WeekSeries
        Of one row.
    """
    return _expect(panel, metric, np.array([app]))


def _expect(panel: Panel, metric: str, rows: NDArray[np.intp]) -> WeekSeries:
    hours = np.flatnonzero(panel.grid.week == 0)
    # all hours of a slot are expected alike
    slots, place = np.unique(panel.grid.slot[hours], return_inverse=True)
    base, at = _fit(panel, metric), (np.repeat(rows, len(slots)), np.tile(slots, len(rows)))
    mean = base.mean[at]
    size = base.size(mean, *at)
    low, high = (scipy.stats.nbinom.ppf(q, size, size / (size + mean)) for q in (0.025, 0.975))
    unknown = ~panel.assessed(0)[rows][:, None]

    def lay_out(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(unknown, np.nan, values.reshape(len(rows), len(slots))[:, place])

    return WeekSeries(
        observed=panel.counts[metric][np.ix_(rows, hours)],
        expected=lay_out(mean),
        low=lay_out(low),
        high=lay_out(high),
    )


@lru_cache(maxsize=8)
def _fit(panel: Panel, metric: str) -> Baseline:
    """Fit every app once, however many findings are drawn: it takes most of the time."""
    return fit_hourly(WeekFrame(panel, 0), panel.counts[metric])
