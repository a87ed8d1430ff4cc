"""Where calls come from: servers, offices behind one address, pools of a cloud."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worlds.calendar import DAY, HOUR
from worlds.calls import Names

STYLES = {
    "server": 0.38,
    "office": 0.22,
    "pool": 0.2,
    "pair": 0.1,
    "v6": 0.04,
    "platform": 0.03,
    "blank": 0.03,
}
FOREIGN = ("203.0.113", "198.51.100", "192.0.2")
"""Documentation ranges: nobody in the tenant calls from there."""


@dataclass
class Provider:
    """The addresses of a tenant: its racks, its offices, and the networks of the clouds it rents."""

    names: Names
    racks: list[str]
    offices: list[str]
    clouds: list[list[str]]
    shared: list[str]


@dataclass
class Egress:
    """How one app leaves: ``pools`` are networks with their odds, ``stay`` seconds on an address.

    ``moves`` are (time, address): from then on the app calls from there.
    """

    style: str
    fixed: list[str]
    pools: list[str]
    odds: np.ndarray
    stay: float
    moves: list[tuple[int, str]]


def make_provider(rng: np.random.Generator, *, shared: bool) -> Provider:
    """Draw the tenant's networks; ``shared`` puts everybody behind three addresses."""
    first, second = rng.choice(np.arange(20, 120), 2, replace=False)
    racks = [f"10.{first}.{rack}" for rack in range(4)]
    offices = [f"{120 + site}.{second}.7.{20 + site}" for site in range(3)]
    clouds = [
        [f"{47 + cloud}.{second + cloud}.{part}" for part in rng.permutation(200)[:24]]
        for cloud in range(3)
    ]
    return Provider(
        names=Names(),
        racks=racks,
        offices=offices,
        clouds=clouds,
        shared=offices if shared else [],
    )


def draw_egress(provider: Provider, rng: np.random.Generator) -> Egress:
    style = str(rng.choice(list(STYLES), p=list(STYLES.values())))
    rack = str(rng.choice(provider.racks))
    fixed = {
        "server": [f"{rack}.{rng.integers(2, 250)}"],
        "pair": [f"{rack}.{rng.integers(2, 120)}", f"{rack}.{rng.integers(120, 250)}"],
        "office": list(rng.permutation(provider.offices)),
        "v6": [f"2408:4000:{rng.integers(16, 4096):x}::{rng.integers(2, 999):x}"],
        "platform": [f"fdbd:dc0{rng.integers(1, 9)}:{rng.integers(1, 200):x}::1"],
        "blank": [""],
        "pool": [],
    }[style]
    cloud = provider.clouds[int(rng.integers(len(provider.clouds)))]
    pools = [str(n) for n in rng.permutation(cloud)[: int(rng.integers(2, 12))]]
    odds = (1.0 + np.arange(len(pools))) ** -1.6
    if provider.shared:
        style, fixed = "office", [str(ip) for ip in rng.permutation(provider.shared)]
    # a machine keeps its address for days, a function for minutes
    stay = float(rng.choice([0.0, 0.5 * HOUR, 6 * HOUR, 2 * DAY]))
    return Egress(style, fixed, pools, odds / odds.sum(), stay, [])


def draw_addresses(
    egress: Egress, provider: Provider, time: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the address (a number of ``provider.names``) of each call; times rise."""
    code = provider.names.code
    if egress.style == "pool":
        ips = _rotate(egress, time, rng, provider)
    else:
        fixed = provider.names.code_all(egress.fixed)
        odds = {1: [1.0], 2: [0.5, 0.5], 3: [0.94, 0.04, 0.02]}[len(fixed)]
        # an office changes its way out for an hour, not for a call
        block = ((time - time[0]) // HOUR).astype(np.int64) if len(time) else time
        drawn = rng.choice(len(fixed), int(block[-1]) + 1 if len(block) else 0, p=odds)
        ips = fixed[drawn[block]] if len(fixed) == 3 else rng.choice(fixed, len(time), p=odds)
    for since, address in egress.moves:
        ips = np.where(time >= since, code(address), ips)
    return ips.astype(np.int32)


def _rotate(
    egress: Egress, time: np.ndarray, rng: np.random.Generator, provider: Provider
) -> np.ndarray:
    if not len(time):
        return np.zeros(0, dtype=np.int32)
    turn = np.arange(len(time))
    if egress.stay:
        turn = ((time - time[0]) // egress.stay).astype(np.int64)
    pool = rng.choice(len(egress.pools), int(turn[-1]) + 1, p=egress.odds)
    host = rng.integers(10, 18, int(turn[-1]) + 1)
    table = provider.names.code_all(
        [f"{pool}.{last}" for pool in egress.pools for last in range(10, 18)]
    )
    return table[(pool * 8 + host - 10)[turn]]


def draw_foreign(rng: np.random.Generator) -> str:
    """Draw an address nobody in the tenant uses."""
    if rng.random() < 0.2:
        return f"2001:db8:{rng.integers(1, 65_535):x}::{rng.integers(1, 65_535):x}"
    return f"{rng.choice(FOREIGN)}.{rng.integers(2, 250)}"
