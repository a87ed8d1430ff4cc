"""What a tenant and an app's own days let expect of a day, where both are little known.

How a number is spread over the tenant is a variance t between the apps around a mean m, and a
variance s between the days of one app, all of log(1 + count). That is a random-effects model; what
it predicts of an app with k known days of mean x is its best linear unbiased predictor (Robinson
1991, Statistical Science 6(1), 15-32): mean (m/t + k x/s) / (1/t + k/s), variance
s + 1 / (1/t + k/s). A tenant of a few apps does not know how apps differ: t is shrunk towards a
factor of e, as if three more apps had been seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import scipy  # not scipy.stats: who reads settings alone need not wait for it

from audit_analytics.detect._first_days import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from audit_analytics.detect._first_days import FirstDays

PRIOR_APPS: Final = 3.0
PRIOR_BETWEEN: Final = 1.0
PRIOR_WITHIN: Final = 0.25
"""Apps differ by a factor of e, days of an app by half of that, where too few are known to tell."""


class Spread(NamedTuple):
    """How a metric is spread over the tenant: m, t and s."""

    mean: float
    between: float
    within: float


class Prediction(NamedTuple):
    """What is expected of each day of an app, on the scale of the logarithms."""

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]


def fit_spreads(found: FirstDays, taught: NDArray[np.bool_]) -> dict[str, Spread]:
    """Fit the spread of each metric to the days that are `taught`."""
    return {name: _fit(scale, taught) for name, scale in found.scale.items()}


def predict(
    found: FirstDays,
    spreads: Mapping[str, Spread],
    active: NDArray[np.bool_],
    begin: NDArray[np.intp],
    *,
    always: NDArray[np.bool_] | None = None,
) -> dict[str, Prediction]:
    """Return what the tenant, and its own days before, let expect of each day of each app.

    Days before `begin` teach nothing. Of the apps that were `always` there the days after a day
    speak of it as well.
    """
    since = active & (np.arange(active.shape[1]) >= begin[:, None])
    every = np.zeros(len(active), dtype=bool) if always is None else always
    predicted = {}
    known = _sum_others(since.astype(float), every)
    for name, spread in spreads.items():
        own = _sum_others(found.scale[name] * since, every)
        precision = 1.0 / spread.between + known / spread.within
        mean = (spread.mean / spread.between + own / spread.within) / precision
        predicted[name] = Prediction(mean, np.sqrt(spread.within + 1.0 / precision))
    return predicted


def score(
    found: FirstDays, predicted: Mapping[str, Prediction], active: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return scores of shape (n_apps, n_days, n_metrics), NaN on days without a call.

    A score is -log10 of the upper tail of the normal distribution that is predicted.
    """
    scores = []
    for name in METRICS:
        mean, sd = predicted[name]
        tail = -scipy.stats.norm.logsf((found.scale[name] - mean) / sd) / np.log(10.0)
        scores.append(np.where(active, np.where(found.supported[name], tail, 0.0), np.nan))
    return np.stack(scores, axis=2)


def _fit(scale: NDArray[np.float64], taught: NDArray[np.bool_]) -> Spread:
    days = taught.sum(axis=1)
    known = days > 0
    apps = int(known.sum())
    if not apps:
        return Spread(0.0, PRIOR_BETWEEN, PRIOR_WITHIN)
    own = (scale * taught).sum(axis=1)[known] / days[known]
    squares = ((scale[known] - own[:, None]) ** 2 * taught[known]).sum()
    free = (days[known] - 1).sum()
    within = (squares + PRIOR_APPS * PRIOR_WITHIN) / (free + PRIOR_APPS)
    between = ((own - own.mean()) ** 2).sum() + PRIOR_APPS * PRIOR_BETWEEN
    # the tenant's mean is in doubt itself
    between = between / (apps + PRIOR_APPS) * (1.0 + 1.0 / apps)
    return Spread(float(own.mean()), float(between), float(within))


def _sum_others(values: NDArray[np.float64], every: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Add up the days before each day; in rows of `every` those after it, too."""
    before = np.cumsum(values, axis=1) - values
    return np.where(every[:, None], values.sum(axis=1, keepdims=True) - values, before)
