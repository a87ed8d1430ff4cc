"""The week in numbers: totals, ranks, and the series behind every plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from audit_analytics import schema
from audit_analytics.buckets import format_utc
from audit_analytics.detect import expect_week
from audit_analytics.report.wording import share_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from audit_analytics.findings import Finding
    from audit_analytics.report.inputs import ReportInput

TOP: Final = 10
METRICS: Final = {
    "TOK": ("token", "token requests"),
    "SENS": ("sensitive", "calls of sensitive APIs"),
}
ERROR_DETECTORS: Final = {"rule:probing": "permission", "rule:enumeration": "not_found"}


def build_series(data: ReportInput, finding: Finding) -> dict[str, Any] | None:
    """Return the hourly counts of a finding's entity with the expected band.

    Parameters
    ----------
    data : ReportInput
        Everything there is to say.
    finding : Finding
        The finding to draw.

    Returns
    -------
    dict of str to Any or None
        Part of the report dict; None for the platform.
    """
    panel, hours = data.detection.panel, data.week.hours
    if finding.entity_type == "app" and finding.entity in panel.apps:
        metric, what = _choose_metric(data, finding)
        found = expect_week(panel, metric)
        app = panel.apps.get_loc(finding.entity)
        observed, expected = found.observed[app], found.expected[app]
        low, high = found.low[app], found.high[app]
    elif finding.entity_type == "ip":
        rows = data.in_week(data.calls.by_ip, "bucket_at")
        rows = rows[rows["ip"] == finding.entity]
        per_hour = rows.groupby("bucket_at")["calls_count"].sum().reindex(hours, fill_value=0)
        observed, what = per_hour.to_numpy(dtype=float), "calls"
        expected = low = high = np.full(len(observed), np.nan)
    else:
        return None
    return {
        "bucket": "1h",
        "start_at": format_utc(hours[0]),
        "observed": [int(value) for value in observed],
        "expected": _numbers(expected),
        "low": _numbers(low),
        "high": _numbers(high),
        "what": f"{what} an hour",
    }


def _choose_metric(data: ReportInput, finding: Finding) -> tuple[str, str]:
    """Return which counts to draw: those that the finding's first reason is about."""
    first = finding.detectors[0]
    own = [h for h in data.hits if (h.entity, h.detector) == (finding.entity, first)]
    outcome = own[0].facts["label"] if first == "ERR" else ERROR_DETECTORS.get(first)
    if outcome:
        return outcome, f"{outcome.replace('_', ' ')} errors"
    return METRICS.get(first, ("calls", "calls"))


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 2) for value in values]


def build_totals(data: ReportInput, week_events: pd.DataFrame) -> dict[str, Any]:
    """Count the calls and errors of the week and of the one before.

    Parameters
    ----------
    data : ReportInput
        Everything there is to say.
    week_events : pandas.DataFrame
        Events of the report week.

    Returns
    -------
    dict of str to Any
        Part of the report dict.
    """
    outcomes = week_events["outcome"].astype("str").value_counts()
    before = data.in_week(data.calls.by_api, "bucket_at", back=1)
    errors = [f"{name}_count" for name in schema.ERROR_OUTCOMES]
    return {
        "calls_count": len(week_events),
        "errors_count": int(outcomes.reindex(schema.ERROR_OUTCOMES, fill_value=0).sum()),
        "apps_count": int(week_events["app_id"].nunique()),
        "ips_count": int(week_events["ip"].nunique()),
        "apis_count": int(week_events["api"].nunique()),
        "by_outcome": {name: int(outcomes.get(name, 0)) for name in schema.OUTCOMES},
        "previous_week_calls_count": int(before["calls_count"].sum()) if len(before) else None,
        "previous_week_errors_count": int(before[errors].to_numpy().sum()) if len(before) else None,
    }


def build_top(week_events: pd.DataFrame) -> dict[str, Any]:
    """Rank apps, addresses and APIs by their calls.

    Parameters
    ----------
    week_events : pandas.DataFrame
        Events of the report week.

    Returns
    -------
    dict of str to Any
        Part of the report dict.
    """
    errors = week_events["outcome"].isin(schema.ERROR_OUTCOMES)
    severity = (
        week_events[["api", "severity"]].astype("str").drop_duplicates("api").set_index("api")
    )

    def rank(column: str) -> list[dict[str, Any]]:
        table = errors.groupby(week_events[column].astype("str")).agg(["size", "sum"])
        table = (
            table.rename_axis("key")
            .reset_index()
            .sort_values(["size", "key"], ascending=[False, True])
        )
        return [
            {
                "name": row.key,
                "calls_count": int(row.size_),
                "errors_count": int(row.sum_),
                "share": share_of(row.size_, len(week_events)),
            }
            for row in table.rename(columns={"size": "size_", "sum": "sum_"}).head(TOP).itertuples()
        ]

    apis = [row | {"severity": severity.loc[row["name"], "severity"]} for row in rank("api")]
    return {"apps": rank("app_id"), "ips": rank("ip"), "apis": apis}


def _hourly(data: ReportInput) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    week = data.in_week(data.calls.by_api, "bucket_at")
    errors = week[[f"{name}_count" for name in schema.ERROR_OUTCOMES]].sum(axis=1)
    table = week.assign(errors=errors).groupby("bucket_at")[["calls_count", "errors"]].sum()
    table = table.reindex(data.week.hours, fill_value=0)
    return table["calls_count"].to_numpy(dtype="int64"), table["errors"].to_numpy(dtype="int64")


def build_tenant_series(data: ReportInput) -> dict[str, Any]:
    """Return the tenant's calls and errors hour by hour.

    Parameters
    ----------
    data : ReportInput
        Everything there is to say.

    Returns
    -------
    dict of str to Any
        Part of the report dict.
    """
    calls, errors = _hourly(data)
    panel = data.detection.panel
    week, known = expect_week(panel), data.detection.assessed
    total = spread = np.full(len(calls), np.nan)
    if known.any():
        total = week.expected[known].sum(axis=0)
        # apps vary independently of each other: their upper arms add up as variances do
        spread = np.sqrt(((week.high - week.expected)[known] ** 2).sum(axis=0))
    return {
        "bucket": "1h",
        "start_at": format_utc(data.week.hours[0]),
        "calls": calls.tolist(),
        "errors": errors.tolist(),
        "expected": _numbers(total),
        "low": _numbers(np.maximum(total - spread, 0)),
        "high": _numbers(total + spread),
        "missing": np.flatnonzero(panel.grid.gap[panel.grid.week == 0]).tolist(),
    }


def build_heatmap(data: ReportInput) -> dict[str, Any]:
    """Return calls and errors by day of the week and hour of the day.

    Parameters
    ----------
    data : ReportInput
        Everything there is to say.

    Returns
    -------
    dict of str to Any
        Part of the report dict.
    """
    local = data.week.hours.tz_convert(data.week.zone)
    tables = []
    for values in _hourly(data):
        table = np.zeros((7, 24), dtype="int64")
        np.add.at(table, (local.day_of_week, local.hour), values)
        tables.append(table.tolist())
    rows = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    return {"rows": rows, "calls": tables[0], "errors": tables[1]}
