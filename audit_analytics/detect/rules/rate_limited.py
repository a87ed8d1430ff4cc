"""Rule: find apps that press against the rate limit more than they used to.

Examples
--------
>>> from audit_analytics import load
>>> call = {"app_id": "cli_a", "api_key": "GET/x", "log_detail": {"response": '{"code": 99991400}'}}
>>> log = [call | {"id": f"{n}", "event_time": 1794369600 + n} for n in range(20)]
>>> [(hit.observed, hit.facts["share"]) for hit in find_rate_limited(load(log))]
[(20.0, 1.0)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import end_bucket, floor_at
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._guidance import VOLUME_BENIGN, VOLUME_STEPS
from audit_analytics.detect._tables import top_rows
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, say_number
from audit_analytics.language.wording import say_times, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


class RateLimitedThresholds(Thresholds):
    """Thresholds of this rule."""

    rate_limited_share: float = Field(0.2, gt=0, le=1, description="share of calls limited, a day")


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} was rate-limited {times} {when} ({share} % of its calls).",
        entity=who,
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        share=say_number(100 * hit.facts["share"]),
    )


@rule(
    name="rule:rate_limited",
    title=mark("Rate limit reached"),
    kind="volume",
    severity="low",
    sentence=_say,
    techniques=("T1499",),
    benign=VOLUME_BENIGN,
    steps=VOLUME_STEPS,
    thresholds=RateLimitedThresholds,
)
def find_rate_limited(data: RuleInput) -> Iterator[Hit]:
    """Find apps that press against the rate limit more than they used to."""
    day = floor_at(data.by_api["bucket_at"], "1D", zone=data.week.zone)
    sums = data.by_api.groupby(["app_id", day], observed=True)
    days = sums[["calls_count", "rate_limit_count"]].sum().reset_index()
    days["share"] = days["rate_limit_count"] / days["calls_count"].clip(lower=50)
    usual = data.before_week(days).groupby("app_id", observed=True)["share"].max()
    top = top_rows(data.in_week(days), ["app_id"], "share")
    usual_share = top["app_id"].map(usual).astype(float).fillna(0.0)
    pressed = top["share"] >= data.thresholds(RateLimitedThresholds).rate_limited_share
    for row in top[pressed & (top["share"] > 2 * usual_share)].itertuples():
        yield Hit(
            entity_type="app",
            entity=str(row.app_id),
            start_at=row.bucket_at,
            end_at=end_bucket(row.bucket_at, "1D", zone=data.week.zone),
            observed=float(row.rate_limit_count),
            unit=mark("rate-limited calls in a day"),
            alone=False,
            facts={"share": float(row.rate_limit_count / row.calls_count)},
            where={"app_id": (str(row.app_id),), "outcome": ("rate_limit",)},
        )
