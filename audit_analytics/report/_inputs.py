"""What a report is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from audit_analytics.dates.buckets import floor_hour
from audit_analytics.dates.calendar import DaysOff
from audit_analytics.dates.weeks import Week, find_end
from audit_analytics.detect import cut
from audit_analytics.inventory import Inventory, Origins

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from audit_analytics.cases import Hit
    from audit_analytics.detect import Detection
    from audit_analytics.findings import Finding, FollowUp, Story
    from audit_analytics.rollup import Rollup
    from audit_analytics.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ReportInput:
    """Everything the report is built from.

    Parameters
    ----------
    week, settings : Week and Settings
        The report week, and the settings of the run.
    ingest, reject_reasons : dict of str to int
        ``rows_read``, ``events``, ``duplicates`` and ``rejects``; rejected rows by reason.
    calls : Rollup
        The whole log as hourly counts.
    detection : Detection
        What the engine found.
    hits : list of Hit
        From engine and rules, but for those that are suppressed.
    findings : list of Finding
        Ranked.
    follow_up : FollowUp
        What became of them from week to week, and what was suppressed.
    stories : list of Story
        Findings that belong together.
    days_off : DaysOff, optional
        Exceptions from the working week.
    inventory, origins : Inventory and Origins, optional
        Who the apps are, and where addresses are from.
    permissions_before : dict, optional
        What the report of the week before said of permissions.
    watch : dict of str to Any
        What was a little unusual over the last weeks, and is no finding.
    """

    week: Week
    settings: Settings
    ingest: dict[str, int]
    reject_reasons: dict[str, int]
    calls: Rollup
    detection: Detection
    hits: list[Hit]
    findings: list[Finding]
    follow_up: FollowUp
    stories: list[Story] = field(default_factory=list)
    days_off: DaysOff = field(default_factory=DaysOff)
    inventory: Inventory = field(default_factory=Inventory)
    origins: Origins = field(default_factory=Origins)
    permissions_before: dict[str, Any] | None = None
    watch: dict[str, Any] = field(default_factory=lambda: {"rows": [], "cases": []})

    def past_hours(self) -> NDArray[np.bool_]:
        """Return which hours of history and week the log could cover by now.

        Returns
        -------
        numpy.ndarray of bool of shape (n_hours,)
            All of them, but those after the log's end if the week is still in progress.
        """
        hours = self.detection.panel.grid.hours
        if self.week.since_at is None:
            return np.ones(len(hours), dtype=bool)
        return np.asarray(hours < find_end(self.calls.by_api["last_at"], zone=self.week.zone))

    def asked_hours(self) -> NDArray[np.bool_]:
        """Return which hours the report is about.

        Returns
        -------
        numpy.ndarray of bool of shape (n_hours,)
            Those of the week, or those since the instant that was asked for.
        """
        grid = self.detection.panel.grid
        asked = (grid.week == 0) & self.past_hours()
        if self.week.since_at is not None:
            asked &= np.asarray(grid.ends > self.week.since_at)
        return np.asarray(asked)

    def in_asked(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the hours the report is about.

        Parameters
        ----------
        table : pandas.DataFrame
            Rows of the hourly rollup.

        Returns
        -------
        pandas.DataFrame
            Rows of the week, or of its hours since the instant that was asked for.
        """
        rows, since = self.in_week(table), self.week.since_at
        if since is None:
            return rows
        # the hour in which it lies is asked for as a whole
        return rows[rows["bucket_at"] >= floor_hour(since, self.week.zone)]

    def in_week(self, table: pd.DataFrame, *, back: int = 0) -> pd.DataFrame:
        """Return the rows of the report week, or of one before it.

        Parameters
        ----------
        table : pandas.DataFrame
            Rows of the hourly rollup.
        back : int, default=0
            Weeks before the report week.

        Returns
        -------
        pandas.DataFrame
            Rows of that week.
        """
        week = self.week.shifted(-back)
        return cut(table, "bucket_at", week.start_at, week.end_at)

    def sum_hours(self, table: pd.DataFrame, columns: list[str], *, back: int = 0) -> pd.DataFrame:
        """Sum the rows of the report week, or of one before it, hour by hour.

        Parameters
        ----------
        table : pandas.DataFrame
            Rows of the hourly rollup.
        columns : list of str
            Counts to sum.
        back : int, default=0
            Weeks before the report week.

        Returns
        -------
        pandas.DataFrame
            One row for every hour of that week.
        """
        rows = self.in_week(table, back=back)
        hours = self.week.shifted(-back).hours
        return rows.groupby("bucket_at")[columns].sum().reindex(hours, fill_value=0)
