"""Rules about errors: guessing, probing, bursts, outages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit_analytics.buckets import floor_at
from audit_analytics.cases import Hit
from audit_analytics.detect.groups import outage_excess, usual_rate
from audit_analytics.detect.panel import ERROR_CLASSES
from audit_analytics.detect.rules.base import DAY, HOUR
from audit_analytics.detect.surprise import WeekFrame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect.rules.base import RuleInput


def find_enumeration(data: RuleInput) -> Iterator[Hit]:
    """Find apps that try many distinct objects of one API in an hour in vain."""
    failed = "failed_objects_count"
    in_vain = data.by_api["objects_count"] - data.by_api["ok_objects_count"]
    # an object that an outage kept from answering was not guessed
    answers = data.by_api[["not_found_count", "permission_count", "param_count"]].sum(axis=1)
    table = data.by_api.assign(**{failed: np.minimum(in_vain, answers)})
    usual = data.before_week(table).groupby(["app_id", "api"], observed=True)[failed].max()
    week = data.in_week(table)
    week = week[week[failed] >= data.settings.enumeration_objects]
    for (app_id, api), rows in week.groupby(["app_id", "api"], observed=True):
        top = rows.loc[rows[failed].idxmax()]
        if top[failed] > 3 * usual.get((app_id, api), 0):
            yield Hit(
                detector="rule:enumeration",
                kind="error_burst",
                entity_type="app",
                entity=str(app_id),
                start_at=top["bucket_at"],
                end_at=top["bucket_at"] + HOUR,
                observed=float(top[failed]),
                unit="distinct objects in an hour",
                severity="high",
                facts={"api": str(api), "calls": int(top["calls_count"])},
                where={"app_id": (str(app_id),), "api": (str(api),)},
            )


def find_probing(data: RuleInput) -> Iterator[Hit]:
    """Find apps that are denied many distinct APIs in an hour."""
    week = data.in_week(data.by_api)
    denied = week[week["permission_count"] > 0]
    for app_id, rows in denied.groupby("app_id", observed=True):
        apis = rows.groupby("bucket_at")["api"].nunique()
        if apis.max() >= data.settings.probing_apis:
            at = apis.idxmax()
            names = rows.loc[rows["bucket_at"] == at, "api"].astype("str")
            yield Hit(
                detector="rule:probing",
                kind="error_burst",
                entity_type="app",
                entity=str(app_id),
                start_at=at,
                end_at=at + HOUR,
                observed=float(apis.max()),
                unit="distinct denied APIs in an hour",
                severity="high",
                facts={"apis": sorted(names)},
                where={"app_id": (str(app_id),), "outcome": ("permission",)},
            )


def find_error_burst(data: RuleInput) -> Iterator[Hit]:
    """Find hours in which most of an app's calls fail the same way, unlike before."""
    grid, calls = data.panel.grid, data.panel.counts["calls"]
    frame = WeekFrame(data.panel, 0)
    for name in ERROR_CLASSES:
        errors = data.panel.counts[name]
        rate = usual_rate(frame, errors)
        excess = outage_excess(data.panel, errors, rate)
        burst = (errors >= 20) & (errors > 0.5 * calls) & (errors > 5 * rate[:, None] * calls)
        burst[:, (excess > 0) | (grid.week != 0)] = False
        for app in np.flatnonzero(burst.any(axis=1)):
            hours = np.flatnonzero(burst[app])
            top = hours[errors[app, hours].argmax()]
            yield Hit(
                detector="rule:error_burst",
                kind="error_burst",
                entity_type="app",
                entity=str(data.panel.apps[app]),
                start_at=grid.hours[hours[0]],
                end_at=grid.hours[hours[-1]] + HOUR,
                observed=float(errors[app, top]),
                expected=float(rate[app] * calls[app, top]),
                unit="errors in an hour",
                severity="low",
                alone=False,
                facts={"outcome": name, "calls": int(calls[app, top]), "hours": len(hours)},
                where={"app_id": (str(data.panel.apps[app]),), "outcome": (name,)},
            )


def find_outage(data: RuleInput) -> Iterator[Hit]:
    """Find hours in which calls fail for everybody: the platform, not an app."""
    grid = data.panel.grid
    frame = WeekFrame(data.panel, 0)
    for name in ERROR_CLASSES:
        errors = data.panel.counts[name]
        excess = outage_excess(data.panel, errors, usual_rate(frame, errors))
        failing = np.flatnonzero((excess > 0) & (grid.week == 0))
        for hours in np.split(failing, np.flatnonzero(np.diff(failing) > 1) + 1):
            if not len(hours):
                continue
            found = errors[:, hours]
            yield Hit(
                detector="rule:outage",
                kind="error_burst",
                entity_type="tenant",
                entity="platform",
                start_at=grid.hours[hours[0]],
                end_at=grid.hours[hours[-1]] + HOUR,
                observed=float(found.sum()),
                unit="errors in these hours",
                severity="medium",
                facts={
                    "outcome": name,
                    "apps": int((found.sum(axis=1) > 0).sum()),
                    "share": float(found.sum() / data.panel.counts["calls"][:, hours].sum()),
                    "hours": len(hours),
                },
                where={"outcome": (name,)},
            )


def find_rate_limited(data: RuleInput) -> Iterator[Hit]:
    """Find apps that press against the rate limit more than they used to."""
    day = floor_at(data.by_api["bucket_at"], "1D", zone=data.week.zone)
    sums = data.by_api.groupby(["app_id", day], observed=True)
    days = sums[["calls_count", "rate_limit_count"]].sum().reset_index()
    days["share"] = days["rate_limit_count"] / days["calls_count"].clip(lower=50)
    usual = data.before_week(days).groupby("app_id", observed=True)["share"].max()
    for app_id, rows in data.in_week(days).groupby("app_id", observed=True):
        top = rows.loc[rows["share"].idxmax()]
        if top["share"] >= data.settings.rate_limited_share and top["share"] > 2 * usual.get(
            app_id, 0.0
        ):
            yield Hit(
                detector="rule:rate_limited",
                kind="volume",
                entity_type="app",
                entity=str(app_id),
                start_at=top["bucket_at"],
                end_at=top["bucket_at"] + DAY,
                observed=float(top["rate_limit_count"]),
                unit="rate-limited calls in a day",
                severity="low",
                alone=False,
                facts={"share": float(top["rate_limit_count"] / top["calls_count"])},
                where={"app_id": (str(app_id),), "outcome": ("rate_limit",)},
            )
