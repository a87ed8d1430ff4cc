"""Whose past a score is compared with: that of entities which are as restless as this one.

The same score means different things. A job that polls every minute brings, in a year, no score
that a job at irregular hours does not bring every week; among all apps of a tenant the irregular
ones make the tail, and twice as many calls of a poller drown in it. So the reference is divided
into classes (Mondrian conformal prediction: Vovk, Lindsay, Nouretdinov and Gammerman 2003, Working
Paper 4 of the On-line Compression Modelling Project; Vovk, Gammerman and Shafer 2005, Algorithmic
Learning in a Random World, section 4.5), which keeps every probability honest within its class.

An entity's class in a week is known from its other weeks alone, the one that brought most left out
(what happened once is an incident, perhaps the one that is still going on): seldom heard, or else
by the greatest score of those weeks, in as many classes as there is reference for.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.detect._calibrate import rate_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit_analytics.detect._rows import Rows

FOLDS: Final = 5
"""An entity is compared with those of the other folds; its own past is weighed apart. A tenant with
fewer than two entities a fold is too small for that: the others may never do what this one does."""

CLASSES: Final = 4
"""Classes of those that are heard on most days."""

HEARD: Final = 0.5
"""On fewer of its days an entity is seldom heard: mostly at 0, and far out whenever it is not."""

MIN_ROWS: Final = 400
MIN_CLASS: Final = 200
"""Scores of past days that a division needs, and each class."""

SELDOM: Final = 0
EVERY: Final = -1
"""Class of those that nothing is known of: compared with all."""


def rate_by_peers(
    scores: NDArray[np.float64], rows: Rows, is_past: NDArray[np.bool_], *, divided: bool
) -> NDArray[np.float64]:
    """Rate every score among the past days of other entities of its class: -log10 of a probability.

    `scores` are of past days (`is_past`) and of those that are judged, of shape (n_rows,
    n_windows), NaN where not tested. They are `divided` into classes unless days are compared with
    single other days.
    """
    many = len(np.unique(rows.entity[is_past])) >= 2 * FOLDS
    fold = rows.entity % FOLDS if many else np.zeros(len(scores), dtype=np.intp)
    z = np.full(scores.shape, np.nan)
    for column in range(scores.shape[1]):
        score = scores[:, column]
        known = ~np.isnan(score)
        classes = _find_classes(score, rows, is_past) if divided else np.full(len(score), EVERY)
        for one, part in product(np.unique(classes[known]), np.unique(fold)):
            mine = known & (classes == one) & (fold == part)
            peers = known & is_past & ((classes == one) | (one == EVERY))
            peers &= (fold != part) | (not many)
            z[mine, column] = -np.log10(rate_groups(score[peers, None], score[mine, None])[:, 0])
    return z


def _find_classes(
    score: NDArray[np.float64], rows: Rows, is_past: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return the class of each row by what the entity's other weeks brought.

    `score` is NaN where not tested; `is_past` marks the rows that the classes are drawn from. The
    class is ``EVERY`` where there are fewer than two other weeks, or too few rows to divide.

    >>> from audit_analytics.detect._rows import Rows
    >>> calm, restless = np.tile([1.0, 1.1], 400), np.tile([5.0, 9.0], 400)
    >>> rows = Rows(np.repeat(np.arange(200), 8), np.tile(np.repeat([-4, -3, -2, -1], 2), 200))
    >>> every = np.ones(1600, dtype=bool)
    >>> classes = _find_classes(np.concatenate([calm, restless]), rows, every)
    >>> np.unique(classes[:800]), np.unique(classes[800:])
    (array([1]), array([3]))
    """
    known = ~np.isnan(score)
    classes = np.full(len(score), EVERY, dtype=np.intp)
    unrest, heard = _recall(score, rows, known)
    usable = known & is_past & ~np.isnan(unrest)
    if usable.sum() < MIN_ROWS:
        return classes
    often = ~np.isnan(unrest) & (heard >= HEARD)
    classes[~np.isnan(unrest) & ~often] = SELDOM
    drawn = unrest[often & usable]
    if len(drawn):
        edges = np.unique(np.quantile(drawn, np.arange(1, CLASSES) / CLASSES))
        classes[often] = 1 + np.searchsorted(edges, unrest[often], side="left")
    counts = np.bincount(classes[usable], minlength=CLASSES + 1)
    classes[(classes >= 0) & (counts[classes] < MIN_CLASS)] = EVERY
    return classes


def _recall(
    score: NDArray[np.float64], rows: Rows, known: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the greatest score of other weeks but one, and the share of their days above 0."""
    weeks, week = np.unique(rows.week, return_inverse=True)
    if len(weeks) < 3:
        return np.full(len(score), np.nan), np.zeros(len(score))
    shape = (int(rows.entity.max(initial=-1)) + 1, len(weeks))
    cell, own = rows.entity * len(weeks) + week, (rows.entity, week)

    def count_others(which: NDArray[np.bool_]) -> NDArray[np.intp]:
        days = np.bincount(cell[which], minlength=shape[0] * shape[1]).reshape(shape)
        return np.asarray(days.sum(axis=1)[rows.entity] - days[own])

    greatest = np.full(shape[0] * shape[1], -np.inf)
    np.maximum.at(greatest, cell[known], score[known])
    others = greatest.reshape(shape)[rows.entity]
    np.put_along_axis(others, week[:, None], -np.inf, axis=1)
    unrest = np.partition(others, -2, axis=1)[:, -2]
    heard = count_others(known & (np.nan_to_num(score) > 0)) / np.maximum(count_others(known), 1)
    return np.where(np.isinf(unrest), np.nan, unrest), heard
