"""The surprise group of slow signals: what adds up over days although no day stands out.

A leak that reads a few more objects every hour hides in the noise of each day. Over several days
the noise of independent days grows with the square root of their number, the leak with the number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.detect._baseline import count_surprise
from audit_analytics.detect._panel import by_day
from audit_analytics.detect._surprise import Surprise, fit_daily

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit_analytics.detect._frame import WeekFrame

SPANS: Final = (2, 4, 7)
"""Days that are added up; all within the scored week."""

MIN_NAMED: Final = 0.02

MAX_DEVIATIONS: Final = 3.0
"""How much one day can bring, in standard deviations: a burst is no slow signal, and must not be
told again on each of the days after it."""


def score_spans(frame: WeekFrame, counts: NDArray[np.float64]) -> list[Surprise]:
    """Score counts over several days against the app's own past.

    One per length of SPANS: the span that ends on each day; score 0 where the week is too young for
    it.
    """
    grid, days = frame.panel.grid, np.array(frame.days)
    base, slot = fit_daily(frame, counts), grid.day_slot[days]
    # of a day the log says nothing about nothing was expected
    observed, mean = by_day(counts, grid.day)[:, days], base.mean[:, slot] * ~grid.unlogged[days]
    noise = mean + base.dispersion[:, None] * mean**2
    # the doubt about a mean is the same on each day it is the mean of: it adds up, noise does not
    doubt = np.sqrt(noise / np.maximum(base.weight[:, slot], 0.1))
    capped = np.minimum(observed, mean + MAX_DEVIATIONS * np.sqrt(noise))

    def score_span(length: int) -> Surprise:
        expected = _add_up(mean, length)
        variance = _add_up(noise, length) + _add_up(doubt, length) ** 2
        size = np.maximum(expected, 1e-9) ** 2 / np.maximum(variance - expected, 1e-9)
        score = count_surprise(_add_up(capped, length), expected, size)
        score[:, : length - 1] = 0.0
        start = grid.first_hour[days[np.maximum(np.arange(len(days)) - length + 1, 0)]]
        shape = score.shape
        return Surprise(
            score=score,
            observed=_add_up(observed, length),
            expected=expected,
            size=size,
            hour=np.broadcast_to(start, shape),
            hours=np.broadcast_to(grid.first_hour[days] + grid.day_hours[days] - start, shape),
            label=np.full(shape, "", dtype=object),
        )

    return [score_span(length) for length in SPANS]


def name_objects(frame: WeekFrame) -> bool:
    """Return whether more than one in fifty calls of the tenant's past name what they are about."""
    past = frame.taught
    objects, calls = (frame.panel.counts[name][past].sum() for name in ("objects", "calls"))
    return bool(objects > MIN_NAMED * calls)


def _add_up(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Return the sums of each day and the days before it, as far as there are any."""
    sums: NDArray[np.float64] = np.cumsum(values, axis=1)
    sums[:, length:] -= sums[:, :-length].copy()
    return sums


def require_excess(surprise: Surprise, least: float, *, otherwise: float = 0.0) -> Surprise:
    """Keep what is surprising by more than a handful: `least` more than expected.

    `otherwise` is the greatest score where it is not. With 0 an ordinary day counts as one without
    a call, and who has few others is compared with those who are seldom heard.
    """
    enough = surprise.observed - surprise.expected >= least
    capped = np.minimum(surprise.score, otherwise)
    return replace(surprise, score=np.where(enough, surprise.score, capped))
