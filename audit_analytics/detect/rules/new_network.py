"""Rule: find apps on a network that is foreign to the whole tenant.

Examples
--------
>>> from audit_analytics import load
>>> call = {"app_id": "cli_a", "api_key": "GET/x", "ip": "10.0.0.1"}
>>> log = [call | {"id": f"{at}", "event_time": at} for at in range(1792944000, 1794758400, 3600)]
>>> log += [call | {"id": "new", "event_time": 1794369600, "ip": "203.0.113.7"}]
>>> [(hit.entity, hit.facts["network"]) for hit in find_new_network(load(log))]
[('cli_a', '203.0.113.0/24')]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit_analytics.cases import Hit
from audit_analytics.detect.guidance import (
    NETWORK_BENIGN,
    NETWORK_STEPS,
    NETWORK_TECHNIQUES,
    NETWORK_TITLE,
)
from audit_analytics.detect.rule_input import DAY
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, label_entity, mark
from audit_analytics.language.wording import format_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect.rule_input import RuleInput


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} called from {network}, foreign to the whole tenant, for the first time {when}.",
        entity=who,
        network=label_entity(hit.facts["network"], "network"),
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
    """Find apps on a network that is foreign to the whole tenant."""
    pairs = data.new_pairs(data.networks)
    for pair in pairs[pairs["foreignness"] == 2].itertuples():
        yield Hit(
            entity_type="app",
            entity=pair.app_id,
            start_at=pair.first_at,
            end_at=pair.first_at + DAY,
            observed=float(pair.calls_count),
            unit=mark("calls in 24 hours"),
            alone=False,
            facts={"network": pair.name},
            where={"app_id": (pair.app_id,), "network": (pair.name,)},
        )
