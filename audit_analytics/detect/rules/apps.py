"""Rules about the life of an app: waking up, falling silent, pressing against the rate limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import floor_at
from audit_analytics.detect.rules.base import DAY, HOUR, SECOND, rule, top_rows
from audit_analytics.language import mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from audit_analytics.detect.rules.base import RuleInput


@rule
def find_dormant(data: RuleInput) -> Iterator[Hit]:
    """Find apps that wake after weeks without a call.

    Examples
    --------
    >>> from audit_analytics import load
    >>> from audit_analytics.detect.rules import RuleInput
    >>> call = {"app_id": "cli_a", "api_key": "GET/open-apis/im/v1/chats"}
    >>> log = [call | {"id": f"{at}", "event_time": at} for at in (1791000000, 1794369600)]
    >>> hits = find_dormant(RuleInput.from_events(load(log), week="2026-W46"))
    >>> [(hit.entity, hit.facts["quiet_days"]) for hit in hits]
    [('cli_a', 39)]
    """
    quiet = pd.Timedelta(days=data.settings.dormant_days)
    last = data.before_week(data.by_api).groupby("app_id", observed=True)["last_at"].max()
    apps = (
        data.in_week(data.by_api)
        .groupby("app_id", observed=True)
        .agg(first_at=("first_at", "min"), last_at=("last_at", "max"), calls=("calls_count", "sum"))
    )
    apps = apps.join(last.rename("slept_at"), how="inner")
    for app in apps[apps["first_at"] - apps["slept_at"] >= quiet].itertuples():
        yield Hit(
            detector="rule:dormant",
            kind="volume",
            entity_type="app",
            entity=str(app.Index),
            start_at=app.first_at,
            end_at=app.last_at + SECOND,
            observed=float(app.calls),
            unit=mark("calls in the week"),
            severity="medium",
            facts={"quiet_days": (app.first_at - app.slept_at).days},
            where={"app_id": (str(app.Index),)},
        )


@rule
def find_silence(data: RuleInput) -> Iterator[Hit]:
    """Find every-hour apps that stop calling while the log goes on.

    The silence has to be twice as long as any of the app's history: a nightly maintenance is
    none.

    Examples
    --------
    >>> from audit_analytics import load
    >>> hours = range(1792944000, 1794758400, 3600)
    >>> log = [
    ...     {"id": f"{app}{at}", "event_time": at, "app_id": app, "api_key": "GET/x"}
    ...     for app in ("cli_a", "cli_b")
    ...     for at in hours
    ...     if app == "cli_b" or not 1794369600 <= at < 1794400000
    ... ]
    >>> [(hit.entity, hit.facts["hours"]) for hit in find_silence(load(log))]
    [('cli_a', 9)]
    """
    grid, calls = data.panel.grid, data.panel.counts["calls"]
    history, week = data.panel.weights(0) > 0, np.flatnonzero(grid.week == 0)
    # hours after the log's last are not silence, but not logged yet
    logged = np.flatnonzero(calls.sum(axis=0) > 0)
    week = week[week <= logged[-1]] if len(logged) else week[:0]
    hours = history.sum(axis=1)
    busy = ((calls > 0) & history).sum(axis=1) >= 0.95 * np.maximum(hours, 1)
    for app in np.flatnonzero(data.panel.assessed(0) & busy):
        past = calls[app, history[app]]
        start, length = _longest_run((calls[app, week] == 0) & ~grid.gap[week])
        longest = _longest_run(past == 0)[1]
        if length >= max(data.settings.silence_hours, 2 * longest):
            start_at = grid.hours[week][start]
            app_id = str(data.panel.apps[app])
            yield Hit(
                detector="rule:silence",
                kind="silence",
                entity_type="app",
                entity=app_id,
                start_at=start_at,
                end_at=start_at + length * HOUR,
                observed=0.0,
                expected=float(past.mean() * length),
                unit=mark("calls in the silence"),
                severity="medium",
                facts={"hours": int(length), "longest_before": int(longest)},
                where={"app_id": (app_id,)},
            )


def _longest_run(mask: NDArray[np.bool_]) -> tuple[int, int]:
    edges = np.flatnonzero(np.diff(np.r_[0, mask.astype(int), 0]))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    best = int(lengths.argmax()) if len(lengths) else -1
    return (int(starts[best]), int(lengths[best])) if best >= 0 else (0, 0)


@rule
def find_rate_limited(data: RuleInput) -> Iterator[Hit]:
    """Find apps that press against the rate limit more than they used to.

    Examples
    --------
    >>> from audit_analytics import load
    >>> call = {"app_id": "cli_a", "api_key": "GET/x", "log_detail": {"response": '{"code": 99991400}'}}
    >>> log = [call | {"id": f"{n}", "event_time": 1794369600 + n} for n in range(20)]
    >>> [(hit.observed, hit.facts["share"]) for hit in find_rate_limited(load(log))]
    [(20.0, 1.0)]
    """
    day = floor_at(data.by_api["bucket_at"], "1D", zone=data.week.zone)
    sums = data.by_api.groupby(["app_id", day], observed=True)
    days = sums[["calls_count", "rate_limit_count"]].sum().reset_index()
    days["share"] = days["rate_limit_count"] / days["calls_count"].clip(lower=50)
    usual = data.before_week(days).groupby("app_id", observed=True)["share"].max()
    top = top_rows(data.in_week(days), ["app_id"], "share")
    usual_share = top["app_id"].map(usual).astype(float).fillna(0.0)
    pressed = top["share"] >= data.settings.rate_limited_share
    for row in top[pressed & (top["share"] > 2 * usual_share)].itertuples():
        yield Hit(
            detector="rule:rate_limited",
            kind="volume",
            entity_type="app",
            entity=str(row.app_id),
            start_at=row.bucket_at,
            end_at=row.bucket_at + DAY,
            observed=float(row.rate_limit_count),
            unit=mark("rate-limited calls in a day"),
            severity="low",
            alone=False,
            facts={"share": float(row.rate_limit_count / row.calls_count)},
            where={"app_id": (str(row.app_id),), "outcome": ("rate_limit",)},
        )
