"""The apps of a simulated tenant: what role each plays, where it runs, how much it calls."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

import numpy as np
from numpy.random import Generator as Rng

from audit_analytics.simulate._rows import DAY, Clock

NETWORKS: Final = {
    "office": ("10.20.8", "10.32.16", "fd4e:51a2:7c01"),
    "idc": ("10.64.1", "10.64.2", "10.65.40"),
    "cloud": ("198.18.5", "198.18.77", "198.19.14", "100.64.9"),
    "platform": ("fdbd:dc01:ff", "fdbd:dc02:ff"),
}
"""Network prefixes the company's apps run in; /24 of IPv4, /48 of IPv6."""

_HOSTS: Final = {"office": (1, 4), "idc": (10, 60), "cloud": (5, 12), "platform": (1, 90)}

_SPELLINGS: Final = np.array(["colon", "brace", "literal"])
_WEEKENDS: Final = {"office": 0.07, "flat": 0.75, "cron": 0.9, "sparse": 0.05, "sync": 0.7}

DORMANT_INDEX: Final = 7
"""The app that is forgotten after two days."""

RETIRED_INDEX: Final = 9
"""The app that is switched off late in the log."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """What apps of one kind do; ``roles.toml`` says what each field means."""

    name: str
    kind: Literal["office", "flat", "cron", "sparse", "sync"]
    calls_per_day: float  # calls on a working day
    objects: int  # how many objects the app touches
    network: str  # where it calls from, and whether it caches its token
    token: Literal["cached", "each"]
    apis: dict[str, float]  # weight of each canonical API
    adopts: list[str]  # APIs an honest release may add
    chain: float = 1.0  # calls a trigger
    minutes: tuple[int, ...] = (0,)  # when a run starts
    hours: tuple[int, ...] = tuple(range(24))


@dataclass(frozen=True, kw_only=True)
class App:
    """One app of the tenant."""

    app_id: str  # ``cli_`` and 16 hex digits
    name: str  # role and number; the log does not show it
    role: Role
    calls_per_day: float  # its own mean on a working day
    shape: float  # dispersion of its hours: the variance of the gamma factor on each hour's rate
    weekend: float  # level on days off, as a share of a working day
    growth: float  # change of its level a week
    error_share: float  # share of its calls that fail on an ordinary day
    gap: float  # seconds between two calls of one run
    shift: int  # minutes its schedule lies after its role's
    addresses: tuple[str, ...]  # where it calls from
    shares: tuple[float, ...]  # share of the calls from each address
    spelling: str  # colon, brace or literal: how the log writes the placeholders of its api_key
    start: int  # first second it lives, and the second after its last, epoch
    end: int


@cache
def _load_roles() -> tuple[Role, ...]:
    """Read the roles from ``roles.toml``, in order."""
    text = (files("audit_analytics.simulate") / "roles.toml").read_text(encoding="utf-8")
    roles: list[dict[str, Any]] = tomllib.loads(text)["role"]
    return tuple(Role(**role) for role in roles)


def draw_addresses(
    rng: Rng, kind: str, *, prefix: str | None = None
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Draw the one to three addresses an app calls from in one network, and the share of each."""
    prefix = prefix or str(rng.choice(NETWORKS[kind]))
    low, high = _HOSTS[kind]
    hosts = rng.choice(np.arange(low, high), size=int(rng.integers(1, 4)), replace=False)
    shares = rng.dirichlet(4.0 / np.arange(1, len(hosts) + 1))
    return tuple(write_address(prefix, int(h)) for h in hosts), tuple(shares.tolist())


def write_address(prefix: str, host: int) -> str:
    """Write the address of a host in a /24 of IPv4 or a /48 of IPv6, given without its last parts.

    >>> write_address("10.0.0", 12), write_address("fdbd:dc01:ff", 12)
    ('10.0.0.12', 'fdbd:dc01:ff::c')
    """
    return f"{prefix}::{host:x}" if ":" in prefix else f"{prefix}.{host}"


def make_app(index: int, rng: Rng, clock: Clock, *, volume: float) -> App:
    """Draw one app, its calls multiplied by `volume`; its role depends on its number alone."""
    roles = _load_roles()
    role = roles[index % len(roles)]
    addresses, shares = draw_addresses(rng, role.network)
    if index % 9 == 4:
        more, more_shares = draw_addresses(rng, "platform")
        addresses += more
        shares = tuple(0.75 * s for s in shares) + tuple(0.25 * s for s in more_shares)
    start, end = _draw_life(index, rng, clock)
    heavy_tail = 1.0 if role.name == "heartbeat" else float(rng.lognormal(-0.35, 0.55))
    return App(
        app_id=f"cli_a{rng.integers(16**15):015x}",
        name=f"{role.name}-{index // len(roles) + 1}",
        role=role,
        calls_per_day=role.calls_per_day * heavy_tail * volume,
        shape=float(rng.lognormal(-1.6, 0.6)),
        weekend=min(1.0, _WEEKENDS[role.kind] * float(rng.lognormal(0, 0.3))),
        growth=float(rng.normal(0.01, 0.02)),
        error_share=min(0.06, float(rng.lognormal(-4.4, 0.8))),
        gap=float(rng.lognormal(-0.4, 0.4)),
        shift=0 if role.name == "heartbeat" else int(rng.integers(0, 50)),
        addresses=addresses,
        shares=shares,
        spelling=str(rng.choice(_SPELLINGS, p=(0.75, 0.15, 0.10))),
        start=start,
        end=end,
    )


def _draw_life(index: int, rng: Rng, clock: Clock) -> tuple[int, int]:
    """Return when an app is born and when it ends: most live through the whole log."""
    length = clock.end - clock.start
    if index == DORMANT_INDEX:
        return clock.start, clock.start + 2 * DAY
    if index == RETIRED_INDEX:
        return clock.start, clock.start + int(length * rng.uniform(0.72, 0.97))
    if index % 20 == 14:
        return clock.start + int(length * rng.uniform(0.1, 0.95)), clock.end
    return clock.start, clock.end
