"""A log that knows nothing of what was before: its apps are calibrated on each other.

Hours or days of a log are all there is of an incident that somebody cut out, or of a tool's first
day. Nothing in it has a past, but the apps are beside each other: what the others let expect of an
app is known, and how far they are from it themselves. That says little, and does not say more than
it knows. Few apps are no sample of a tenant: who cuts a log out of an incident takes those that
have a part in it. Such as were left out stand beside them, so that half of the few can be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_APPS: Final = 5
"""Fewer do not say how apps differ."""

LEFT_OUT: Final = 1.5
"""So many apps stand in for those left out to one that is there, where there are few ..."""

FULL: Final = 50
"""... up to so many in all."""

TESTS: Final = 8
"""Of the numbers of an app about so many are independent tests. What has p = 0.2 then lies outside
of the interval that 95 % of such days lie in."""


def rate_beside(
    scores: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many apps are as far from what the others let expect, and the farthest scores.

    `scores` are -log10 of how probable each number is by the other apps and the app's days before,
    of shape (n_apps, n_days, n_metrics), NaN on days without a call. p is the share of the apps,
    those that were left out with them (:data:`LEFT_OUT`), whose farthest number of all days is as
    far out, the app itself counted, but no less than :data:`TESTS` times what the score itself
    says: of many apps that do much the same one is the farthest, too. It is 1 where there is no
    score, and of fewer apps than :data:`LEAST_APPS`. The farthest scores are of shape (n_apps,
    n_days).

    >>> scores = np.array([[[4.0, 0.1]], [[2.0, 0.3]], [[0.1, 0.2]], [[0.0, 0.1]]])
    >>> rate_beside(np.concatenate([scores, scores[2:]]))[0][:2].round(2).tolist()
    [[[0.07, 1.0]], [[0.13, 1.0]]]
    """
    known = ~np.isnan(scores).all(axis=(1, 2))
    filled = np.nan_to_num(scores)
    far = filled.max(axis=2)
    farthest = far.max(axis=1)
    ranked = np.sort(farthest[known])
    if len(ranked) < LEAST_APPS:
        return np.ones(scores.shape), far
    above = len(ranked) - np.searchsorted(ranked, filled, side="left")
    # each is at least as far out as itself, but counts itself once whichever number it is
    own = filled > farthest[:, None, None] - 1e-12
    of = max(len(ranked), min(FULL, (1.0 + LEFT_OUT) * len(ranked)))
    p = np.maximum((above + ~own) / of, TESTS * 10.0**-filled)
    return np.where(np.isnan(scores), 1.0, np.minimum(p, 1.0)), far
