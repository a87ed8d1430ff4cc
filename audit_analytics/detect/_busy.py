"""When on a day it was: the hours that most of a day's count falls into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_DAY_HOURS: Final = 25
"""A day in which the clocks change has 23 or 25 hours."""

BUSY_SHARE: Final = 0.8
BUSY_HOURS: Final = 6
"""A day's count of which so much falls into a quarter of the day is said to be from then."""


def find_busy_hours(counts: NDArray[np.float64]) -> tuple[int, int] | None:
    """Return the shortest stretch of a day that most of its count falls into, if it is a short one.

    First hour and the hour after the last: at most six hours that hold four fifths.

    >>> find_busy_hours(np.array([0, 0, 5, 7, 1, 0, 0]))
    (2, 4)
    >>> find_busy_hours(np.ones(24)) is None
    True
    """
    sums = np.r_[0.0, np.cumsum(counts)]
    for length in range(1, min(BUSY_HOURS, len(counts)) + 1):
        inside = sums[length:] - sums[:-length]
        if inside.max() >= BUSY_SHARE * sums[-1]:
            first = int(inside.argmax())
            return first, first + length
    return None
