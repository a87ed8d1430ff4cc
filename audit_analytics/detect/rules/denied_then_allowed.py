"""Rule: find sensitive APIs that were denied to an app several times and then answered.

Examples
--------
>>> from audit_analytics import load
>>> call = {"app_id": "cli_a", "api_key": "POST/open-apis/drive/v1/export_tasks"}
>>> denied = {"log_detail": {"response": '{"code": 99991672}'}}
>>> log = [call | denied | {"id": f"{n}", "event_time": 1794369600 + n} for n in range(5)]
>>> log += [call | {"id": "5", "event_time": 1794380000, "log_detail": {"response": '{"code": 0}'}}]
>>> [(hit.entity, hit.observed) for hit in find_denied_then_allowed(load(log))]
[('cli_a', 5.0)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from pydantic import Field

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._guidance import ROTATE
from audit_analytics.detect._tables import DAY, HOUR, is_known
from audit_analytics.detect._uses import APP_API
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_times, say_when, show_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


class DeniedThenAllowedThresholds(Thresholds):
    """Thresholds of this rule."""

    denied_before_success: int = Field(5, ge=1, description="denials before a success, 24 hours")


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} was denied {api} {times} and then allowed {when}.",
        entity=who,
        api=show_api(hit.facts["api"]),
        times=say_times(hit.observed),
        when=say_when(hit, zone),
    )


@rule(
    name="rule:denied_then_allowed",
    title=mark("Denied, then allowed"),
    kind="sensitive_api",
    severity="high",
    sentence=_say,
    techniques=("T1069.003", "T1213"),
    benign=(mark("a scope that was requested, and granted after the first attempts"),),
    steps=(mark("Check who granted the scope, and whether the request was reviewed."), ROTATE),
    thresholds=DeniedThenAllowedThresholds,
    place=60,
)
def find_denied_then_allowed(data: RuleInput) -> Iterator[Hit]:
    """Find sensitive APIs that were denied to an app several times and then answered."""
    rows = data.by_api[data.by_api["severity"].isin(schema.SENSITIVE)]
    # who is denied on Sunday night and let in on Monday is told in the week of the success
    near = rows[rows["last_at"] >= data.week.start_at - DAY]
    earlier = data.before_week(data.by_api)
    near = near[~is_known(near, earlier[earlier["ok_count"] > 0], APP_API)]
    near = near.sort_values("bucket_at", kind="stable")
    later = near.groupby(APP_API, observed=True)
    near = near.assign(
        # in the hour of the first success its order is not known; what comes next tells it
        refused_next=later["permission_count"].shift(-1).fillna(1) > 0,
        success=later["ok_count"].cumsum() > 0,
        granted_at=near["last_at"].where(near["ok_count"] > 0),
    )
    granted_at = near.groupby(APP_API, observed=True)["granted_at"].min()
    denials = near[near["permission_count"] > 0].drop(columns="granted_at")
    denials = denials.merge(granted_at.dropna().reset_index(), on=APP_API)
    before = denials[~denials["success"] & (denials["last_at"] >= denials["granted_at"] - DAY)]
    mixed = denials[denials["success"] & (denials["last_at"] == denials["granted_at"])]
    mixed = mixed[is_known(mixed, before, APP_API) | ~mixed["refused_next"]]
    pairs = (
        pd.concat([before, mixed])
        .groupby(APP_API, observed=True, as_index=False)
        .agg(
            count=("permission_count", "sum"),
            start_at=("first_at", "min"),
            end_at=("granted_at", "first"),
        )
    )
    for pair in pairs[
        pairs["count"] >= data.thresholds(DeniedThenAllowedThresholds).denied_before_success
    ].itertuples():
        yield Hit(
            entity_type="app",
            entity=str(pair.app_id),
            start_at=pair.start_at,
            end_at=pair.end_at + HOUR,
            observed=float(pair.count),
            unit=mark("denials before the first success"),
            facts={"api": str(pair.api)},
            where={"app_id": (str(pair.app_id),), "api": (str(pair.api),)},
        )
