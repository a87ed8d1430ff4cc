"""Rules about errors: guessing, probing, bursts, outages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit_analytics.cases import Hit
from audit_analytics.detect.groups import outage_excess, usual_rate
from audit_analytics.detect.panel import ERROR_CLASSES
from audit_analytics.detect.rules.base import HOUR, gather, rule, top_rows
from audit_analytics.detect.surprise import WeekFrame
from audit_analytics.language import mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect.rules.base import RuleInput


@rule
def find_enumeration(data: RuleInput) -> Iterator[Hit]:
    """Find apps that try many distinct objects of one API in an hour in vain.

    Examples
    --------
    >>> from audit_analytics import load
    >>> api = "GET/open-apis/contact/v3/users/:user_id"
    >>> log = [
    ...     {"id": f"{n}", "event_time": 1794369600 + n, "app_id": "cli_a", "api_key": api,
    ...      "log_detail": {"path": f"/open-apis/contact/v3/users/{n}", "status_code": 404}}
    ...     for n in range(40)
    ... ]
    >>> [(hit.entity, hit.observed) for hit in find_enumeration(load(log))]
    [('cli_a', 40.0)]
    """
    failed, keys = "failed_objects_count", ["app_id", "api"]
    in_vain = data.by_api["objects_count"] - data.by_api["ok_objects_count"]
    # an object that an outage kept from answering was not guessed
    answers = data.by_api[["not_found_count", "permission_count", "param_count"]].sum(axis=1)
    table = data.by_api.assign(**{failed: np.minimum(in_vain, answers)})
    week = data.in_week(table)
    top = top_rows(week[week[failed] >= data.settings.enumeration_objects], keys, failed)
    usual = data.before_week(table).groupby(keys, observed=True)[failed].max()
    top = top.join(usual.rename("usual"), on=keys)
    for row in top[top[failed] > 3 * top["usual"].fillna(0)].itertuples():
        yield Hit(
            detector="rule:enumeration",
            kind="error_burst",
            entity_type="app",
            entity=str(row.app_id),
            start_at=row.bucket_at,
            end_at=row.bucket_at + HOUR,
            observed=float(row.failed_objects_count),
            unit=mark("distinct objects in an hour"),
            severity="high",
            facts={"api": str(row.api), "calls": int(row.calls_count)},
            where={"app_id": (str(row.app_id),), "api": (str(row.api),)},
        )


@rule
def find_probing(data: RuleInput) -> Iterator[Hit]:
    """Find apps that are denied many distinct APIs in an hour.

    Examples
    --------
    >>> from audit_analytics import load
    >>> denied = {"app_id": "cli_a", "log_detail": {"response": '{"code": 99991672}'}}
    >>> log = [
    ...     denied | {"id": name, "event_time": 1794369600, "api_key": f"GET/open-apis/x/v1/{name}"}
    ...     for name in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    ... ]
    >>> [(hit.entity, hit.observed) for hit in find_probing(load(log))]
    [('cli_a', 10.0)]
    """
    week = data.in_week(data.by_api)
    denied = week[week["permission_count"] > 0]
    # the rollup has one row per hour, app and API
    hours = denied.groupby(["app_id", "bucket_at"], observed=True, as_index=False).size()
    top = top_rows(hours[hours["size"] >= data.settings.probing_apis], ["app_id"], "size")
    named = denied.merge(top, on=["app_id", "bucket_at"])
    names = gather(named, ["app_id"], "api")
    for row in top.itertuples():
        yield Hit(
            detector="rule:probing",
            kind="error_burst",
            entity_type="app",
            entity=str(row.app_id),
            start_at=row.bucket_at,
            end_at=row.bucket_at + HOUR,
            observed=float(row.size),
            unit=mark("distinct denied APIs in an hour"),
            severity="high",
            facts={"apis": sorted(names[row.app_id])},
            where={"app_id": (str(row.app_id),), "outcome": ("permission",)},
        )


@rule
def find_error_burst(data: RuleInput) -> Iterator[Hit]:
    """Find hours in which most of an app's calls fail the same way, unlike before.

    Examples
    --------
    >>> from audit_analytics import load
    >>> failed = {"app_id": "cli_a", "api_key": "GET/x", "log_detail": {"status_code": 404}}
    >>> log = [failed | {"id": f"{n}", "event_time": 1794369600 + n} for n in range(20)]
    >>> [(hit.facts["outcome"], hit.observed) for hit in find_error_burst(load(log))]
    [('not_found', 20.0)]
    """
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
                unit=mark("errors in an hour"),
                severity="low",
                alone=False,
                facts={"outcome": name, "calls": int(calls[app, top]), "hours": len(hours)},
                where={"app_id": (str(data.panel.apps[app]),), "outcome": (name,)},
            )


@rule
def find_outage(data: RuleInput) -> Iterator[Hit]:
    """Find hours in which calls fail for everybody: the platform, not an app.

    Examples
    --------
    >>> from audit_analytics import load
    >>> failed = {"api_key": "GET/x", "log_detail": {"status_code": 500}}
    >>> log = [
    ...     failed | {"id": f"{n}", "event_time": 1794369600, "app_id": f"cli_{n}"} for n in range(15)
    ... ]
    >>> [(hit.facts["outcome"], hit.facts["apps"]) for hit in find_outage(load(log))]
    [('server', 15)]
    """
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
                unit=mark("errors in these hours"),
                severity="medium",
                facts={
                    "outcome": name,
                    "apps": int((found.sum(axis=1) > 0).sum()),
                    "share": float(found.sum() / data.panel.counts["calls"][:, hours].sum()),
                    "hours": len(hours),
                },
                where={"outcome": (name,)},
            )
