"""A week that is scored: which hours and days it has, and what its past was fitted to."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from audit_analytics.detect._panel import by_day

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from audit_analytics.detect._panel import Panel

Fit = TypeVar("Fit")


@dataclass(frozen=True)
class WeekFrame:
    """One scored week: its hours and days, and the weights of its baseline."""

    panel: Panel  # the tenant
    scored: int  # week number, 0 for the report week
    # the tenant with the hours that `panel` forgot, see :meth:`Panel.after`; `panel` if not given
    uncut: Panel | None = None
    fitted: dict[tuple[str, int], tuple[Any, NDArray[np.float64]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def fit_once(
        self,
        fit: Callable[[WeekFrame, NDArray[np.float64]], Fit],
        counts: NDArray[np.float64],
    ) -> Fit:
        """Fit a baseline, or return it where another group asked for it before.

        `fit` is a function with a name of its own; `counts`, over the whole grid, are not to be
        changed in place afterwards.
        """
        key = fit.__name__, id(counts)
        if key not in self.fitted:
            # with the counts, or another array could get their id
            self.fitted[key] = fit(self, counts), counts
        found: Fit = self.fitted[key][0]
        return found

    @property
    def whole(self) -> WeekFrame:
        """Return the week with no hour forgotten: what adds up over days needs all of them."""
        if self.uncut is None or self.uncut is self.panel:
            return self
        return WeekFrame(self.uncut, self.scored)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Return :meth:`Panel.weights` of the week; not to be changed in place."""
        return self.panel.weights(self.scored)

    @cached_property
    def taught(self) -> NDArray[np.bool_]:
        """Return which hours of every app its baseline is fitted to: where its weight is not 0."""
        return self.weights > 0

    @cached_property
    def past_calls(self) -> NDArray[np.float64]:
        """Return how many calls of every app its baseline is fitted to."""
        return np.asarray((self.panel.counts["calls"] * self.taught).sum(axis=1))

    @cached_property
    def day_weights(self) -> NDArray[np.float64]:
        """Return the weight of every app's days: the mean of its hours', 0 if one is left out."""
        grid = self.panel.grid
        whole = by_day(self.taught, grid.day) == grid.day_hours
        return np.asarray(by_day(self.weights, grid.day) / grid.day_hours * whole)

    @cached_property
    def settled_calls(self) -> tuple[pd.DataFrame, NDArray[np.intp]]:
        """Return the rows of :attr:`Panel.api_calls` that were made in settled hours of the week.

        With each a number, the same for the same API and hour.
        """
        rows, panel = self.panel.api_calls, self.panel
        app, hour = (rows[name].to_numpy() for name in ("app", "hour"))
        rows = rows[(panel.grid.week[hour] == self.scored) & panel.settled[app, hour]]
        key = rows["api"].cat.codes.to_numpy(np.intp) * len(panel.grid.hours)
        return rows, key + rows["hour"].to_numpy()

    @property
    def hours(self) -> NDArray[np.intp]:
        """Return the hours of the week, as positions in the grid."""
        return np.flatnonzero(self.panel.grid.week == self.scored)

    @property
    def days(self) -> list[int]:
        """Return the local days of the week: day numbers of the grid, rising."""
        return self.panel.grid.days(self.scored)
