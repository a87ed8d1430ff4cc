"""A week that is scored: which hours and days it has, and what its past was fitted to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from audit_analytics.detect.baseline import Baseline
    from audit_analytics.detect.panel import Panel


@dataclass(frozen=True)
class WeekFrame:
    """One scored week: its hours and days, and the weights of its baseline.

    Parameters
    ----------
    panel : Panel
        The tenant.
    scored : int
        Week number, 0 for the report week.
    uncut : Panel, optional
        The tenant with the hours that `panel` forgot, see :meth:`Panel.after`; `panel` if not
        given.
    """

    panel: Panel
    scored: int
    uncut: Panel | None = None
    fitted: dict[tuple[str, int], tuple[Baseline, NDArray[np.float64]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def fit_once(
        self,
        fit: Callable[[WeekFrame, NDArray[np.float64]], Baseline],
        counts: NDArray[np.float64],
    ) -> Baseline:
        """Fit a baseline, or return it where another group asked for it before.

        Parameters
        ----------
        fit : callable
            ``fit(frame, counts) -> Baseline``.
        counts : numpy.ndarray of shape (n_apps, n_hours)
            Counts over the whole grid; not to be changed in place afterwards.

        Returns
        -------
        Baseline
            The same for the same array.
        """
        key = fit.__name__, id(counts)
        if key not in self.fitted:
            # with the counts, or another array could get their id
            self.fitted[key] = fit(self, counts), counts
        return self.fitted[key][0]

    @property
    def whole(self) -> WeekFrame:
        """Return the week with no hour forgotten: what adds up over days needs all of them.

        Returns
        -------
        WeekFrame
            The same week.
        """
        if self.uncut is None or self.uncut is self.panel:
            return self
        return WeekFrame(self.uncut, self.scored)

    @property
    def hours(self) -> NDArray[np.intp]:
        """Return the hours of the week.

        Returns
        -------
        numpy.ndarray of shape (n_hours_of_week,)
            Positions in the grid.
        """
        return np.flatnonzero(self.panel.grid.week == self.scored)

    @property
    def days(self) -> list[int]:
        """Return the local days of the week.

        Returns
        -------
        list of int
            Day numbers of the grid, rising.
        """
        return self.panel.grid.days(self.scored)
