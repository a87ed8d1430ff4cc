"""From hourly counts to what every detector judges: one way for a report and for a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit_analytics.dates.weeks import find_begin
from audit_analytics.detect._detector import choose_thresholds
from audit_analytics.detect._grid import build_grid
from audit_analytics.detect._metric import add_metrics
from audit_analytics.detect._panel import build_panel
from audit_analytics.detect._stuffing import StuffingThresholds, set_aside_stuffing
from audit_analytics.rollup import Rollup

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    import pandas as pd

    from audit_analytics.dates.weeks import Week
    from audit_analytics.detect._detector import Thresholds
    from audit_analytics.detect._panel import Panel


def lay_out(
    calls: Rollup,
    logged: pd.DataFrame,
    week: Week,
    *,
    thresholds: Thresholds,
    history_weeks: int,
    holidays: Collection[date] = (),
    working_days: Collection[date] = (),
) -> tuple[Panel, Rollup]:
    """Lay out the apps' hours of history and report week.

    Parameters
    ----------
    calls : Rollup
        The hourly counts that are judged.
    logged : pandas.DataFrame
        The hourly counts by API of everything that was logged until the week's end: where a log
        begins and what it misses does not depend on who is judged.
    week : Week
        The report week.
    thresholds : Thresholds
        Thresholds of the rules.
    history_weeks : int
        Weeks of history before the week.
    holidays, working_days : collection of date, default=()
        Exceptions from the working week.

    Returns
    -------
    panel : Panel
        The apps, hour by hour.
    judged : Rollup
        `calls` without the failures of credential stuffing, which are no app's own.
    """
    by_api, by_ip = set_aside_stuffing(
        calls.by_api, calls.by_ip, choose_thresholds(thresholds, StuffingThresholds)
    )
    grid = build_grid(
        week,
        history_weeks=history_weeks,
        # a week before the log begins has no history, and is all gap
        first_at=(week.end_at if logged.empty else find_begin(logged["bucket_at"], zone=week.zone)),
        last_at=logged["last_at"].max(),
        calls_at=logged["bucket_at"],
        holidays=holidays,
        working_days=working_days,
    )
    panel = add_metrics(build_panel(by_api, grid), by_api)
    return panel, Rollup(by_api, by_ip, calls.bucket)
