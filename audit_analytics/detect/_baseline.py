"""What to expect of an entity: a negative binomial per entity and slot of the week.

Counts of calls are overdispersed, have a day and week rhythm and now and then a burst. So each
entity gets a mean per slot, shrunk towards its own overall mean, and one dispersion, shrunk
towards the tenant's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy  # not scipy.stats: who reads settings alone need not wait for it

if TYPE_CHECKING:
    from numpy.typing import NDArray


WINSOR_MADS: Final = 6.0
MAD_TO_SIGMA: Final = 1.4826
SMOOTH: Final = (0.15, 0.70, 0.15)
MEAN_PRIOR: Final = 0.5
DISPERSION_PRIOR: Final = 20.0
DISPERSION_RANGE: Final = (0.01, 60.0)
BLOCK: Final = 2**17
"""Counts that are fitted together at least: what is computed of few stays in the processor's cache."""
_TINY: Final = 1e-300
_EXACT_BELOW: Final = 1e-6


@dataclass(frozen=True)
class Baseline:
    """Expected counts per entity and slot."""

    mean: NDArray[np.float64]  # expected count of one bucket of that slot; (n_entities, n_slots)
    dispersion: NDArray[np.float64]  # phi: variance = mean + phi * mean^2; (n_entities,)
    # sum of the weights behind each mean: how much history it rests on; (n_entities, n_slots)
    weight: NDArray[np.float64]

    def size(
        self, mean: NDArray[np.float64], entity: NDArray[np.intp], slot: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return the negative-binomial size that also carries the doubt about the mean.

        r = 1 / (phi + (1 / mean + phi) / weight), for each of n buckets of `entity` and `slot`.
        """
        phi = self.dispersion[entity]
        weight = np.maximum(self.weight[entity, slot], 0.1)
        return 1.0 / (phi + (1.0 / np.maximum(mean, 1e-9) + phi) / weight)


def fit_baseline(
    counts: NDArray[np.float64],
    weights: NDArray[np.float64],
    slot: NDArray[np.intp],
    *,
    slots: int,
    cycle: int = 1,
) -> Baseline:
    """Fit expected counts per entity and slot.

    `counts` and `weights` (0 leaves a bucket out) are of shape (n_entities, n_buckets).
    Neighbouring slots are smoothed over a cycle of so many (24 for hours of a day).

    >>> counts = np.array([[4.0, 6.0, 5.0, 5.0]])
    >>> base = fit_baseline(counts, np.ones((1, 4)), np.zeros(4, dtype=np.intp), slots=1)
    >>> base.mean.round(1)
    array([[4.7]])
    """
    at, filled = _list_slots(slot, slots)
    blocks = max(1, counts.size // BLOCK)
    rows = zip(np.array_split(counts, blocks), np.array_split(weights, blocks), strict=True)
    parts = [_fit_rows(*block, slot, at, filled, cycle=cycle) for block in rows]
    mean, weight, excess, scale = map(np.concatenate, zip(*parts, strict=True))
    return Baseline(mean, _shrink_dispersion(excess, scale), weight)


def _fit_rows(
    counts: NDArray[np.float64],
    weights: NDArray[np.float64],
    slot: NDArray[np.intp],
    at: NDArray[np.intp],
    filled: NDArray[np.bool_],
    *,
    cycle: int,
) -> tuple[NDArray[np.float64], ...]:
    """Return the means and their weights, and the excess and the scale of the dispersions."""
    known = np.where(filled, weights[:, at], 0.0)
    values = _winsorise(counts[:, at], known > 0)
    capped = np.empty_like(counts)
    capped[:, at[filled]] = values[:, filled]
    weight = known.sum(axis=2)
    mean = (known * values).sum(axis=2) / np.maximum(weight, 1e-9)
    total = (mean * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9)
    if cycle > 1:
        mean = _smooth(mean, weight, cycle)
    prior = 0.5 * total + 0.01
    mean = (weight * mean + MEAN_PRIOR * prior[:, None]) / (weight + MEAN_PRIOR)
    expected = mean[:, slot]
    excess = (weights * ((capped - expected) ** 2 - expected)).sum(axis=1)
    scale = (weights * expected**2).sum(axis=1)
    return mean, weight, excess, scale


def _list_slots(slot: NDArray[np.intp], slots: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the buckets of each slot as a table, and which of its places are filled."""
    order = np.argsort(slot, kind="stable")
    number = np.bincount(slot, minlength=slots)
    filled = np.arange(number.max(initial=1)) < number[:, None]
    at = np.zeros(filled.shape, dtype=np.intp)
    at[filled] = order
    return at, filled


def _winsorise(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Cap bursts at six robust deviations, so that one burst does not become the norm."""
    some = ((values > 0) & valid).sum(axis=-1)
    called = some > 0
    capped = np.minimum(values, WINSOR_MADS)
    values, valid = values[called], valid[called]
    # of the others more than half are 0: so are their median and their spread
    busy = 2 * some[called] >= valid.sum(axis=-1)
    middle, spread = np.zeros((2, len(values), 1))
    middle[busy] = _median(values[busy], valid[busy])
    spread[busy] = MAD_TO_SIGMA * _median(np.abs(values[busy] - middle[busy]), valid[busy])
    cap = middle + WINSOR_MADS * np.maximum(spread, np.sqrt(middle + 1.0))
    capped[called] = np.minimum(values, cap)
    return np.asarray(capped)


def _median(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the medians of the valid values over the last axis, which is kept; 0 without any."""
    ranked = np.sort(np.where(valid, values, np.inf), axis=-1)
    count = valid.sum(axis=-1, keepdims=True)
    low = np.take_along_axis(ranked, np.maximum(count - 1, 0) // 2, axis=-1)
    high = np.take_along_axis(ranked, np.minimum(count // 2, values.shape[-1] - 1), axis=-1)
    return np.where(count > 0, (low + high) / 2.0, 0.0)


def _smooth(
    mean: NDArray[np.float64], weight: NDArray[np.float64], cycle: int
) -> NDArray[np.float64]:
    """Borrow from the neighbouring hours of the same kind of day; unseen slots lend nothing."""
    shape = (len(mean), mean.shape[1] // cycle, cycle)
    cube, mass = mean.reshape(shape), (weight > 0).astype(float).reshape(shape)
    smooth = np.zeros_like(cube)
    norm = np.zeros_like(cube)
    for shift, share in zip((1, 0, -1), SMOOTH, strict=True):
        near = np.roll(mass, shift, axis=2)
        smooth += share * near * np.roll(cube, shift, axis=2)
        norm += share * near
    return (smooth / np.maximum(norm, 1e-9)).reshape(mean.shape)


def _shrink_dispersion(
    excess: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    known = scale > 1.0
    pooled = np.median(excess[known] / scale[known]) if known.any() else 1.0
    pooled = np.clip(pooled, *DISPERSION_RANGE)
    shrunk = (excess + DISPERSION_PRIOR * pooled) / (scale + DISPERSION_PRIOR)
    return np.asarray(np.clip(shrunk, *DISPERSION_RANGE))


def count_surprise(
    observed: NDArray[np.float64], mean: NDArray[np.float64], size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how surprising counts are: -log10 of the mid-p upper tail.

    -log10(P(Y > y) + P(Y = y) / 2) for Y ~ NB(mean, size); 0 to 300.

    >>> count_surprise(np.array([5.0, 50.0]), np.array([5.0, 5.0]), np.array([9.0, 9.0])).round(1)
    array([ 0.3, 14.7])
    """
    share = size / (size + mean)
    tail = scipy.stats.nbinom.sf(observed, size, share) + 0.5 * scipy.stats.nbinom.pmf(
        observed, size, share
    )
    return np.asarray(-np.log10(np.clip(tail, _TINY, 1.0)))


def share_surprise(
    failed: NDArray[np.float64],
    calls: NDArray[np.float64],
    rate: NDArray[np.float64],
    *,
    correlation: float,
) -> NDArray[np.float64]:
    """Return how surprising a share of calls is: -log10 P(E >= e) of a beta-binomial; 0 to 300.

    `rate` is the expected share, `correlation` rho: how much calls of one bucket fail together.

    >>> share_surprise(np.array([9.0]), np.array([10.0]), np.array([0.1]), correlation=0.05).round(1)
    array([4.9])
    """
    rate = np.clip(rate, 1e-6, 1 - 1e-6)
    strength = 1.0 / correlation - 1.0
    a, b = rate * strength, (1.0 - rate) * strength
    tail = np.clip(1.0 - _add_up_betabinom(failed - 1, calls, a, b), _TINY, 1.0)
    score = -np.log10(tail)
    # sf is 1 - cdf: far out it has no digits left, so the few pmf terms are summed instead
    for i in np.flatnonzero(tail < _EXACT_BELOW):
        terms = scipy.stats.betabinom.logpmf(
            np.arange(failed[i], calls[i] + 1), calls[i], a[i], b[i]
        )
        score[i] = -scipy.special.logsumexp(terms) / np.log(10.0)
    return np.asarray(score)


def _add_up_betabinom(
    most: NDArray[np.float64],
    calls: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return P(E <= most) as ``scipy.stats.betabinom.cdf`` does, which goes through Python for each.

    It adds up the same terms in the same order: all rows with as many of them are one table.
    """
    tail = np.zeros(len(most))
    for last in np.unique(most[most >= 0]):
        rows = np.flatnonzero(most == last)
        k, n, s, t = np.arange(last + 1), *(each[rows, None] for each in (calls, a, b))
        log = -np.log(n + 1) - scipy.special.betaln(n - k + 1, k + 1)
        log = log + scipy.special.betaln(k + s, n - k + t) - scipy.special.betaln(s, t)
        tail[rows] = np.exp(log).sum(axis=1)
    return np.minimum(tail, 1.0)


def expect_interval(mean: float, size: float) -> tuple[float, float]:
    """Return the central 95 % interval of a negative-binomial count, in whole calls.

    >>> expect_interval(5.0, 9.0)
    (1.0, 11.0)
    """
    low, high = scipy.stats.nbinom.ppf([0.025, 0.975], size, size / (size + mean))
    return float(low), float(high)
