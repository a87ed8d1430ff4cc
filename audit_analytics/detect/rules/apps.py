"""Rules about what apps do: sensitive APIs, waking up, falling silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect.rules.base import DAY, HOUR, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect.rules.base import RuleInput


def find_first_sensitive(data: RuleInput) -> Iterator[Hit]:
    """Find apps that use a sensitive API for the first time; critical ones stand alone."""
    if not data.has_history:
        return
    week, past = data.in_week(data.by_api), data.before_week(data.by_api)
    keys = ["app_id", "api"]
    used = week[week["severity"].isin(schema.SENSITIVE)]
    used = used.groupby([*keys, "severity"], observed=True, as_index=False).agg(
        first_at=("first_at", "min"),
        last_at=("last_at", "max"),
        calls=("calls_count", "sum"),
        denied=("permission_count", "sum"),
    )
    # a denied attempt makes nothing known: else one probe a week earlier would hide the real use
    served = past[past["calls_count"] > past["permission_count"]]
    known = pd.MultiIndex.from_frame(served[keys].drop_duplicates().astype("str"))
    new = used[~pd.MultiIndex.from_frame(used[keys].astype("str")).isin(known)]
    # a critical API that only denied is probing, and the rule for that says so; an answer that
    # cannot be read may have been a success
    answered = (new["severity"] == "critical") & (new["calls"] > new["denied"])
    for (app_id, critical), rows in new.groupby(["app_id", answered], observed=True):
        apis = tuple(rows.sort_values(["first_at", "api"])["api"].astype("str"))
        yield Hit(
            detector="rule:first_sensitive",
            kind="sensitive_api",
            entity_type="app",
            entity=str(app_id),
            start_at=rows["first_at"].min(),
            end_at=rows["last_at"].max() + SECOND,
            observed=float(rows["calls"].sum()),
            unit="calls in the week",
            severity="high" if critical else "medium",
            alone=bool(critical),
            facts={"apis": list(apis), "critical": bool(critical)},
            where={"app_id": (str(app_id),), "api": apis},
        )


def find_denied_then_allowed(data: RuleInput) -> Iterator[Hit]:
    """Find sensitive APIs that were denied to an app several times and then answered."""
    keys = ["app_id", "api"]
    week = data.in_week(data.by_api)
    week = week[week["severity"].isin(schema.SENSITIVE)]
    earlier = data.before_week(data.by_api)
    allowed = earlier[earlier["ok_count"] > 0][keys].astype("str")
    known = pd.MultiIndex.from_frame(allowed.drop_duplicates())
    for (app_id, api), rows in week.groupby(keys, observed=True):
        denials, grants = rows[rows["permission_count"] > 0], rows[rows["ok_count"] > 0]
        if denials.empty or grants.empty or (str(app_id), str(api)) in known:
            continue
        granted_at = grants["last_at"].min()
        before = denials["first_at"].between(granted_at - DAY, granted_at)
        count = int(denials.loc[before, "permission_count"].sum())
        if count >= data.settings.denied_before_success:
            yield Hit(
                detector="rule:denied_then_allowed",
                kind="sensitive_api",
                entity_type="app",
                entity=str(app_id),
                start_at=denials["first_at"].min(),
                end_at=granted_at + HOUR,
                observed=float(count),
                unit="denials before the first success",
                severity="high",
                facts={"api": str(api)},
                where={"app_id": (str(app_id),), "api": (str(api),)},
            )


def find_audit_access(data: RuleInput) -> Iterator[Hit]:
    """Find apps that read audit logs; it stands alone when they never did before."""
    readers = data.by_api[data.by_api["category"] == "audit_access"]
    past = data.before_week(readers)
    served = past[past["calls_count"] > past["permission_count"]]
    before = set(served["app_id"].astype("str"))
    for app_id, rows in data.in_week(readers).groupby("app_id", observed=True):
        yield Hit(
            detector="rule:audit_access",
            kind="sensitive_api",
            entity_type="app",
            entity=str(app_id),
            start_at=rows["first_at"].min(),
            end_at=rows["last_at"].max() + SECOND,
            observed=float(rows["calls_count"].sum()),
            unit="calls in the week",
            severity="high",
            alone=str(app_id) not in before,
            facts={"apis": sorted(rows["api"].astype("str").unique())},
            where={
                "app_id": (str(app_id),),
                "api": tuple(sorted(rows["api"].astype("str").unique())),
            },
        )


def find_dormant(data: RuleInput) -> Iterator[Hit]:
    """Find apps that wake after weeks without a call."""
    quiet = pd.Timedelta(days=data.settings.dormant_days)
    last = data.before_week(data.by_api).groupby("app_id", observed=True)["last_at"].max()
    week = data.in_week(data.by_api).groupby("app_id", observed=True)
    for app_id, rows in week:
        if app_id in last.index and rows["first_at"].min() - last[app_id] >= quiet:
            yield Hit(
                detector="rule:dormant",
                kind="volume",
                entity_type="app",
                entity=str(app_id),
                start_at=rows["first_at"].min(),
                end_at=rows["last_at"].max() + SECOND,
                observed=float(rows["calls_count"].sum()),
                unit="calls in the week",
                severity="medium",
                facts={"quiet_days": (rows["first_at"].min() - last[app_id]).days},
                where={"app_id": (str(app_id),)},
            )


def find_silence(data: RuleInput) -> Iterator[Hit]:
    """Find every-hour apps that stop calling while the log goes on."""
    grid, calls = data.panel.grid, data.panel.counts["calls"]
    history, week = data.panel.weights(0) > 0, np.flatnonzero(grid.week == 0)
    # hours after the log's last are not silence, but not logged yet
    logged = np.flatnonzero(calls.sum(axis=0) > 0)
    week = week[week <= logged[-1]] if len(logged) else week[:0]
    for app in np.flatnonzero(data.panel.assessed(0)):
        past = calls[app, history[app]]
        if not (past > 0).mean() >= 0.95:
            continue
        silent = (calls[app, week] == 0) & ~grid.gap[week]
        start, length = _longest_run(silent)
        if length >= data.settings.silence_hours:
            hours = grid.hours[week]
            expected = float(past.mean() * length)
            yield Hit(
                detector="rule:silence",
                kind="silence",
                entity_type="app",
                entity=str(data.panel.apps[app]),
                start_at=hours[start],
                end_at=hours[start] + length * HOUR,
                observed=0.0,
                expected=expected,
                unit="calls in the silence",
                severity="medium",
                facts={"hours": int(length)},
                where={"app_id": (str(data.panel.apps[app]),)},
            )


def _longest_run(mask: np.ndarray) -> tuple[int, int]:
    edges = np.flatnonzero(np.diff(np.r_[0, mask.astype(int), 0]))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    best = int(lengths.argmax()) if len(lengths) else -1
    return (int(starts[best]), int(lengths[best])) if best >= 0 else (0, 0)
