"""What a report is built from."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import floor_hour
from audit_analytics.dates.calendar import DaysOff
from audit_analytics.dates.weeks import Week, find_end
from audit_analytics.detect import Detection, cut
from audit_analytics.findings import Finding, FollowUp, Story
from audit_analytics.inventory import Inventory, Origins
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

    @cached_property
    def past_hours(self) -> NDArray[np.bool_]:
        """Hours of history and week that the log could cover by now: those after its end not."""
        hours = self.detection.panel.grid.hours
        if self.week.since_at is None:
            return np.ones(len(hours), dtype=bool)
        return np.asarray(hours < find_end(self.calls.by_api["last_at"], zone=self.week.zone))

    @cached_property
    def asked_hours(self) -> NDArray[np.bool_]:
        """Hours the report is about: the week's, or those since the instant asked for."""
        grid = self.detection.panel.grid
        asked = (grid.week == 0) & self.past_hours
        if self.week.since_at is not None:
            asked &= np.asarray(grid.ends > self.week.since_at)
        return np.asarray(asked)


def in_asked(data: ReportInput, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the hours the report is about."""
    rows, since = in_week(data, table), data.week.since_at
    if since is None:
        return rows
    # the hour in which it lies is asked for as a whole
    return rows[rows["bucket_at"] >= floor_hour(since, data.week.zone)]


def in_week(data: ReportInput, table: pd.DataFrame, *, back: int = 0) -> pd.DataFrame:
    """Return the rows of the report week, or of one `back` weeks before it."""
    week = data.week.shifted(-back)
    return cut(table, "bucket_at", week.start_at, week.end_at)


def sum_hours(
    data: ReportInput, table: pd.DataFrame, columns: list[str], *, back: int = 0
) -> pd.DataFrame:
    """Sum the rows of the report week, or of one before it: a row for every hour."""
    rows = in_week(data, table, back=back)
    hours = data.week.shifted(-back).hours
    return rows.groupby("bucket_at")[columns].sum().reindex(hours, fill_value=0)
