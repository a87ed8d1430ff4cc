"""Rules about the networks one app calls from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit_analytics.cases import Hit
from audit_analytics.detect.rules.base import DAY, HOUR, NO_PLACE, SECOND, is_known, rule, top_rows
from audit_analytics.language import mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect.rules.base import RuleInput


@rule
def find_new_network(data: RuleInput) -> Iterator[Hit]:
    """Find apps on a network that is foreign to the whole tenant.

    Examples
    --------
    >>> from audit_analytics import load
    >>> call = {"app_id": "cli_a", "api_key": "GET/x", "ip": "10.0.0.1"}
    >>> log = [call | {"id": f"{at}", "event_time": at} for at in range(1792944000, 1794758400, 3600)]
    >>> log += [call | {"id": "new", "event_time": 1794369600, "ip": "203.0.113.7"}]
    >>> [(hit.entity, hit.facts["network"]) for hit in find_new_network(load(log))]
    [('cli_a', '203.0.113.0/24')]
    """
    pairs = data.new_pairs(data.networks)
    for pair in pairs[pairs["foreignness"] == 2].itertuples():
        yield Hit(
            detector="rule:new_network",
            kind="unusual_ip",
            entity_type="app",
            entity=pair.app_id,
            start_at=pair.first_at,
            end_at=pair.first_at + DAY,
            observed=float(pair.calls_count),
            unit=mark("calls in 24 hours"),
            severity="low",
            alone=False,
            facts={"network": pair.name},
            where={"app_id": (pair.app_id,), "network": (pair.name,)},
        )


@rule
def find_many_networks(data: RuleInput) -> Iterator[Hit]:
    """Find apps that call from more networks within an hour than they ever did.

    Examples
    --------
    >>> from audit_analytics import load
    >>> call = {"app_id": "cli_a", "api_key": "GET/x", "event_time": 1794369600}
    >>> log = [call | {"id": f"{n}", "ip": f"203.0.{n}.1"} for n in range(3)]
    >>> [(hit.entity, hit.observed) for hit in find_many_networks(load(log))]
    [('cli_a', 3.0)]
    """
    real = data.by_ip[~data.by_ip["network"].isin(NO_PLACE)]
    # who tries wrong secrets of an app is elsewhere, the app is not
    real = real[real["calls_count"] > real["auth_count"]]
    counts = real.groupby(["app_id", "bucket_at"], observed=True)["network"].nunique().reset_index()
    usual = data.before_week(counts).groupby("app_id", observed=True)["network"].max()
    top = top_rows(data.in_week(counts), ["app_id"], "network")
    top = top.assign(usual=top["app_id"].map(usual).astype(float).fillna(0.0))
    many = top["network"] >= data.settings.app_networks_per_hour
    for row in top[many & (top["network"] > top["usual"])].itertuples():
        yield Hit(
            detector="rule:many_networks",
            kind="unusual_ip",
            entity_type="app",
            entity=str(row.app_id),
            start_at=row.bucket_at,
            end_at=row.bucket_at + HOUR,
            observed=float(row.network),
            unit=mark("networks in an hour"),
            severity="medium",
            alone=False,
            facts={"usual": int(row.usual)},
            where={"app_id": (str(row.app_id),)},
        )


@rule
def find_refused_address(data: RuleInput) -> Iterator[Hit]:
    """Find apps refused by their own allow list of addresses on a network new to them.

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
            detector="rule:refused_address",
            kind="unusual_ip",
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
