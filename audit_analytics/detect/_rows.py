"""Whose days the rows of a table of scores are, week below week."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """Whose days the rows of a score table are."""

    # position of the entity, and number of the week (0 for the report week); (n_rows,)
    entity: NDArray[np.intp]
    week: NDArray[np.intp]

    def worst(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the greatest score of each entity and week, in no order that means anything.

        >>> Rows(np.array([7, 7, 8]), np.array([-1, -1, -1])).worst(np.array([2.0, 5.0, 1.0]))
        array([5., 1.])
        """
        worst = np.full(int(self._cell.max(initial=-1)) + 1, -np.inf)
        np.maximum.at(worst, self._cell, scores)
        return worst

    def add_up(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of the scores of each entity and week, in the order of :meth:`worst`.

        >>> Rows(np.array([7, 7, 8]), np.array([-1, -1, -1])).add_up(np.array([2.0, 5.0, 1.0]))
        array([7., 1.])
        """
        return np.asarray(np.bincount(self._cell, scores), dtype=float)

    def and_then(self, other: Rows) -> Rows:
        """Return these rows and others below them."""
        return Rows(
            np.concatenate([self.entity, other.entity]), np.concatenate([self.week, other.week])
        )

    @cached_property
    def _cell(self) -> NDArray[np.intp]:
        _, cell = np.unique(np.stack([self.entity, self.week]), axis=1, return_inverse=True)
        return cell.ravel()

    def count_entities(self) -> list[int]:
        """Return how many entities each week has, by week, in rising order."""
        pairs = np.unique(np.stack([self.week, self.entity]), axis=1)
        return [int(count) for count in np.unique(pairs[0], return_counts=True)[1]]


def stack_weeks(
    scores: Mapping[int, NDArray[np.float64]], groups: int
) -> tuple[NDArray[np.float64], Rows]:
    """Put the scores of past weeks below each other, and say whose they are.

    Each is of shape (n_entities, n_days, n_groups); days of NaN are left out. Without any week the
    number of groups is not known from the scores.

    >>> past, rows = stack_weeks({-2: np.array([[[1.0], [np.nan]]]), -1: np.array([[[2.0]]])}, 1)
    >>> past.ravel().tolist(), rows.week.tolist()
    ([1.0, 2.0], [-2, -1])
    """
    known = {week: ~np.isnan(table).all(axis=2) for week, table in scores.items()}
    past = np.concatenate([np.empty((0, groups)), *(scores[w][known[w]] for w in scores)])
    entity = np.concatenate([np.empty(0, np.intp), *(np.nonzero(known[w])[0] for w in scores)])
    days = [int(days.sum()) for days in known.values()]
    return past, Rows(entity, np.repeat(np.array([*scores], dtype=np.intp), days))
