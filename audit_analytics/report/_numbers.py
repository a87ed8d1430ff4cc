"""The week in numbers: totals, ranks, and the series behind every plot."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import format_utc
from audit_analytics.detect import expect_app, expect_week, find_detector
from audit_analytics.findings import Finding
from audit_analytics.language import _, list_weekdays, mark
from audit_analytics.report._inputs import ReportInput, in_week, sum_hours
from audit_analytics.report._wording import share_of

TOP: Final = 10
METRICS: Final = {
    "calls": mark("calls an hour"),
    "objects": mark("objects an hour"),
    "token": mark("token requests an hour"),
    "sensitive": mark("calls of sensitive APIs an hour"),
    "auth": mark("auth errors an hour"),
    "permission": mark("permission errors an hour"),
    "not_found": mark("not found errors an hour"),
    "rate_limit": mark("rate limit errors an hour"),
    "param": mark("param errors an hour"),
    "server": mark("server errors an hour"),
    "other": mark("other errors an hour"),
}
"""What the plot of a finding counts; translated where the dict is built."""

ONE_API: Final = mark("calls of this API an hour")


def build_series(data: ReportInput, finding: Finding) -> dict[str, Any] | None:
    """Return hourly counts of a finding's entity with the expected band; None for the platform."""
    panel = data.detection.panel
    if finding.entity_type == "app" and finding.entity in panel.apps:
        first = _first_hit(data, finding)
        metric = first.facts.get("metric") or find_detector(first.detector).metric
        # a metric of the user's has its unit alone
        what = METRICS.get(metric, first.unit)
        if "narrow" in first.facts:
            panel, what = panel.narrow_to_api(first.facts["narrow"]), ONE_API
        app = panel.apps.get_loc(finding.entity)
        found = expect_app(panel, metric, app)
        observed, expected = found.observed[0], found.expected[0]
        low, high = found.low[0], found.high[0]
        counts, week = panel.counts[metric][app], panel.grid.week
        past = [counts[week == -back] for back in _weeks_back(data)]
    elif finding.entity_type == "ip":
        rows = data.calls.by_ip[data.calls.by_ip["ip"] == finding.entity]
        observed, what = _count_hours(data, rows, 0), METRICS["calls"]
        expected = low = high = np.full(len(observed), np.nan)
        past = [_count_hours(data, rows, back) for back in _weeks_back(data)]
    else:
        return None
    return {
        "bucket": "1h",
        "start_at": format_utc(data.week.start_at),
        "observed": [int(value) for value in observed],
        "expected": _numbers(expected),
        "low": _numbers(low),
        "high": _numbers(high),
        "what": _(what),
        "past": [
            {"week": data.week.shifted(-back).iso, "observed": [int(value) for value in counts]}
            for back, counts in zip(_weeks_back(data), past, strict=True)
        ],
    }


def _weeks_back(data: ReportInput) -> list[int]:
    """Return which weeks before the report week the log reaches, the oldest first."""
    begin = data.calls.by_api["bucket_at"].iloc[0]
    weeks = range(data.settings.history_weeks, 0, -1)
    return [back for back in weeks if data.week.shifted(-back).end_at > begin]


def _count_hours(data: ReportInput, rows: pd.DataFrame, back: int) -> NDArray[np.float64]:
    sums = sum_hours(data, rows, ["calls_count"], back=back)
    return np.asarray(sums["calls_count"], dtype=float)


def _first_hit(data: ReportInput, finding: Finding) -> Hit:
    """Return the reason that speaks first."""
    name = (finding.entity_type, finding.entity, finding.detectors[0])
    return next(h for h in data.hits if (h.entity_type, h.entity, h.detector) == name)


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 2) for value in values]


def build_totals(data: ReportInput) -> dict[str, Any]:
    """Count the calls and errors of the week and of the one before."""
    by_api, by_ip = data.calls.by_api, data.calls.by_ip
    week = in_week(data, by_api)
    before = in_week(data, by_api, back=1)
    outcomes = {name: int(week[f"{name}_count"].sum()) for name in schema.OUTCOMES}
    return {
        "calls_count": int(week["calls_count"].sum()),
        "errors_count": sum(outcomes[name] for name in schema.ERROR_OUTCOMES),
        "apps_count": int(week["app_id"].nunique()),
        "ips_count": int(in_week(data, by_ip)["ip"].nunique()),
        "apis_count": int(week["api"].nunique()),
        "by_outcome": outcomes,
        "previous_week_calls_count": int(before["calls_count"].sum()) if len(before) else None,
        "previous_week_errors_count": int(_count_errors(before).sum()) if len(before) else None,
    }


def build_top(data: ReportInput) -> dict[str, Any]:
    """Rank apps, addresses and APIs by their calls."""
    by_api = in_week(data, data.calls.by_api)
    by_ip = in_week(data, data.calls.by_ip)
    words = by_api[["api", "severity"]].drop_duplicates("api").astype("str")
    severity = words.set_index("api")["severity"]
    apis = [row | {"severity": severity[row["name"]]} for row in _rank(by_api, "api")]
    return {"apps": _rank(by_api, "app_id"), "ips": _rank(by_ip, "ip"), "apis": apis}


def _rank(week: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    counts = week[["calls_count"]].assign(name=week[column], errors_count=_count_errors(week))
    table = counts.groupby("name", observed=True).sum().reset_index().astype({"name": "str"})
    total = table["calls_count"].sum()
    table = table.sort_values(["calls_count", "name"], ascending=[False, True])
    return [
        {
            "name": name,
            "calls_count": int(calls),
            "errors_count": int(errors),
            "share": share_of(calls, total),
        }
        for name, calls, errors in table.head(TOP).itertuples(index=False)
    ]


def _count_errors(table: pd.DataFrame) -> pd.Series:
    return table[[f"{name}_count" for name in schema.ERROR_OUTCOMES]].sum(axis=1)


def _hourly(data: ReportInput) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    errors = [f"{name}_count" for name in schema.ERROR_OUTCOMES]
    table = sum_hours(data, data.calls.by_api, ["calls_count", *errors])
    return (
        table["calls_count"].to_numpy(dtype="int64"),
        table[errors].sum(axis=1).to_numpy(dtype="int64"),
    )


def build_tenant_series(data: ReportInput) -> dict[str, Any]:
    """Return the tenant's calls and errors hour by hour."""
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
        "start_at": format_utc(data.week.start_at),
        "calls": calls.tolist(),
        "errors": errors.tolist(),
        "expected": _numbers(total),
        "low": _numbers(np.maximum(total - spread, 0)),
        "high": _numbers(total + spread),
        "missing": np.flatnonzero(panel.grid.gap[panel.grid.week == 0]).tolist(),
    }


def build_heatmap(data: ReportInput) -> dict[str, Any]:
    """Return calls and errors by day of the week and hour of the day."""
    local = data.week.hours.tz_convert(data.week.zone)
    tables = []
    for values in _hourly(data):
        table = np.zeros((7, 24), dtype="int64")
        np.add.at(table, (local.day_of_week, local.hour), values)
        tables.append(table.tolist())
    return {"rows": list_weekdays(), "calls": tables[0], "errors": tables[1]}


MAX_SIDE: Final = 20
MAX_CELLS: Final = 400
"""Addresses, and pairs of address and app, of a plot that shows twelve by twelve."""


def build_charts(data: ReportInput) -> dict[str, Any]:
    """Count what the plots beside the three answers show."""
    return {
        "errors": _count_error_classes(data),
        "networks": _count_networks(data),
        "shared_ips": _count_shared(data),
    }


def _count_error_classes(data: ReportInput) -> dict[str, Any]:
    columns = {name: f"{name}_count" for name in schema.ERROR_OUTCOMES}
    table = sum_hours(data, data.calls.by_api, list(columns.values()))
    return {
        "bucket": "1h",
        "start_at": format_utc(data.week.start_at),
        "classes": {
            name: [int(value) for value in table[column]]
            for name, column in columns.items()
            if table[column].any()
        },
    }


def _count_networks(data: ReportInput) -> dict[str, Any]:
    """Count first contacts a day: with networks new to the tenant, and new to an app only."""
    week, by_ip = data.week, data.calls.by_ip
    by_ip = by_ip[~by_ip["network"].isin(schema.NO_PLACE)]
    pairs = by_ip.groupby(["app_id", "network"], observed=True)["first_at"].min().reset_index()
    pairs["network"] = pairs["network"].astype("str")
    tenant = pairs.groupby("network")["first_at"].transform("min") == pairs["first_at"]
    tenant &= ~pairs["network"].where(tenant).duplicated()
    day = pairs["first_at"].dt.tz_convert(week.zone).dt.strftime("%Y-%m-%d")
    begin = week.shifted(-data.settings.history_weeks).start_at
    start = max(data.calls.by_api["first_at"].min(), begin).tz_convert(week.zone)
    # without the zone: where clocks change at midnight a day has no midnight
    first, last = (
        at.tz_convert(week.zone).tz_localize(None).normalize()
        for at in (start, week.end_at - pd.Timedelta(seconds=1))
    )
    days = pd.date_range(first, last, freq="D").strftime("%Y-%m-%d")
    return {
        "days": [str(name) for name in days],
        "tenant": _per_day(day[tenant], days),
        "app": _per_day(day[~tenant], days),
    }


def _per_day(day: pd.Series, days: pd.Index) -> list[int]:
    return [int(count) for count in day.value_counts().reindex(days, fill_value=0)]


def _count_shared(data: ReportInput) -> list[dict[str, Any]]:
    """Count calls by address and app, for the addresses that most apps of the week share."""
    week = in_week(data, data.calls.by_ip)
    week = week[~week["network"].isin(schema.NO_PLACE)]
    keys = [week[name].astype("str") for name in ("ip", "app_id")]
    calls = week.groupby(keys)["calls_count"].sum().reset_index()
    order = calls.groupby("ip").agg(apps=("app_id", "size"), calls=("calls_count", "sum"))
    order = order[order["apps"] > 1].reset_index()
    order = order.sort_values(["apps", "calls", "ip"], ascending=[False, False, True])
    rows = calls[calls["ip"].isin(order["ip"].head(MAX_SIDE))]
    rows = rows.sort_values(["calls_count", "ip", "app_id"], ascending=[False, True, True])
    return [
        {"ip": str(row["ip"]), "app_id": str(row["app_id"]), "calls_count": int(row["calls_count"])}
        for _, row in rows.head(MAX_CELLS).iterrows()
    ]
