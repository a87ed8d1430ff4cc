"""The numbers behind the plots of the three answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.dates.buckets import format_utc

if TYPE_CHECKING:
    from audit_analytics.report._inputs import ReportInput

MAX_SIDE: Final = 20
MAX_CELLS: Final = 400
"""Addresses, and pairs of address and app, of a plot that shows twelve by twelve."""


def build_charts(data: ReportInput) -> dict[str, Any]:
    """Count what the plots beside the three answers show.

    ``errors`` (calls an hour by error class), ``networks`` (new networks a day) and ``shared_ips``
    (calls by address and app).
    """
    return {
        "errors": _count_errors(data),
        "networks": _count_networks(data),
        "shared_ips": _count_shared(data),
    }


def _count_errors(data: ReportInput) -> dict[str, Any]:
    columns = {name: f"{name}_count" for name in schema.ERROR_OUTCOMES}
    table = data.sum_hours(data.calls.by_api, list(columns.values()))
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
    week = data.in_week(data.calls.by_ip)
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
