"""A finding of a report as an object: shows itself, and leads to its rows, its plot, its steps."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from audit_analytics.errors import InputError
from audit_analytics.report._names import speak_as
from audit_analytics.report._tables import tabulate_evidence, tabulate_steps
from audit_analytics.report._telling import tell_briefly, tell_finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes


class Finding:
    """One finding of a report; everything findings.json says of it is an attribute, as it stands there.

    ``entity``, ``sentence``, ``reasons``, ``next_steps`` and so on; ``dir()`` lists them.

    Parameters
    ----------
    data, report : mapping of str to Any
        The finding and its report as they stand in findings.json.
    """

    def __init__(self, data: Mapping[str, Any], report: Mapping[str, Any]) -> None:
        self.data = data
        self._report = report

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - JSON values
        # a copy being made asks before there is any data
        known = self.__dict__.get("data", {})
        if name not in known:
            raise AttributeError(
                f"a finding has no {name!r}; it has {', '.join(known)}", name=name, obj=self
            )
        return known[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.data})

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """Return the log entries behind it, a row each by time, 20 at most.

        ``at`` is datetime64[us, UTC], ``local`` text in the tenant's zone; ``attrs["more_count"]`` calls
        are not shown.
        """
        table = tabulate_evidence(self.data["evidence"]["rows"])
        table = table.sort_values("at", kind="stable", ignore_index=True)
        table.attrs["more_count"] = self.data["evidence"]["more_count"]
        return table

    def timeline(self) -> pd.DataFrame:
        """Return what happened, in order: of all reasons, and what stayed below the budget.

        Returns
        -------
        pandas.DataFrame
            One row per step, like calls from one address without a long pause, by ``at``, its
            first call (UTC), with ``end_at``, ``app_id``, ``ip``, ``api``, ``apis_count``,
            ``outcome``, ``calls_count`` and ``told``; what is several is NA.
        """
        return tabulate_steps(self.data)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Plot what was observed against what was expected, as on its card in report.html.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; without it a new pyplot figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.

        Raises
        ------
        InputError
            The finding is about nothing that is counted hour by hour.
        """
        series = self.data["series"]
        if not series:
            raise InputError(
                f"finding {self.data['finding_id']} has no series to plot; its rows are in "
                ".evidence, its steps in .timeline()"
            )
        from audit_analytics import plots  # noqa: PLC0415 - loads matplotlib

        window = (self.data["start_at"], self.data["end_at"])
        with speak_as(self._report):
            return plots.finding_series(
                series, window=window, zone=self._report["tenant_zone"], ax=ax
            )

    def explain(self) -> str:
        """Tell its whole story.

        Returns
        -------
        str
            Lines to print, safe for a terminal, in the report's language.
        """
        evidence = self.data["evidence"]
        with speak_as(self._report):
            return tell_finding(
                self.data, self._report, rows=evidence["rows"], more_count=evidence["more_count"]
            )

    def __repr__(self) -> str:
        with speak_as(self._report):
            return tell_briefly(self.data, self._report)

    def _repr_html_(self) -> str:
        from audit_analytics.report._html import render_card  # noqa: PLC0415 - loads matplotlib

        return render_card(self.data, self._report)
