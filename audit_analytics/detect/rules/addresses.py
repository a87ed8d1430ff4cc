"""Rules about networks and addresses: who calls from where."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from audit_analytics.cases import Hit
from audit_analytics.detect.groups import outage_excess, usual_rate
from audit_analytics.detect.rules.base import DAY, HOUR, SECOND
from audit_analytics.detect.surprise import WeekFrame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect.rules.base import RuleInput


def find_new_network(data: RuleInput) -> Iterator[Hit]:
    """Find apps on a network that is foreign to the whole tenant."""
    for pair in data.new_pairs(data.networks).itertuples():
        if pair.foreignness == 2:
            yield Hit(
                detector="rule:new_network",
                kind="unusual_ip",
                entity_type="app",
                entity=pair.app_id,
                start_at=pair.first_at,
                end_at=pair.first_at + DAY,
                observed=float(pair.calls_count),
                unit="calls in 24 hours",
                severity="low",
                alone=False,
                facts={"network": pair.name},
                where={"app_id": (pair.app_id,), "network": (pair.name,)},
            )


def find_auth_failures(data: RuleInput) -> Iterator[Hit]:
    """Find addresses from which several apps fail to authenticate within an hour."""
    week = data.in_week(data.by_ip)
    counts = data.panel.counts["auth"]
    outage = outage_excess(data.panel, counts, usual_rate(WeekFrame(data.panel, 0), counts)) > 0
    calm = ~week["bucket_at"].isin(data.panel.grid.hours[outage])
    failing = week[calm & (2 * week["auth_count"] > week["calls_count"]) & (week["ip"] != "")]
    for ip, rows in failing.groupby("ip", observed=True):
        apps = rows.groupby("bucket_at")["app_id"].nunique()
        if apps.max() >= data.settings.auth_failure_apps:
            names = tuple(sorted(rows["app_id"].astype("str").unique()))
            yield Hit(
                detector="rule:auth_failures",
                kind="unusual_ip",
                entity_type="ip",
                entity=str(ip),
                start_at=rows["first_at"].min(),
                end_at=rows["last_at"].max() + SECOND,
                observed=float(len(names)),
                unit="apps failing to authenticate",
                severity="high",
                facts={"apps": list(names), "failures": int(rows["auth_count"].sum())},
                where={"ip": (str(ip),), "outcome": ("auth",)},
            )


def find_shared_ip(data: RuleInput) -> Iterator[Hit]:
    """Find addresses, new to the tenant this week, that several apps call from."""
    week, past = data.in_week(data.by_ip), data.before_week(data.by_ip)
    known = set(past["network"].astype("str"))
    fresh = week[~week["network"].isin([*known, "", "platform"])]
    for ip, rows in fresh.groupby("ip", observed=True):
        names = tuple(sorted(rows["app_id"].astype("str").unique()))
        if len(names) >= data.settings.shared_ip_apps and data.has_history:
            yield Hit(
                detector="rule:shared_ip",
                kind="unusual_ip",
                entity_type="ip",
                entity=str(ip),
                start_at=rows["first_at"].min(),
                end_at=rows["last_at"].max() + SECOND,
                observed=float(len(names)),
                unit="apps on one new address",
                severity="medium",
                facts={"apps": list(names)},
                where={"ip": (str(ip),)},
            )


def find_many_networks(data: RuleInput) -> Iterator[Hit]:
    """Find apps that call from more networks within an hour than they ever did."""
    real = data.by_ip[~data.by_ip["network"].isin(["", "platform"])]
    counts = real.groupby(["app_id", "bucket_at"], observed=True)["network"].nunique().reset_index()
    usual = data.before_week(counts).groupby("app_id", observed=True)["network"].max()
    for app_id, rows in data.in_week(counts).groupby("app_id", observed=True):
        top = rows.loc[rows["network"].idxmax()]
        if top["network"] >= max(data.settings.app_networks_per_hour, usual.get(app_id, 0) + 1):
            yield Hit(
                detector="rule:many_networks",
                kind="unusual_ip",
                entity_type="app",
                entity=str(app_id),
                start_at=top["bucket_at"],
                end_at=top["bucket_at"] + HOUR,
                observed=float(top["network"]),
                unit="networks in an hour",
                severity="medium",
                alone=False,
                facts={"usual": int(usual.get(app_id, 0))},
                where={"app_id": (str(app_id),)},
            )


def find_denied_network(data: RuleInput) -> Iterator[Hit]:
    """Find calls from networks on the user's deny list."""
    listed = [ipaddress.ip_network(network, strict=False) for network in data.deny_networks]
    week = data.in_week(data.by_ip)
    for ip, rows in week.groupby("ip", observed=True):
        network = next((str(n) for n in listed if _contains(n, str(ip))), None)
        if network:
            yield Hit(
                detector="rule:denied_network",
                kind="unusual_ip",
                entity_type="ip",
                entity=str(ip),
                start_at=rows["first_at"].min(),
                end_at=rows["last_at"].max() + SECOND,
                observed=float(rows["calls_count"].sum()),
                unit="calls in the week",
                severity="high",
                facts={"network": network, "apps": sorted(rows["app_id"].astype("str").unique())},
                where={"ip": (str(ip),)},
            )


def _contains(network: ipaddress.IPv4Network | ipaddress.IPv6Network, ip: str) -> bool:
    try:
        return ipaddress.ip_address(ip) in network
    except ValueError:
        return False
