"""A log that knows nothing of what was before: its apps are calibrated on each other.

Hours or days of a log are all there is of an incident that somebody cut out, or of a tool's first
day. Nothing in it has a past, but

- the log has parts: days, or, where there are too few of them, some hours each. What an app did in
  its other parts lets expect what it does in one, as days do of a young app. Who called already
  when the log began is taken to have been itself then, and what it did later speaks of that as well;
  who came later is judged by what it did before. So a job that fails from the first hour to the
  last, or one that calls ten times as often as all the others, is no news; one that begins to is.
- the apps are beside each other: what the others let expect of an app is known, and how far they are
  from it themselves. That says little, and does not say more than it knows. Few apps are no sample
  of a tenant: who cuts a log out of an incident takes those that have a part in it. Such as were
  left out stand beside them, so that half of the few can be told.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.dates.buckets import HOURS_PER_DAY
from audit_analytics.detect._first_days import FirstDays, describe_days
from audit_analytics.detect._panel import by_day
from audit_analytics.detect._random_effects import Prediction, fit_spreads, predict, score

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from audit_analytics.detect._grid import Grid
    from audit_analytics.detect._panel import Panel

LEAST_PARTS: Final = 12
"""Parts of a log that know what is usual. They are as long as there are so many of them: an hour
alone tells an app that works now and then from nobody."""

PARTED_DAYS: Final = 8
"""A log of no more days has no days to be left out of each other (of 18 attacks in logs of five days
parts find 14, days left out 9; of 55 in logs of ten days they list 27 and 34)."""

MASKED: Final = 100
"""Of so many apps one that is far out hides itself, where it is among those it is compared with."""

LEAST_APPS: Final = 5
"""Fewer do not say how apps differ."""

LEFT_OUT: Final = 1.5
"""So many apps stand in for those left out to one that is there, where there are few ..."""

FULL: Final = 50
"""... up to so many in all."""

TESTS: Final = 8
"""Of the numbers of a part about so many are independent tests, and each part brings as many."""


def is_parted(panel: Panel) -> bool:
    """Return whether a log is so short that its parts are compared rather than its days."""
    return int((~panel.grid.unlogged).sum()) <= PARTED_DAYS


def judge_beside(
    panel: Panel, by_ip: pd.DataFrame
) -> tuple[FirstDays, dict[str, Prediction], NDArray[np.float64], NDArray[np.float64]]:
    """Judge the parts of the days of every app; of each day the most unusual one stands for it.

    Returns what the days are like, what was expected, and p and the farthest scores as
    :func:`rate_beside` does. `by_ip` is over the whole log.
    """
    grid = panel.grid
    hours = np.flatnonzero(panel.counts["calls"].any(axis=0))
    first, last = (int(hours[0]), int(hours[-1])) if len(hours) else (0, len(grid.day) - 1)
    part = _part_days(grid, first=first, last=last)
    parted = replace(panel, grid=replace(grid, day=part))
    found = describe_days(parted, by_ip)
    begin = part[panel.first_inside]
    predicted = _predict_beside(found, begin, always=begin == part[first])
    p, far = rate_beside(score(found, predicted, found.active))
    active = by_day(panel.counts["calls"], grid.day) > 0
    chosen = _choose_parts(grid.day[parted.grid.first_hour], p.min(axis=2), far, len(active.T))
    row = np.arange(len(active))[:, None]
    days = FirstDays(
        **{
            kind: {name: values[row, chosen] for name, values in getattr(found, kind).items()}
            for kind in ("scale", "observed", "supported", "start", "hours")
        },
        active=active,
    )
    expected = {
        name: Prediction(mean[row, chosen], sd[row, chosen])
        for name, (mean, sd) in predicted.items()
    }
    return days, expected, p[row, chosen], far[row, chosen]


def _part_days(grid: Grid, *, first: int, last: int) -> NDArray[np.intp]:
    """Return the part of the log each hour lies in; days before it are one, days are never joined."""
    lengths = [n for n in range(1, HOURS_PER_DAY + 1) if HOURS_PER_DAY % n == 0]
    length = max((n for n in lengths if (last - first + 1) / n >= LEAST_PARTS), default=1)
    of_day = np.arange(len(grid.day)) - grid.first_hour[grid.day]
    begins = (of_day == 0) | ((of_day % length == 0) & (np.arange(len(grid.day)) >= first))
    return np.cumsum(begins) - 1


def _choose_parts(
    day: NDArray[np.intp], p: NDArray[np.float64], far: NDArray[np.float64], days_count: int
) -> NDArray[np.intp]:
    """Return of each day the part with the least p, the farthest of equals: (n_apps, n_days)."""
    chosen = np.empty((len(p), days_count), dtype=np.intp)
    for number in range(days_count):
        parts = np.flatnonzero(day == number)
        least = p[:, parts] == p[:, parts].min(axis=1, keepdims=True)
        chosen[:, number] = parts[np.where(least, far[:, parts], -1.0).argmax(axis=1)]
    return chosen


def _predict_beside(
    found: FirstDays, begin: NDArray[np.intp], *, always: NDArray[np.bool_]
) -> dict[str, Prediction]:
    """Return what all others, and its own other parts, let expect of each app."""
    predicted = predict(found, fit_spreads(found, found.active), found.active, begin, always=always)
    for app in range(len(begin) if len(begin) <= MASKED else 0):
        others = found.active.copy()
        others[app] = False
        spreads = fit_spreads(found, others)
        for name, own in predict(found, spreads, found.active, begin, always=always).items():
            predicted[name].mean[app], predicted[name].sd[app] = own.mean[app], own.sd[app]
    return {name: _widen(*prediction) for name, prediction in predicted.items()}


def _widen(mean: NDArray[np.float64], sd: NDArray[np.float64]) -> Prediction:
    """Expect no number more closely than counting allows.

    Most parts are alike in having none of what a number counts. The variance of log(1 + n) of a
    Poisson count n of mean m is about m / (1 + m)^2.
    """
    count = np.expm1(np.maximum(mean, 0.0))
    return Prediction(mean, np.maximum(sd, np.sqrt(count) / (1.0 + count)))


def rate_beside(
    scores: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many apps are as far from what the others let expect, and the farthest scores.

    `scores` are -log10 of how probable each number is by the other apps and the app's other parts,
    of shape (n_apps, n_parts, n_metrics), NaN in parts without a call. p is the share of the apps,
    those that were left out with them (:data:`LEFT_OUT`), whose farthest number of all parts is as
    far out, the app itself counted, but no less than what the score itself says times the tests
    that were made of the app (:data:`TESTS`): of many apps that do much the same one is the
    farthest, too. It is 1 where there is no score, and of fewer apps than :data:`LEAST_APPS`. The
    farthest scores are of shape (n_apps, n_parts).

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
    tests = TESTS * (~np.isnan(scores).all(axis=2)).sum(axis=1)
    p = np.maximum((above + ~own) / of, tests[:, None, None] * 10.0**-filled)
    return np.where(np.isnan(scores), 1.0, np.minimum(p, 1.0)), far
