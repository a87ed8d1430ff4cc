"""Build the report dict: the one source of every rendered format."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

import audit_analytics
from audit_analytics import schema
from audit_analytics.buckets import Week, format_local, format_utc
from audit_analytics.detect import Detection, expect_week
from audit_analytics.report.answers import (
    list_error_bursts,
    list_sensitive_usage,
    list_unusual_ips,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from audit_analytics.cases import Hit
    from audit_analytics.config import Settings
    from audit_analytics.findings import Finding
    from audit_analytics.rollup import Rollup

SCHEMA_VERSION: Final = "1.0"
TOP: Final = 10
MAX_LISTED: Final = 50
PACKAGES: Final = ("duckdb", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")
METRICS: Final = {
    "TOK": ("token", "token requests"),
    "SENS": ("sensitive", "calls of sensitive APIs"),
}
ERROR_DETECTORS: Final = {"rule:probing": "permission", "rule:enumeration": "not_found"}
DETECTORS: Final = (
    (
        "VOL, SENS, TOK",
        "calls, calls of sensitive APIs and token requests against the app's own hours and days of the week (negative binomial)",
    ),
    (
        "ERR",
        "errors of one class: more than usual, and a larger share than usual (negative binomial and beta-binomial)",
    ),
    ("API", "calls of one API against the app's usual mix"),
    (
        "NEWNET, NEWAPI",
        "first contact of an app with a network or an API, weighed by how rare that is",
    ),
    (
        "NEWAPPS, AUTHAPPS, AUTHFAIL",
        "addresses that serve new apps or fail to authenticate, against other addresses and days",
    ),
    (
        "FOREST",
        "isolation forest over all surprises of an app's day: a little unusual in many ways",
    ),
    ("rule:*", "fixed rules, outside the alarm budget; thresholds are settings"),
)
LIMITS: Final = (
    "The log names apps and addresses, never people; an app's secret used by somebody else looks like the app.",
    "An app with under 7 days of history is not compared with its past; rules still apply to it.",
    "Expected counts come from the weeks before; what was already going on then is taken for normal.",
    "E is how many cases this extreme an ordinary week brings, estimated from the weeks before.",
)


@dataclass(frozen=True, kw_only=True)
class ReportInput:
    """Everything the report is built from.

    Parameters
    ----------
    week : Week
        The report week.
    settings : Settings
        The settings of the run.
    ingest : dict of str to int
        ``rows_read``, ``events``, ``duplicates`` and ``rejects``.
    reject_reasons : dict of str to int
        Rejected rows by reason.
    events : pandas.DataFrame
        The whole log, table :data:`audit_analytics.schema.EVENTS`.
    calls : Rollup
        Its hourly rollup.
    detection : Detection
        What the engine found.
    hits : list of Hit
        From engine and rules.
    findings : list of Finding
        Ranked.
    """

    week: Week
    settings: Settings
    ingest: dict[str, int]
    reject_reasons: dict[str, int]
    events: pd.DataFrame
    calls: Rollup
    detection: Detection
    hits: list[Hit]
    findings: list[Finding]

    def in_week(self, table: pd.DataFrame, column: str, *, back: int = 0) -> pd.DataFrame:
        """Return the rows of the report week, or of one before it.

        Parameters
        ----------
        table : pandas.DataFrame
            Any table with an instant in `column`.
        column : str
            Name of that column.
        back : int, default=0
            Weeks before the report week.

        Returns
        -------
        pandas.DataFrame
            Rows of that week.
        """
        week = self.week.shifted(-back)
        return table[(table[column] >= week.start_at.floor("h")) & (table[column] < week.end_at)]


def build_report(data: ReportInput) -> dict[str, Any]:
    """Build the report dict.

    Parameters
    ----------
    data : ReportInput
        Everything there is to say.

    Returns
    -------
    dict of str to Any
        JSON values only; described by ``findings.schema.json``. The same input gives the same
        dict: it holds no time of the run and no path.
    """
    week_events = data.in_week(data.events, "at")
    coverage = _build_coverage(data, week_events)
    finding_of = {(f.entity_type, f.entity): f.finding_id for f in data.findings}
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "audit-analytics", "version": audit_analytics.__version__},
        "tenant_zone": data.week.zone,
        "week": _build_week(data, coverage),
        "coverage": coverage,
        "assessed": _build_assessed(data),
        "verdict": _say_verdict(data, coverage),
        "budget_per_week": data.settings.budget_per_week,
        "findings": [f.to_dict() | {"series": _build_series(data, f)} for f in data.findings],
        "unusual_ips": list_unusual_ips(data, finding_of),
        "error_bursts": list_error_bursts(data, finding_of),
        "sensitive_usage": list_sensitive_usage(data, finding_of),
        "totals": _build_totals(data, week_events),
        "top": _build_top(week_events),
        "series": _build_tenant_series(data),
        "heatmap": _build_heatmap(data),
        "changes": _build_changes(data),
        "method": {
            "detectors": [{"name": name, "text": text} for name, text in DETECTORS],
            "limits": list(LIMITS),
        },
        "run": {
            "versions": {"audit-analytics": audit_analytics.__version__}
            | {name: version(name) for name in PACKAGES},
            "seed": data.settings.seed,
            "config": data.settings.public(),
            "config_hash": data.settings.digest(),
        },
    }


def _build_week(data: ReportInput, coverage: dict[str, Any]) -> dict[str, Any]:
    week = data.week
    return {
        "iso": week.iso,
        "start_at": format_utc(week.start_at),
        "end_at": format_utc(week.end_at),
        "start_local": format_local(week.start_at, week.zone),
        "end_local": format_local(week.end_at, week.zone),
        "complete": coverage["week_status"] == "complete",
    }


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (start, length) of every run of True."""
    edges = np.flatnonzero(np.diff(np.r_[0, mask.astype(int), 0]))
    return [(int(a), int(b - a)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _build_coverage(data: ReportInput, week_events: pd.DataFrame) -> dict[str, Any]:
    grid, zone = data.detection.panel.grid, data.week.zone
    in_week = grid.week == 0
    gaps = [
        {
            "start_at": format_utc(start),
            "end_at": format_utc(end),
            "start_local": format_local(start, zone),
            "end_local": format_local(end, zone),
            "hours_count": length,
        }
        for first, length in _runs(grid.gap)
        for start, end in [(grid.hours[first], grid.hours[first] + pd.Timedelta(hours=length))]
    ]
    status = "empty" if week_events.empty else "gaps" if grid.gap[in_week].any() else "complete"
    unknown = week_events[week_events["severity"] == "unknown"]
    per_api = unknown.groupby(unknown["api"].astype("str"))["app_id"].agg(["size", "nunique"])
    per_api = (
        per_api.rename_axis("api")
        .reset_index()
        .sort_values(["size", "api"], ascending=[False, True])
    )
    first_at, last_at = data.events["at"].min(), data.events["at"].max()
    history = max(data.week.start_at - first_at, pd.Timedelta(0)) / pd.Timedelta(days=1)
    return {
        "rows_read_count": data.ingest["rows_read"],
        "duplicates_count": data.ingest["duplicates"],
        "rejects_count": data.ingest["rejects"],
        "events_count": data.ingest["events"],
        "reject_reasons": dict(sorted(data.reject_reasons.items())),
        "week_events_count": len(week_events),
        "first_at": format_utc(first_at),
        "last_at": format_utc(last_at),
        "history_days": round(float(history), 1),
        "hours_expected_count": int(in_week.sum()),
        "hours_covered_count": int((~grid.gap[in_week]).sum()),
        "gaps": gaps,
        "week_status": status,
        "unknown_apis": [
            {"api": row[0], "calls_count": int(row[1]), "apps_count": int(row[2])}
            for row in per_api.head(MAX_LISTED).itertuples(index=False)
        ],
        "unknown_apis_count": len(per_api),
        "unknown_outcome_share": _share(
            (week_events["outcome"] == "unknown").sum(), len(week_events)
        ),
    }


def _share(part: float, whole: float) -> float:
    return round(float(part / whole), 4) if whole else 0.0


def _build_assessed(data: ReportInput) -> dict[str, Any]:
    panel = data.detection.panel
    week = data.in_week(data.calls.by_api, "bucket_at")
    calls = week.groupby(week["app_id"].astype("str"))["calls_count"].sum()
    first = data.calls.by_api.groupby(data.calls.by_api["app_id"].astype("str"))["first_at"].min()
    days = dict(zip(panel.apps, panel.history_days(0), strict=True))
    skipped = [
        str(app)
        for app, known in zip(panel.apps, data.detection.assessed, strict=True)
        if not known
    ]
    rows = [
        {
            "entity_type": "app",
            "entity": app,
            "reason": f"{days[app]} days of history, 7 are needed",
            "calls_count": int(calls.get(app, 0)),
            "first_seen_at": format_utc(first[app]),
        }
        for app in skipped
        if calls.get(app, 0)
    ]
    left_out = {"": "calls without an app id"}
    if data.settings.own_app_id:
        left_out[data.settings.own_app_id] = "this tool's own app"
    rows += [
        {
            "entity_type": "app",
            "entity": app,
            "reason": reason,
            "calls_count": int(calls[app]),
            "first_seen_at": format_utc(first[app]),
        }
        for app, reason in left_out.items()
        if calls.get(app, 0)
    ]
    return {
        "apps_count": int(data.detection.assessed.sum()),
        "ips_count": int(data.detection.ip_days["ip"].nunique()),
        "not_assessed": sorted(rows, key=lambda row: (-calls[row["entity"]], row["entity"]))[
            :MAX_LISTED
        ],
        "not_assessed_count": len(rows),
    }


def _say_verdict(data: ReportInput, coverage: dict[str, Any]) -> str:
    if coverage["week_status"] == "empty":
        return "No data: the log holds no event of this week, so nothing can be said about it."
    hours = coverage["hours_expected_count"] - coverage["hours_covered_count"]
    missing = (
        f" {hours} of {coverage['hours_expected_count']} hours are missing from the log."
        if hours
        else ""
    )
    if not data.detection.assessed.any():
        missing += " No app has enough history to be compared with its past: only rules applied."
    if not data.findings:
        return f"Nothing stood out in {len(data.detection.panel.apps)} apps.{missing}"
    severities = [finding.severity for finding in data.findings]
    counts = ", ".join(
        f"{severities.count(name)} {name}"
        for name in reversed(schema.SEVERITIES)
        if name in severities
    )
    noun = "finding" if len(severities) == 1 else "findings"
    return f"{len(severities)} {noun} ({counts}). {data.findings[0].sentence}{missing}"


def _build_series(data: ReportInput, finding: Finding) -> dict[str, Any] | None:
    panel, hours = data.detection.panel, data.week.hours
    if finding.entity_type == "app" and finding.entity in panel.apps:
        metric, what = _choose_metric(data, finding)
        found = expect_week(panel, metric)
        app = panel.apps.get_loc(finding.entity)
        observed, expected, high = found.observed[app], found.expected[app], found.high[app]
    elif finding.entity_type == "ip":
        rows = data.in_week(data.calls.by_ip, "bucket_at")
        rows = rows[rows["ip"] == finding.entity]
        per_hour = rows.groupby("bucket_at")["calls_count"].sum().reindex(hours, fill_value=0)
        observed, what = per_hour.to_numpy(dtype=float), "calls"
        expected = high = np.full(len(observed), np.nan)
    else:
        return None
    return {
        "bucket": "1h",
        "start_at": format_utc(hours[0]),
        "observed": [int(value) for value in observed],
        "expected": _numbers(expected),
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


def _build_totals(data: ReportInput, week_events: pd.DataFrame) -> dict[str, Any]:
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


def _build_top(week_events: pd.DataFrame) -> dict[str, Any]:
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
                "share": _share(row.size_, len(week_events)),
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


def _build_tenant_series(data: ReportInput) -> dict[str, Any]:
    calls, errors = _hourly(data)
    panel = data.detection.panel
    expected = expect_week(panel).expected
    known = data.detection.assessed
    total = expected[known].sum(axis=0) if known.any() else np.full(len(calls), np.nan)
    return {
        "bucket": "1h",
        "start_at": format_utc(data.week.hours[0]),
        "calls": calls.tolist(),
        "errors": errors.tolist(),
        "expected": _numbers(total),
        "missing": np.flatnonzero(panel.grid.gap[panel.grid.week == 0]).tolist(),
    }


def _build_heatmap(data: ReportInput) -> dict[str, Any]:
    local = data.week.hours.tz_convert(data.week.zone)
    tables = []
    for values in _hourly(data):
        table = np.zeros((7, 24), dtype="int64")
        np.add.at(table, (local.day_of_week, local.hour), values)
        tables.append(table.tolist())
    rows = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    return {"rows": rows, "calls": tables[0], "errors": tables[1]}


def _build_changes(data: ReportInput) -> dict[str, Any]:
    by_api, by_ip = data.calls.by_api, data.calls.by_ip
    week, before = data.in_week(by_api, "bucket_at"), data.in_week(by_api, "bucket_at", back=1)
    earlier = by_api[by_api["bucket_at"] < data.week.start_at.floor("h")]
    now, last = (set(table["app_id"].astype("str")) for table in (week, before))
    known = set(earlier["app_id"].astype("str"))
    networks = by_ip.groupby(by_ip["network"].astype("str"))["first_at"].min()
    new_apis = set(week["api"].astype("str")) - set(earlier["api"].astype("str"))
    return {
        "new_apps": sorted(now - known)[:MAX_LISTED] if known else [],
        "vanished_apps": sorted(last - now)[:MAX_LISTED],
        "new_apis_count": len(new_apis) if known else 0,
        "new_networks_count": int((networks >= data.week.start_at).sum()) if known else 0,
    }
