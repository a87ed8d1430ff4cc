"""Rules about addresses that serve many apps, fail as many apps, or are not wanted at all."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from audit_analytics.cases import Hit
from audit_analytics.detect.rules.base import NO_PLACE, SECOND, gather, is_known, rule
from audit_analytics.detect.stuffing import find_stuffing
from audit_analytics.language import mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from audit_analytics.detect.rules.base import RuleInput

UNKNOWN: Final = "unknown"
"""Entity of calls that came without an address."""


def _count_places(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    counts = rows.groupby(place, observed=True).agg(
        first_at=("first_at", "min"),
        last_at=("last_at", "max"),
        calls=("calls_count", "sum"),
        auth=("auth_count", "sum"),
    )
    apps, addresses = (gather(rows, [place], column) for column in ("app_id", "ip"))
    return counts.assign(
        apps=[sorted(apps[name]) for name in counts.index],
        addresses=[addresses[name] for name in counts.index],
    )


@rule
def find_auth_failures(data: RuleInput) -> Iterator[Hit]:
    """Find networks from which several apps fail to authenticate within an hour.

    Calls without an app id, or without an address, count as well; an address a try is one
    finding about their network. Addresses that each tried enough apps are findings of their own.

    Examples
    --------
    >>> from audit_analytics import load
    >>> refused = {"api_key": "GET/x", "log_detail": {"response": '{"code": 99991663}'}}
    >>> log = [
    ...     refused | {"id": f"{n}", "event_time": 1794369600, "app_id": f"cli_{n}", "ip": f"203.0.113.{n}"}
    ...     for n in range(6)
    ... ]
    >>> [(hit.entity, hit.observed) for hit in find_auth_failures(load(log))]
    [('203.0.113.0/24', 6.0)]
    """
    most, calls = data.settings.auth_failure_apps, data.settings.auth_failure_calls
    stuffed = data.in_week(find_stuffing(data.every_ip, apps=most, calls=calls))
    tried = stuffed.groupby("ip", observed=True)["app_id"].nunique()
    busy = stuffed["ip"].isin(tried.index[tried >= most]) & (stuffed["ip"] != "")
    alone = stuffed["network"].isin(stuffed.loc[~busy, "network"].unique())
    addresses, networks = (
        _count_places(stuffed[~alone], "ip"),
        _count_places(stuffed[alone], "network"),
    )
    for kind, table in (("ip", addresses), ("network", networks)):
        for place in table.itertuples():
            one = len(place.addresses) == 1 and place.addresses[0] != ""
            column, name = ("ip", place.addresses[0]) if one else (kind, str(place.Index))
            named = [app_id for app_id in place.apps if app_id]
            yield Hit(
                detector="rule:auth_failures",
                kind="unusual_ip",
                entity_type=column,
                entity=name or UNKNOWN,
                start_at=place.first_at,
                end_at=place.last_at + SECOND,
                observed=float(len(named) or place.auth),
                unit=mark("apps failing to authenticate")
                if named
                else mark("failures without an app id"),
                severity="high",
                facts={
                    "apps": named,
                    "failures": int(place.auth),
                    "addresses": len(place.addresses),
                    "nameless": "" in place.apps,
                },
                where={column: (name,), "outcome": ("auth",)},
            )


@rule
def find_shared_ip(data: RuleInput) -> Iterator[Hit]:
    """Find addresses on networks new to the tenant this week that several apps call from.

    Examples
    --------
    >>> from audit_analytics import load
    >>> from audit_analytics.detect.rules import RuleInput
    >>> call = {"api_key": "GET/x"}
    >>> log = [call | {"id": "0", "event_time": 1793000000, "app_id": "cli_0", "ip": "10.0.0.1"}]
    >>> log += [
    ...     call | {"id": f"{n}", "event_time": 1794369600, "app_id": f"cli_{n}", "ip": "203.0.113.7"}
    ...     for n in range(1, 6)
    ... ]
    >>> hits = find_shared_ip(RuleInput.from_events(load(log), week="2026-W46"))
    >>> [(hit.entity, hit.observed) for hit in hits]
    [('203.0.113.7', 5.0)]
    """
    if not data.has_history:
        return
    week, past = data.in_week(data.by_ip), data.before_week(data.by_ip)
    fresh = week[~is_known(week, past, ["network"]) & ~week["network"].isin(NO_PLACE)]
    apps = fresh.groupby("ip", observed=True)["app_id"].nunique()
    shared = fresh[fresh["ip"].isin(apps.index[apps >= data.settings.shared_ip_apps])]
    for place in _count_places(shared, "ip").itertuples():
        yield Hit(
            detector="rule:shared_ip",
            kind="unusual_ip",
            entity_type="ip",
            entity=str(place.Index),
            start_at=place.first_at,
            end_at=place.last_at + SECOND,
            observed=float(len(place.apps)),
            unit=mark("apps on one new address"),
            severity="medium",
            facts={"apps": list(place.apps)},
            where={"ip": (str(place.Index),)},
        )


@rule
def find_denied_network(data: RuleInput) -> Iterator[Hit]:
    """Find calls from networks on the user's deny list.

    Examples
    --------
    >>> from audit_analytics import load
    >>> from audit_analytics.detect.rules import RuleInput
    >>> call = {"id": "1", "event_time": 1794369600, "app_id": "cli_a", "api_key": "GET/x"}
    >>> events = load([call | {"ip": "203.0.113.7"}])
    >>> hits = find_denied_network(RuleInput.from_events(events, deny_networks=("203.0.113.0/24",)))
    >>> [(hit.entity, hit.facts["network"]) for hit in hits]
    [('203.0.113.7', '203.0.113.0/24')]
    """
    listed = [ipaddress.ip_network(network, strict=False) for network in data.deny_networks]
    if not listed:
        return
    week = data.in_week(data.every_ip)
    ips = week["ip"].astype("str")
    denied = {ip: network for ip in ips.unique() if (network := _find_listed(ip, listed))}
    for place in _count_places(week[ips.isin(denied)], "ip").itertuples():
        yield Hit(
            detector="rule:denied_network",
            kind="unusual_ip",
            entity_type="ip",
            entity=str(place.Index),
            start_at=place.first_at,
            end_at=place.last_at + SECOND,
            observed=float(place.calls),
            unit=mark("calls in the week"),
            severity="high",
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
