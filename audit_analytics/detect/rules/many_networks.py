"""Rule: find apps that call from more networks within an hour than they ever did.

Examples
--------
>>> from audit_analytics import load
>>> call = {"app_id": "cli_a", "api_key": "GET/x", "event_time": 1794369600}
>>> log = [call | {"id": f"{n}", "ip": f"203.0.{n}.1"} for n in range(3)]
>>> [(hit.entity, hit.observed) for hit in find_many_networks(load(log))]
[('cli_a', 3.0)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import end_bucket
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._guidance import (
    NETWORK_BENIGN,
    NETWORK_STEPS,
    NETWORK_TECHNIQUES,
    NETWORK_TITLE,
)
from audit_analytics.detect._tables import top_rows
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, ngettext, say_number
from audit_analytics.language.wording import say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


class ManyNetworksThresholds(Thresholds):
    """Thresholds of this rule."""

    app_networks_per_hour: int = Field(3, ge=2, description="networks one app uses in an hour")


def _say(hit: Hit, who: str, zone: str) -> str:
    values = {
        "entity": who,
        "networks": ngettext("{n} network", "{n} networks", hit.observed),
        "when": say_when(hit, zone),
    }
    if not hit.facts["usual"]:
        return _("{entity} called from {networks} {when}.", **values)
    return _(
        "{entity} called from {networks} {when}; never more than {usual} before.",
        **values,
        usual=say_number(hit.facts["usual"]),
    )


@rule(
    name="rule:many_networks",
    title=NETWORK_TITLE,
    kind="unusual_ip",
    severity="medium",
    sentence=_say,
    techniques=NETWORK_TECHNIQUES,
    benign=NETWORK_BENIGN,
    steps=NETWORK_STEPS,
    thresholds=ManyNetworksThresholds,
)
def find_many_networks(data: RuleInput) -> Iterator[Hit]:
    """Find apps that call from more networks within an hour than they ever did."""
    real = data.by_ip[~data.by_ip["network"].isin(schema.NO_PLACE)]
    # who tries wrong secrets of an app is elsewhere, the app is not
    real = real[real["calls_count"] > real["auth_count"]]
    hour = ["app_id", "bucket_at"]
    least = data.thresholds(ManyNetworksThresholds).app_networks_per_hour
    # who called from fewer addresses in every hour of the week did not call from as many networks
    often = data.in_week(real).groupby(hour, observed=True).size()
    apps = often.index.get_level_values("app_id")[often >= least]
    real = real[real["app_id"].isin(apps.unique())]
    counts = real.groupby(hour, observed=True)["network"].nunique().reset_index()
    usual = data.before_week(counts).groupby("app_id", observed=True)["network"].max()
    top = top_rows(data.in_week(counts), ["app_id"], "network")
    top = top.assign(usual=top["app_id"].map(usual).astype(float).fillna(0.0))
    for row in top[(top["network"] >= least) & (top["network"] > top["usual"])].itertuples():
        yield Hit(
            entity_type="app",
            entity=str(row.app_id),
            start_at=row.bucket_at,
            end_at=end_bucket(row.bucket_at, "1h", zone=data.week.zone),
            observed=float(row.network),
            unit=mark("networks in an hour"),
            alone=False,
            facts={"usual": int(row.usual)},
            where={"app_id": (str(row.app_id),)},
        )
