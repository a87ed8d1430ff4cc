"""The three questions every week is asked: which IPs, which errors, which sensitive APIs."""

from collections import Counter
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Hit, name_entity
from audit_analytics.dates.buckets import HOURS_PER_DAY, floor_hour, format_local, format_utc
from audit_analytics.detect import find_detector
from audit_analytics.findings import Whence, explain_hit
from audit_analytics.report._inputs import ReportInput, in_asked

MAX_ROWS: Final = 30
MAX_APPS: Final = 50
"""Apps of an address that are named; whoever writes the log can call as 100,000 from one."""

MAX_APIS_PER_APP: Final = 6
"""A probing app tries dozens; its finding lists them, the table must not drown in them."""

MAX_IPS: Final = 3
"""Addresses of one app: a rotating proxy has one for every call."""

FindingIds = dict[tuple[str, str], str]


def _rank_findings(data: ReportInput) -> dict[str | None, int]:
    """Return the place of each finding; rows without one come last."""
    ranks: dict[str | None, int] = {f.finding_id: f.rank for f in data.findings}
    return ranks | {None: len(ranks) + 1}


def list_unusual_ips(data: ReportInput, finding_of: FindingIds) -> list[dict[str, Any]]:
    """List the addresses of the week that something unusual came from, by their finding's rank."""
    week = in_asked(data, data.calls.by_ip)
    week = week.assign(ip=week["ip"].astype("str"), network=week["network"].astype("str"))
    first_seen = data.calls.by_ip.groupby(data.calls.by_ip["ip"].astype("str"))["first_at"].min()
    why: dict[str, Hit] = {}
    for hit in data.hits:
        if hit.kind == "unusual_ip" and hit.entity_type != "tenant":
            for ip in _addresses(hit, week):
                why.setdefault(ip, hit)
    strange = week[Whence(data.calls.by_ip, data.week).find_strange(week["network"])]
    for hit in data.hits:
        if (hit.entity_type, hit.entity) in finding_of and hit.entity_type == "app":
            for ip in _addresses(hit, strange):
                why.setdefault(ip, hit)
    rank = _rank_findings(data)
    calls = week.groupby("ip")["calls_count"].sum()
    chosen = sorted(
        why.items(),
        key=lambda pair: (
            rank[finding_of.get((pair[1].entity_type, pair[1].entity))],
            -calls.get(pair[0], 0),
            pair[0],
        ),
    )
    rows: list[dict[str, Any]] = []
    told = Counter[tuple[str, str]]()
    for ip, hit in chosen:
        told[name_entity(hit)] += hit.entity_type == "app"
        if told[name_entity(hit)] > MAX_IPS or len(rows) == MAX_ROWS:
            continue
        own = week[week["ip"] == ip]
        apps = sorted(own["app_id"].astype("str").unique())
        rows.append(
            {
                "ip": ip,
                "network": str(own["network"].iloc[0]) if len(own) else "",
                "apps": apps[:MAX_APPS],
                "apps_count": len(apps),
                "calls_count": int(own["calls_count"].sum()),
                "auth_failures_count": int(own["auth_count"].sum()),
                "first_seen_at": format_utc(first_seen[ip]),
                "why": explain_hit(hit, data.week.zone),
                "finding_id": finding_of.get((hit.entity_type, hit.entity)),
            }
        )
    return rows


def _addresses(hit: Hit, week: pd.DataFrame) -> list[str]:
    if hit.entity_type == "ip":
        return [hit.entity] if (week["ip"] == hit.entity).any() else []
    rows = week if hit.entity_type == "network" else week[week["app_id"] == hit.entity]
    if "network" in hit.where:
        rows = rows[rows["network"].isin(hit.where["network"])]
    rows = rows[(rows["first_at"] < hit.end_at) & (rows["last_at"] >= hit.start_at)]
    return sorted(rows["ip"].unique())


def list_error_bursts(data: ReportInput, finding_of: FindingIds) -> list[dict[str, Any]]:
    """List where errors piled up, of which class, and whether it is the app or the platform."""
    best: dict[tuple[str, str, str], dict[str, Any]] = {}
    for hit in data.hits:
        if hit.kind != "error_burst" or "more" in hit.facts:
            continue
        found = _rows_of(data, hit)
        outcome = hit.facts.get("outcome") or hit.facts.get("label")
        if not outcome:
            counts = {name: found[f"{name}_count"].sum() for name in schema.ERROR_OUTCOMES}
            # as often as another: the first of them by name, as a mode would be
            outcome = max(sorted(counts), key=lambda name: counts[name])
            outcome = outcome if counts[outcome] else "other"
        calls = _count_calls(data, hit)
        count = int(found[f"{outcome}_count"].sum())
        row = {
            "scope": "platform" if hit.entity_type == "tenant" else hit.entity_type,
            "entity": hit.entity,
            "outcome": outcome,
            "start_at": format_utc(hit.start_at),
            "start_local": format_local(hit.start_at, data.week.zone),
            "hours_count": int(np.ceil((hit.end_at - hit.start_at) / pd.Timedelta(hours=1))),
            "errors_count": count,
            "expected": None if hit.expected is None else round(hit.expected, 2),
            "calls_count": calls,
            "error_share": round(count / calls, 4) if calls else 0.0,
            "why": explain_hit(hit, data.week.zone),
            "finding_id": finding_of.get((hit.entity_type, hit.entity)),
        }
        key = (hit.entity_type, hit.entity, outcome)
        if key not in best or count > best[key]["errors_count"]:
            best[key] = row
    rank = _rank_findings(data)
    rows = sorted(
        best.values(),
        key=lambda row: (rank[row["finding_id"]], -row["errors_count"], row["entity"]),
    )
    return rows[:MAX_ROWS]


def _rows_of(data: ReportInput, hit: Hit) -> pd.DataFrame:
    """Return the hourly counts of the hours a hit speaks about, narrowed to its app and APIs."""
    hours = data.calls.by_api["bucket_at"]
    rows = data.calls.by_api[
        (hours >= floor_hour(hit.start_at, data.week.zone)) & (hours < hit.end_at)
    ]
    for column in ("app_id", "api", "severity", "category"):
        if column in hit.where:
            rows = rows[rows[column].isin(hit.where[column])]
    return rows


def _count_calls(data: ReportInput, hit: Hit) -> int:
    """Count all calls of the entity in the hit's hours, failed or not."""
    column = {"app": "app_id", "api": "api"}.get(hit.entity_type)
    whole = {column: (hit.entity,)} if column else {}
    return int(_rows_of(data, replace(hit, where=whole))["calls_count"].sum())


def list_sensitive_usage(data: ReportInput, finding_of: FindingIds) -> list[dict[str, Any]]:
    """List which sensitive APIs were used newly, more than usual or at odd hours, and by whom."""
    hits = [hit for hit in data.hits if (hit.entity_type, hit.kind) == ("app", "sensitive_api")]
    week = in_asked(data, data.calls.by_api)
    week = week[week["severity"].isin(schema.SENSITIVE)]
    week = week[week["app_id"].isin({hit.entity for hit in hits})]
    week = week.assign(app_id=week["app_id"].astype("str"), api=week["api"].astype("str"))
    rows_of = {str(app): rows for app, rows in week.groupby("app_id")}
    why: dict[tuple[str, str], Hit] = {}
    new: set[tuple[str, str]] = set()
    for hit in hits:
        rows = rows_of.get(hit.entity, week[:0])
        rows = rows[(rows["first_at"] < hit.end_at) & (rows["last_at"] >= hit.start_at)]
        if "api" in hit.where:
            rows = rows[rows["api"].isin(hit.where["api"])]
        for api in sorted(rows["api"].unique()):
            why.setdefault((hit.entity, api), hit)
            if find_detector(hit.detector).first_use:
                new.add((hit.entity, api))
    rank = _rank_findings(data)
    keys = ["app_id", "api"]
    pairs = week.groupby(keys).agg(calls=("calls_count", "sum"), grade=("severity", "first"))
    pairs = pairs[pairs.index.isin([*why])].reset_index()
    pairs["rank"] = [rank[finding_of.get(("app", app))] for app in pairs["app_id"]]
    pairs["harmless"] = -schema.rank_severity(pairs["grade"])
    pairs["less"] = -pairs["calls"]
    pairs = pairs.sort_values(["rank", "harmless", "less", *keys])
    # a flood has thousands, of which a few are shown: only those are looked at closely
    shown = pairs[pairs.groupby("app_id").cumcount() < MAX_APIS_PER_APP].head(MAX_ROWS)
    odd = _odd_hours(data, week)
    answers: list[dict[str, Any]] = []
    for app_id, api in shown[keys].itertuples(index=False):
        own = rows_of[app_id][rows_of[app_id]["api"] == api]
        answers.append(
            {
                "app_id": app_id,
                "api": api,
                "category": str(own["category"].iloc[0]),
                "severity": str(own["severity"].iloc[0]),
                "calls_count": int(own["calls_count"].sum()),
                "expected": _usual_calls(data, app_id, api),
                "first_use": (app_id, api) in new,
                "odd_hours_count": int(odd[own.index].sum()),
                "objects_count": int(own["objects_count"].sum()),
                "why": explain_hit(why[app_id, api], data.week.zone),
                "finding_id": finding_of.get(("app", app_id)),
            }
        )
    return answers


def _odd_hours(data: ReportInput, week: pd.DataFrame) -> pd.Series:
    """Return the calls made at hours of the week at which the app never called before."""
    panel, grid = data.detection.panel, data.detection.panel.grid
    past = grid.week < 0
    used = np.zeros((len(panel.apps), grid.slot.max() + 1), dtype=bool)
    rows, hours = np.nonzero(panel.counts["calls"] * past)
    used[rows, grid.slot[hours]] = True
    app = panel.apps.get_indexer(pd.Index(week["app_id"]))
    hour = grid.locate(week["bucket_at"])
    odd = (app >= 0) & ~used[app, grid.slot[hour]] & data.detection.assessed[app]
    return week["calls_count"].where(odd, 0)


def _usual_calls(data: ReportInput, app_id: str, api: str) -> float | None:
    """Return the mean calls of an app on an API in the same hours of each past week; None without one."""
    panel = data.detection.panel
    if app_id not in panel.apps or not data.detection.assessed[panel.apps.get_loc(app_id)]:
        return None
    grid, weeks = panel.grid, panel.grid.weeks
    place = grid.day % 7 * HOURS_PER_DAY + grid.slot % HOURS_PER_DAY
    past = (grid.week < 0) & np.isin(place, place[data.asked_hours])
    rows = panel.api_calls
    rows = rows[(rows["app"] == panel.apps.get_loc(app_id)) & (rows["api"] == api)]
    usual = rows[past[rows["hour"]]]["calls_count"].sum()
    return round(float(usual / len(weeks)), 1) if weeks else None
