"""What changed for many apps at once, on one day and in one way.

A Monday on which half of the apps call five times as much is one story, not a hundred. On such a
day a score is no surprise because the past has none like it: what counts is whether an app stands
out from what all of them did. So the scores of that group and day are rated against each other as
well, and the less surprising of both ratings holds. The same is done to such days of the past, or
one of them would make every later week look calm.

A day is common to a group if at least eight apps, and a fifth of those tested, had a score that
one app-day in a hundred has, and three times as large a share as on all but the busiest tenth of
the other days. (Chance alone lets one in a hundred through; a fifth is twenty times that.) Of twenty
apps a tenth is enough: where most apps seldom call, a Saturday on which everybody works instead of a
holiday wakes no more of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.detect._calibrate import Calibrator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LOUD: Final = 2.0
"""-log10 of one in a hundred."""

MIN_APPS: Final = 8
MIN_SHARE: Final = 0.2
MANY_APPS: Final = 20
MANY_SHARE: Final = 0.1
TIMES_USUAL: Final = 3.0
USUAL_QUANTILE: Final = 0.9


@dataclass(frozen=True)
class Common:
    """A change that many apps had in common."""

    group: int  # position of the surprise group
    day: int  # day of the report week, from 0
    apps: NDArray[np.intp]  # positions of the apps that stood out, the loudest first; (n_loud,)
    tested: int  # how many apps could have


def find_common(z: Mapping[int, NDArray[np.float64]]) -> dict[int, list[Common]]:
    """Find the days on which many apps stood out in the same way, by week.

    `z` says by week how rare each app-day is in each group, -log10 of a probability, of shape
    (n_apps, n_days, n_groups), NaN where it was not tested.
    """
    loud = {week: (scores >= LOUD).sum(axis=0) for week, scores in z.items()}
    tested = {week: (~np.isnan(scores)).sum(axis=0) for week, scores in z.items()}
    share = {week: loud[week] / np.maximum(tested[week], 1) for week in z}
    found: dict[int, list[Common]] = {}
    for week, scores in z.items():
        # the report week has no say in what is usual
        others = [share[w] for w in z if w not in (0, week)]
        usual = np.quantile(np.concatenate(others), USUAL_QUANTILE, axis=0) if others else 0.0
        common = (loud[week] >= MIN_APPS) & (share[week] >= MIN_SHARE)
        common |= (loud[week] >= MANY_APPS) & (share[week] >= MANY_SHARE)
        common &= share[week] >= TIMES_USUAL * usual
        found[week] = []
        for day, group in np.argwhere(common):
            seen = np.nan_to_num(scores[:, day, group], nan=-np.inf)
            order = np.argsort(-seen, kind="stable")
            apps = order[: int(loud[week][day, group])]
            found[week].append(Common(int(group), int(day), apps, int(tested[week][day, group])))
    return found


def rate_against_each_other(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how rare the scores of a common day are among themselves.

    -log10 of the share that scored as much, never more than the score itself; NaN where an app was
    not tested.

    >>> rate_against_each_other(np.array([5.0, 5.0, 5.0, np.nan, 0.1])).round(1)
    array([0.1, 0.1, 0.1, nan, 0. ])
    """
    rated = -np.log10(Calibrator(scores).extrapolate(scores))
    return np.where(np.isnan(scores), np.nan, np.minimum(scores, rated) + 0.0)
