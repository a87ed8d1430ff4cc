"""From scores to probabilities: how often an ordinary week scores this high.

Scores of different groups have different scales. Each is turned into a p-value against the same
score on past weeks, each of which was scored with a baseline of the other weeks. Beyond the
99 % quantile of the reference (95 % below 2,000 scores; the median of the positive scores, if that
is higher) a generalised Pareto tail stands in for data that are not there
(Pickands-Balkema-de Haan; fitted by probability-weighted moments, Hosking and Wallis 1987,
Technometrics 29(3), 339-349). What it says is of the next score, of which few exceedances know
less than many: an exponential tail fitted to k of them predicts a Pareto one of shape 1/k (Lawless
1971, Technometrics 13(4), 725-730), so 1/k is added to the shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import scipy  # not scipy.stats: who reads settings alone need not wait for it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from audit_analytics.detect._rows import Rows

TAIL_QUANTILE: Final = 0.99
SMALL_TAIL_QUANTILE: Final = 0.95
MANY: Final = 2000
TAIL_SHAPE_RANGE: Final = (0.0, 0.9)
MIN_TAIL: Final = 10
STATISTIC_TAIL: Final = 5
"""Exceedances a tail needs; fewer do where the result is only a statistic to be calibrated again:
without any tail the greatest score of all and the greatest of a part would be the same."""

MIN_REFERENCE: Final = 60
"""Days to be calibrated on: fewer cannot tell one day in fifty from the greatest of a few."""

CLEAR_P: Final = 0.005
"""What is this improbable says what went on, and is worth a reason of its own."""

TINY: Final = 1e-300


class Calibrator:
    """Upper-tail probabilities of a score against a reference sample; NaN is left out of it.

    ``reference_`` is the sample, rising. ``threshold_`` is where the fitted tail begins, infinite
    if there are fewer than `least_tail` exceedances to fit one; ``shape_`` and ``scale_`` are those
    of the generalised Pareto tail that predicts the next score.

    >>> calibrator = Calibrator(np.arange(99.0))
    >>> calibrator.p_value(np.array([0.0, 50.0])).round(2)
    array([1. , 0.5])
    """

    def __init__(self, reference: NDArray[np.float64], *, least_tail: int = MIN_TAIL) -> None:
        reference = np.asarray(reference, dtype=float)
        self.reference_ = np.sort(reference[~np.isnan(reference)])
        self.threshold_, self.shape_, self.scale_ = np.inf, 0.0, 1.0
        if len(self.reference_):
            quantile = TAIL_QUANTILE if len(self.reference_) >= MANY else SMALL_TAIL_QUANTILE
            threshold = float(np.quantile(self.reference_, quantile, method="higher"))
            positive = self.reference_[self.reference_ > 0]
            if len(positive):
                # a group that is mostly 0 has no tail at 0: it begins among its positive scores
                threshold = max(threshold, float(np.median(positive)))
            excess = self.reference_[self.reference_ > threshold] - threshold
            if len(excess) >= least_tail:
                self.threshold_ = threshold
                self.shape_, self.scale_ = _fit_tail(excess)

    @classmethod
    def of_weeks(
        cls, scores: NDArray[np.float64], rows: Rows, *, least_tail: int = MIN_TAIL
    ) -> Calibrator:
        """Calibrate the greatest score of an entity's week: how rare is one that holds such a day.

        An entity makes one case a week, however many of its days are unusual, and unusual days
        come together. The tail is fitted to the days, of which there are more: far out the number
        of days that belong together no longer depends on how far (the extremal index, Leadbetter
        1983, Z. Wahrscheinlichkeitstheorie 65, 291-306).

        >>> from audit_analytics.detect._rows import Rows
        >>> rows = Rows(np.array([7, 7, 8]), np.array([-1, -1, -1]))
        >>> Calibrator.of_weeks(np.array([2.0, 5.0, 1.0]), rows).reference_
        array([1., 5.])
        """
        found = cls(scores, least_tail=least_tail)
        found.reference_ = np.sort(rows.worst(scores))
        return found

    @property
    def floor(self) -> float:
        """Return the least probability that so long a reference can speak of: 1 / (100 n)."""
        return 1.0 / (100.0 * max(len(self.reference_), 1))

    @property
    def resolution(self) -> float:
        """Return p of what the reference has nothing like, where no tail says how far out it is.

        1 / (n + 1); 0 where a tail was fitted.
        """
        return 0.0 if np.isfinite(self.threshold_) else 1.0 / (len(self.reference_) + 1.0)

    def p_value(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how probable a score at least this high is: `extrapolate`, never below `floor`."""
        return np.maximum(self.extrapolate(score), self.floor)

    def rate(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how probable -log10 of a probability at least this high is.

        As :meth:`extrapolate`, but no rarer than the score itself says: where the past is quiet or
        all alike, any score or the least difference is rare.
        """
        itself = 10.0 ** -np.nan_to_num(score, neginf=0.0)
        return np.asarray(np.maximum(self.extrapolate(score), itself))

    def extrapolate(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the fitted tail says, however far out: a statistic to be calibrated again.

        (1 + #{reference >= score}) / (n + 1) below the threshold, the tail beyond it; 1 for NaN,
        which stands for "not assessed", never 0.
        """
        n = len(self.reference_)
        score = np.nan_to_num(np.asarray(score, dtype=float), nan=-np.inf)
        above = n - np.searchsorted(self.reference_, score, side="left")
        p = (1.0 + above) / (n + 1.0)
        beyond = score > self.threshold_
        if beyond.any():
            tail = (self.reference_ > self.threshold_).sum() / n
            excess = score[beyond] - self.threshold_
            p[beyond] = tail * scipy.stats.genpareto.sf(excess, self.shape_, scale=self.scale_)
        return np.asarray(np.clip(p, TINY, 1.0))


def _fit_tail(excess: NDArray[np.float64]) -> tuple[float, float]:
    ranked = np.sort(excess)
    mean = ranked.mean()
    plotting = (np.arange(1, len(ranked) + 1) - 0.35) / len(ranked)
    moment = ((1.0 - plotting) * ranked).mean()
    shape = 2.0 - mean / (mean - 2.0 * moment) if mean > 2.0 * moment else TAIL_SHAPE_RANGE[1]
    shape = float(np.clip(shape, *TAIL_SHAPE_RANGE))
    # the scale that keeps the mean of the excesses, given the clipped shape
    return shape + 1.0 / len(ranked), float(max(mean * (1.0 - shape), 1e-9))


def rate_groups(
    past: NDArray[np.float64], scores: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the p-value of every score against the past of its group, see :meth:`Calibrator.rate`.

    Both of shape (n, n_groups), each -log10 of what its model says, NaN where there is none; the
    past ones themselves are rated if no others are given.
    """
    return rate_columns(fit_groups(past), past if scores is None else scores)


def fit_groups(past: NDArray[np.float64]) -> list[Calibrator]:
    """Fit a calibrator to the past scores of each group, as :func:`rate_groups` takes them."""
    return [Calibrator(scores, least_tail=STATISTIC_TAIL) for scores in past.T]


def rate_columns(
    calibrators: Sequence[Calibrator], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the p-value of every score by its group's calibrator, see :meth:`Calibrator.rate`."""
    return np.column_stack([c.rate(own) for c, own in zip(calibrators, scores.T, strict=True)])


def rate_weeks(past: NDArray[np.float64], week: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the p-value of every past score against the other past weeks.

    A score that is part of what it is compared with looks more usual than the same score will look
    in a new week, and so makes the new week look rarer than it is. `week` is of each row; where
    there is only one week it is compared with itself.

    >>> past = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> rate_weeks(past, np.array([-2, -2, -1, -1])).round(2).ravel()
    array([1.  , 1.  , 0.33, 0.33])
    """
    if len(np.unique(week)) < 2:
        return rate_groups(past)
    rated = np.empty_like(past)
    for one in np.unique(week):
        own = week == one
        rated[own] = rate_groups(past[~own], past[own])
    return rated


def adjust_q(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Benjamini-Hochberg q-values: the least false-discovery rate that calls each test.

    >>> adjust_q(np.array([0.01, 0.5, 0.02])).round(3)
    array([0.03, 0.5 , 0.03])
    """
    return np.asarray(scipy.stats.false_discovery_control(p)) if len(p) else np.asarray(p)
