"""Rule: find apps on networks that are foreign to the whole tenant.

Examples
--------
>>> from audit_analytics import load
>>> call = {"app_id": "cli_a", "api_key": "GET/x", "ip": "10.0.0.1"}
>>> log = [call | {"id": f"{at}", "event_time": at} for at in range(1792944000, 1794758400, 3600)]
>>> log += [call | {"id": "new", "event_time": 1794369600, "ip": "203.0.113.7"}]
>>> [(hit.entity, hit.facts["networks"]) for hit in find_new_network(load(log))]
[('cli_a', ['203.0.113.0/24'])]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit_analytics.cases import Hit
from audit_analytics.detect._guidance import (
    NETWORK_BENIGN,
    NETWORK_STEPS,
    NETWORK_TECHNIQUES,
    NETWORK_TITLE,
)
from audit_analytics.detect._tables import DAY
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, label_entity, mark
from audit_analytics.language.wording import format_start, list_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} called from {networks}, foreign to the whole tenant, for the first time {when}.",
        entity=who,
        networks=list_names([label_entity(net, "network") for net in hit.facts["networks"]]),
        when=format_start(hit.start_at, zone),
    )


@rule(
    name="rule:new_network",
    title=NETWORK_TITLE,
    kind="unusual_ip",
    severity="low",
    sentence=_say,
    techniques=NETWORK_TECHNIQUES,
    benign=NETWORK_BENIGN,
    steps=NETWORK_STEPS,
    begins=True,
)
def find_new_network(data: RuleInput) -> Iterator[Hit]:
    """Find apps on networks that are foreign to the whole tenant."""
    pairs = data.new_pairs(data.networks)
    foreign = pairs[pairs["foreignness"] == 2].sort_values("calls_count", ascending=False)
    for app_id, own in foreign.groupby("app_id", sort=True):
        names = tuple(own["name"])
        yield Hit(
            entity_type="app",
            entity=str(app_id),
            start_at=own["first_at"].min(),
            end_at=own["first_at"].max() + DAY,
            observed=float(own["calls_count"].sum()),
            unit=mark("calls in 24 hours"),
            alone=False,
            facts={"networks": list(names)},
            where={"app_id": (str(app_id),), "network": names},
        )
