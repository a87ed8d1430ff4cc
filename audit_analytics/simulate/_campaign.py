"""Lays attacks over the honest calls of a tenant: picks targets and times, writes labels."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from audit_analytics.errors import ConfigError
from audit_analytics.schema import AT
from audit_analytics.simulate._attacks import Scenario, find_scenario
from audit_analytics.simulate._rows import DAY, HOUR, Clock, categorise
from audit_analytics.simulate._targets import Target, profile_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


LABELS: Final = (
    "attack_id",
    "scenario",
    "entity_type",
    "entity",
    "ip",
    "network",
    "start_at",
    "end_at",
    "rows_count",
    "size",
    "description",
)
"""Columns of the labels; instants in UTC, several addresses joined by a blank."""


def lay_attacks(
    honest: pd.DataFrame,
    names: Sequence[str],
    clock: Clock,
    *,
    size: float,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay attacks over the last seven days of a log, each on a target of its own if there are so many.

    Returned are honest and hostile calls, unsorted, with a column `attack` (position in the labels,
    or -1), and the labels, one row an attack. `size` is a factor on the calls of every attack.
    """
    scenarios = [find_scenario(name) for name in names]
    week = clock.end - 7 * DAY
    targets = _profile_apps(honest[honest["time"] < week] if clock.week[-1] else honest)
    honest = honest.assign(attack=-1)
    parts: list[pd.DataFrame] = []
    labels: list[dict[str, Any]] = []
    taken: set[str] = set()
    for number, (name, scenario) in enumerate(zip(names, scenarios, strict=True)):
        stream = rng.spawn(1)[0]
        target = _choose_target(name, targets, taken, week, stream)
        taken.add(target.app_id)
        start = _choose_start(scenario, target, clock, stream)
        rows = scenario.inject(stream, target, start, size).assign(attack=number)
        rows = rows[rows["time"] < clock.end]
        if scenario.removes:
            span = (start, min(start + int(scenario.hours * HOUR * size), clock.end))
            own = honest["app_id"] == target.app_id
            honest = honest[~(own & honest["time"].between(span[0], span[1] - 1))]
        else:
            span = (int(rows["time"].min()), int(rows["time"].max()) + 1)
        parts.append(rows)
        labels.append(_label(f"a{number + 1:02d}", name, rows, target=target, span=span, size=size))
    calls = categorise(pd.concat([honest, *parts], ignore_index=True))
    table = pd.DataFrame(labels, columns=list(LABELS))
    return calls, table.astype({"start_at": AT, "end_at": AT})


def _profile_apps(before: pd.DataFrame) -> list[Target]:
    peers = tuple(before["app_id"].cat.remove_unused_categories().cat.categories)
    apps = before.groupby("app_id", observed=True)
    return [profile_target(rows, peers=peers) for _, rows in apps]


def _choose_target(
    name: str, targets: list[Target], taken: set[str], week: int, rng: np.random.Generator
) -> Target:
    fitting = find_scenario(name).choose(targets, week)
    free = [t for t in fitting if t.app_id not in taken] or fitting
    if not free:
        raise ConfigError(f"attacks: no app fits {name}; use more apps or weeks, or leave it out")
    return free[int(rng.integers(len(free)))]


def _choose_start(
    scenario: Scenario, target: Target, clock: Clock, rng: np.random.Generator
) -> int:
    """Return when an attack starts: on the last seven days, early enough to end in the log."""
    latest = clock.end - int((scenario.hours + 1) * HOUR)
    fits = (clock.starts >= clock.end - 7 * DAY) & (clock.starts <= latest)
    fits &= (clock.hour >= scenario.between[0]) & (clock.hour <= scenario.between[1])
    asleep = fits & (clock.starts > target.last + 30.5 * DAY)
    hours = clock.starts[asleep if asleep.any() else fits]
    return int(rng.choice(hours)) + int(rng.integers(HOUR))


def _label(
    attack_id: str,
    name: str,
    rows: pd.DataFrame,
    *,
    target: Target,
    span: tuple[int, int],
    size: float,
) -> dict[str, Any]:
    scenario = find_scenario(name)
    ips = sorted(set(rows["ip"]))
    start_at, end_at = (pd.Timestamp(at, unit="s", tz="UTC") for at in span)
    return {
        "attack_id": attack_id,
        "scenario": name,
        "entity_type": scenario.entity_type,
        "entity": target.app_id if scenario.entity_type == "app" else ips[0],
        "ip": " ".join(ips),
        "network": " ".join(sorted({_network_of(ip) for ip in ips})),
        "start_at": start_at,
        "end_at": end_at,
        "rows_count": len(rows),
        "size": size,
        "description": scenario.description,
    }


def _network_of(ip: str) -> str:
    width = 48 if ":" in ip else 24
    return str(ipaddress.ip_network(f"{ip}/{width}", strict=False))
