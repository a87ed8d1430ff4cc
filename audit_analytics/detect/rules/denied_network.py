"""Rule: find calls from networks on the user's deny list.

Examples
--------
>>> from audit_analytics import load
>>> from audit_analytics.detect import RuleInput
>>> call = {"id": "1", "event_time": 1794369600, "app_id": "cli_a", "api_key": "GET/x"}
>>> events = load([call | {"ip": "203.0.113.7"}])
>>> hits = find_denied_network(RuleInput.from_events(events, deny_networks=("203.0.113.0/24",)))
>>> [(hit.entity, hit.facts["network"]) for hit in hits]
[('203.0.113.7', '203.0.113.0/24')]
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from audit_analytics.cases import Hit
from audit_analytics.detect._guidance import (
    SHARED_BENIGN,
    SHARED_STEPS,
    SHARED_TECHNIQUES,
    SHARED_TITLE,
)
from audit_analytics.detect._tables import SECOND, count_places
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, label_entity, mark
from audit_analytics.language.wording import say_calls, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} lies in {network}, which is on the deny list; {calls} came from it {when}.",
        entity=who,
        network=label_entity(hit.facts["network"], "network"),
        calls=say_calls(hit.observed),
        when=say_when(hit, zone),
    )


@rule(
    name="rule:denied_network",
    title=SHARED_TITLE,
    kind="unusual_ip",
    severity="high",
    sentence=_say,
    techniques=SHARED_TECHNIQUES,
    benign=SHARED_BENIGN,
    steps=SHARED_STEPS,
    place=10,
)
def find_denied_network(data: RuleInput) -> Iterator[Hit]:
    """Find calls from networks on the user's deny list."""
    listed = [ipaddress.ip_network(network, strict=False) for network in data.deny_networks]
    if not listed:
        return
    week = data.in_week(data.every_ip)
    ips = week["ip"].astype("str")
    denied = {ip: network for ip in ips.unique() if (network := _find_listed(ip, listed))}
    for place in count_places(week[ips.isin(denied)], "ip").itertuples():
        yield Hit(
            entity_type="ip",
            entity=str(place.Index),
            start_at=place.first_at,
            end_at=place.last_at + SECOND,
            observed=float(place.calls),
            unit=mark("calls in the week"),
            facts={"network": denied[str(place.Index)], "apps": list(place.apps)},
            where={"ip": (str(place.Index),)},
        )


def _find_listed(
    ip: str, listed: list[ipaddress.IPv4Network | ipaddress.IPv6Network]
) -> str | None:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return None
    return next((str(network) for network in listed if address in network), None)
