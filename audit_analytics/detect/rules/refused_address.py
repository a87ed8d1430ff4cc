"""Rule: find apps refused by their own allow list of addresses on a network new to them.

The platform checks the list (error 99991401) only once the caller shows a valid token. It
stands alone where the token was obtained there, too: whoever that is has the app's secret.

Examples
--------
>>> from audit_analytics import load
>>> call = {"app_id": "cli_a", "api_key": "GET/x", "ip": "10.0.0.1"}
>>> log = [call | {"id": f"{at}", "event_time": at} for at in range(1792944000, 1794758400, 3600)]
>>> token = "POST/open-apis/auth/v3/tenant_access_token/internal"
>>> there = {"app_id": "cli_a", "ip": "203.0.113.7"}
>>> log += [there | {"id": "t", "event_time": 1794369700, "api_key": token, "log_detail": {"response": '{"code": 0}'}}]
>>> log += [there | {"id": "r", "event_time": 1794369800, "api_key": "GET/x", "log_detail": {"response": '{"code": 99991401}'}}]
>>> [(hit.facts["network"], hit.alone) for hit in find_refused_address(load(log))]
[('203.0.113.0/24', True)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit_analytics.cases import Hit
from audit_analytics.detect._tables import SECOND, is_known
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, label_entity, mark
from audit_analytics.language.wording import say_times, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


def _say(hit: Hit, who: str, zone: str) -> str:
    values = {
        "entity": who,
        "network": label_entity(hit.facts["network"], "network"),
        "times": say_times(hit.observed),
        "when": say_when(hit, zone),
    }
    if hit.facts["token"]:
        return _(
            "{entity} was given a token on {network}, a network new to it, and was refused there "
            "{times} for its address {when}.",
            **values,
        )
    return _(
        "{entity} called on {network}, a network new to it, and was refused there {times} for its "
        "address {when}.",
        **values,
    )


@rule(
    name="rule:refused_address",
    title=mark("Token used from an address that is not allowed"),
    kind="unusual_ip",
    severity="medium",
    sentence=_say,
    techniques=("T1528", "T1550.001"),
    benign=(
        mark("a server that moved before its address was added to the app's allow list"),
        mark("a developer trying the app from a new place"),
    ),
    steps=(
        mark("Find out who owns the address; if nobody does, rotate the app secret now."),
        mark("Check what other apps were tried from there."),
        mark("If it is yours, add it to the app's allow list of addresses."),
    ),
    place=50,
)
def find_refused_address(data: RuleInput) -> Iterator[Hit]:
    """Find apps refused by their own allow list of addresses on a network new to them."""
    keys = ["app_id", "network"]
    pairs = data.new_pairs(data.networks).rename(columns={"name": "network"})
    week = data.in_week(data.by_ip)
    there = week[is_known(week, pairs, keys)]
    refused = (
        there[there["ip_denied_count"] > 0]
        .groupby(keys, observed=True)
        .agg(
            count=("ip_denied_count", "sum"),
            first_at=("first_at", "min"),
            last_at=("last_at", "max"),
            addresses=("ip", "nunique"),
        )
    )
    tokens = data.in_week(data.by_api)
    tokens = tokens[(tokens["category"] == "token_issuance") & (tokens["ok_count"] > 0)]
    # from an address that is not on the list, nothing but a token is ever answered
    answered = there[there["ok_count"] > 0]
    granted = answered[is_known(answered, tokens, ["app_id", "bucket_at"])]
    granted_at = granted.groupby(keys, observed=True)["first_at"].min()
    refused = refused.join(granted_at.rename("granted_at"))
    for row in refused.reset_index().itertuples():
        alone = bool(row.granted_at <= row.last_at)
        start_at = min(row.first_at, row.granted_at) if alone else row.first_at
        yield Hit(
            entity_type="app",
            entity=str(row.app_id),
            start_at=start_at,
            end_at=row.last_at + SECOND,
            observed=float(row.count),
            unit=mark("calls refused for their address"),
            severity="high" if alone else "medium",
            alone=alone,
            facts={"network": str(row.network), "addresses": int(row.addresses), "token": alone},
            where={"app_id": (str(row.app_id),), "network": (str(row.network),)},
        )
