"""What is different from the week before: totals, movers, who came, who went, who was quiet."""

from typing import Any, Final

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.dates.buckets import format_utc
from audit_analytics.report._inputs import ReportInput, in_week

MAX_LISTED: Final = 50
MAX_MOVERS: Final = 8
MAX_QUIET: Final = 500
MOVED: Final = 4.0
"""Least change of an app's calls that is told, in standard deviations of a Poisson count."""

_ERRORS: Final = [f"{name}_count" for name in schema.ERROR_OUTCOMES]
_KINDS: Final = {"apps": "app_id", "networks": "network", "ips": "ip", "apis": "api"}


def build_changes(data: ReportInput) -> dict[str, Any]:
    """Compare the week with the one before, and name who is new or gone.

    New is what the log never had before the week; vanished what only the week before had.
    """
    new, vanished = {}, {}
    for kind, column in _KINDS.items():
        table = data.calls.by_ip if column in {"network", "ip"} else data.calls.by_api
        new[kind], vanished[kind] = _compare(data, table, column)
    return {
        "totals": _compare_totals(data),
        "movers": _rank_movers(data),
        "new": new,
        "vanished": vanished,
    }


def list_quiet_apps(data: ReportInput) -> dict[str, Any]:
    """List the apps that were assessed without finding anything, suppressed or not, by calls."""
    week = in_week(data, data.calls.by_api)
    calls = week.groupby(week["app_id"].astype("str"))["calls_count"].sum()
    found = [*data.findings, *data.follow_up.suppressed]
    told = {f.entity for f in found if f.entity_type == "app"}
    known = zip(data.detection.panel.apps, data.detection.judged, strict=True)
    quiet = [str(app) for app, assessed in known if assessed and app not in told and app in calls]
    quiet.sort(key=lambda app: (-calls[app], app))
    rows = [{"name": app, "calls_count": int(calls[app])} for app in quiet[:MAX_QUIET]]
    return {"count": len(quiet), "rows": rows}


def _compare(
    data: ReportInput, table: pd.DataFrame, column: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    table = table[table[column] != ""]
    week = in_week(data, table)
    before = in_week(data, table, back=1)
    now, last = (_summarise(rows, column) for rows in (week, before))
    known = table.loc[table["bucket_at"] < data.week.start_at, column].unique()
    fresh = now[~now.index.isin(known)] if len(known) else now.iloc[:0]
    gone = last[~last.index.isin(now.index)]
    return _list(fresh, "first_at"), _list(gone, "last_at")


def _summarise(table: pd.DataFrame, column: str) -> pd.DataFrame:
    groups = table.groupby(column, observed=True)
    found = groups.agg(
        calls_count=("calls_count", "sum"),
        first_at=("first_at", "min"),
        last_at=("last_at", "max"),
        apps_count=("app_id", "nunique"),
    )
    if column == "api":
        found["severity"] = groups["severity"].first().astype("str")
    return found.set_axis(found.index.astype("str").rename("name"))


def _list(table: pd.DataFrame, at: str) -> dict[str, Any]:
    ranked = table.reset_index().sort_values(["calls_count", "name"], ascending=[False, True])
    if "severity" in ranked:  # what could do most harm first
        ranked = ranked.sort_values("severity", key=_rank_severities, kind="stable")
    graded = [{"severity": name} for name in ranked["severity"]] if "severity" in ranked else None
    rows = [
        {
            "name": str(row["name"]),
            "at": format_utc(row[at]),
            "calls_count": int(row["calls_count"]),
            "apps_count": int(row["apps_count"]),
        }
        for _, row in ranked.head(MAX_LISTED).iterrows()
    ]
    if graded is not None:
        rows = [row | grade for row, grade in zip(rows, graded, strict=False)]
    return {"count": len(table), "rows": rows}


def _rank_severities(names: pd.Series) -> pd.Series:
    worst_first = [*reversed(schema.SEVERITIES)]
    return names.map(lambda name: worst_first.index(name) if name in worst_first else -1)


def _compare_totals(data: ReportInput) -> list[dict[str, Any]]:
    """Count the week and the one before; None where the log does not reach back."""
    now, last = (_count(data, back) for back in (0, 1))
    return [
        {"name": name, "count": now[name], "previous_count": last[name] if last["calls"] else None}
        for name in now
        if name not in schema.ERROR_OUTCOMES or now[name] or last[name]
    ]


def _count(data: ReportInput, back: int) -> dict[str, int]:
    by_api = in_week(data, data.calls.by_api, back=back)
    by_ip = in_week(data, data.calls.by_ip, back=back)
    outcomes = by_api[_ERRORS].sum()
    return {
        "calls": int(by_api["calls_count"].sum()),
        "errors": int(outcomes.sum()),
        **{name: int(outcomes[f"{name}_count"]) for name in schema.ERROR_OUTCOMES},
        "apps": int(by_api["app_id"].nunique()),
        "ips": int(by_ip["ip"].nunique()),
        "apis": int(by_api["api"].nunique()),
    }


def _rank_movers(data: ReportInput) -> list[dict[str, Any]]:
    """Name the apps of both weeks whose calls changed most, in Poisson standard deviations."""
    tables = (in_week(data, data.calls.by_api, back=back) for back in (0, 1))
    now, last = (t.groupby(t["app_id"].astype("str"))["calls_count"].sum() for t in tables)
    both = pd.DataFrame({"now": now, "last": last}).dropna()
    moved = (both["now"] - both["last"]).abs() / np.sqrt(both["now"] + both["last"])
    ranked = both.assign(moved=moved)[moved >= MOVED].rename_axis("name").reset_index()
    ranked = ranked.sort_values(["moved", "name"], ascending=[False, True])
    return [
        {
            "name": str(row["name"]),
            "calls_count": int(row["now"]),
            "previous_calls_count": int(row["last"]),
        }
        for _, row in ranked.head(MAX_MOVERS).iterrows()
    ]
