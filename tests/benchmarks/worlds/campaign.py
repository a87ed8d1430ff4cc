"""Which attack goes to which app, and when: chosen by the seed, the same at every size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit_analytics.schema import AT
from worlds import attacks as usual
from worlds import attacks_young as young
from worlds import scene as know
from worlds.calendar import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Callable

    from worlds.calls import Calls
    from worlds.scene import Scene, Target

    Inject = Callable[[np.random.Generator, Target, float, float, Scene], Calls]
    Fits = Callable[[Target, Scene], bool]

LABELS = (
    "attack_id",
    "scenario",
    "entity_type",
    "entity",
    "ip",
    "start_at",
    "end_at",
    "rows_count",
    "size",
    "touched",
)


@dataclass(frozen=True)
class Scenario:
    """An attack: ``between`` hours of the day it starts at; ``youth``: young apps do for it, too."""

    inject: Inject
    hours: float
    between: tuple[int, int]
    fits: Fits
    youth: bool = False
    entity_type: str = "app"


SCENARIOS = {
    "stolen_credential": Scenario(usual.steal_credential, 2.5, (9, 22), know.is_busy, youth=True),
    "error_burst": Scenario(usual.burst_errors, 1, (8, 22), know.is_busy, youth=True),
    "permission_probing": Scenario(usual.probe_permissions, 1, (8, 23), know.is_busy, youth=True),
    "id_enumeration": Scenario(usual.enumerate_ids, 1, (8, 22), know.is_busy, youth=True),
    "off_hours_export": Scenario(
        usual.export_at_night, 2, (1, 3), know.is_asleep_at_night, youth=True
    ),
    "off_hours_calls": Scenario(
        usual.call_at_night, 2, (1, 3), know.is_asleep_at_night, youth=True
    ),
    "dormant_wakes": Scenario(usual.wake_dormant, 2, (8, 20), know.is_dormant),
    "slow_and_low": Scenario(usual.leak_slowly, 96, (8, 12), know.is_small_reader),
    "token_spike": Scenario(usual.spike_tokens, 1, (0, 23), know.is_busy, youth=True),
    "new_sensitive_api": Scenario(usual.use_sensitive_api, 5, (9, 15), know.is_busy, youth=True),
    "new_apis": Scenario(usual.use_new_apis, 5, (9, 15), know.is_busy, youth=True),
    "volume": Scenario(usual.raise_volume, 2, (0, 23), know.is_settled),
    "growth_1.5": Scenario(usual.grow_by_half, 167, (0, 0), know.is_steady),
    "growth_2": Scenario(usual.grow_twice, 167, (0, 0), know.is_steady),
    "credential_stuffing": Scenario(
        usual.stuff_credentials, 1, (0, 23), know.is_alive, entity_type="ip"
    ),
    "beacon": Scenario(usual.beacon, 60, (8, 20), know.is_busy, youth=True),
    "nightly_reader": Scenario(usual.read_nightly, 74, (1, 3), know.is_newcomer, youth=True),
    "nightly_calls": Scenario(usual.read_nightly, 74, (1, 3), know.is_newcomer, youth=True),
    "weak_everywhere": Scenario(usual.stay_below, 6, (9, 15), know.is_busy, youth=True),
    "answered_flood": Scenario(young.flood_answered, 1, (0, 23), know.is_newcomer, youth=True),
    "denied_one_api": Scenario(young.deny_one_api, 1, (0, 23), know.is_newcomer, youth=True),
    "denied_for_days": Scenario(young.deny_for_days, 96, (0, 23), know.is_newcomer, youth=True),
    "clockwork_failures": Scenario(
        young.fail_like_a_clock, 73, (0, 23), know.is_newcomer, youth=True
    ),
    "ghost_routes": Scenario(young.call_ghosts, 1, (0, 23), know.is_newcomer, youth=True),
}
LEAST_IN_TWO_HOURS = 30
"""A volume burst is laid where the app usually makes at least so many calls."""


def lay_attacks(
    scene: Scene, names: list[str], *, seed: int, size: float, prefer_young: bool
) -> tuple[list[Calls], pd.DataFrame]:
    """Return the hostile calls of each attack and the labels; an attack nobody fits is left out."""
    choice = np.random.default_rng([seed, 11])
    taken: set[int] = set()
    plan = []
    # those few apps fit are placed first, so that they are not taken by others
    for name in sorted(names, key=lambda name: sum(_fits(name, t, scene) for t in scene.targets)):
        found = _place(name, scene, taken, choice, prefer_young=prefer_young)
        if found:
            plan.append((name, *found))
            taken.add(found[0].app.number)
    scene.peers = [t.app.number for t in scene.targets if t.app.number not in taken]
    parts, labels = [], []
    for number, (name, target, start) in enumerate(plan):
        rng = np.random.default_rng([seed, 13, number])
        calls = SCENARIOS[name].inject(rng, target, start, size, scene)
        calls = calls.take(calls.time < scene.calendar.end)
        calls.attack = np.full(len(calls), number, dtype=np.int16)
        parts.append(calls)
        labels.append(_label(number, name, calls, target, scene))
    table = pd.DataFrame(labels, columns=list(LABELS)).assign(size=size)
    return parts, table.astype({"start_at": AT, "end_at": AT})


def _fits(name: str, target: Target, scene: Scene) -> bool:
    return SCENARIOS[name].fits(target, scene)


def _place(
    name: str, scene: Scene, taken: set[int], rng: np.random.Generator, *, prefer_young: bool
) -> tuple[Target, float] | None:
    """Return who is attacked and when: the first of the fitting apps that has a time for it."""
    scenario = SCENARIOS[name]
    free = [t for t in scene.targets if t.app.number not in taken and scenario.fits(t, scene)]
    order = [free[i] for i in rng.permutation(len(free))]
    if prefer_young:
        # a stable sort: within the young and within the old the order stays drawn
        order.sort(key=lambda t: know.is_newcomer(t, scene) != scenario.youth)
    for target in order:
        hours = _hours(name, scenario, target, scene)
        if len(hours):
            late = 0 if scenario.between == (0, 0) else rng.integers(HOUR // 2)
            return target, float(rng.choice(hours) + late)
    return None


def _hours(name: str, scenario: Scenario, target: Target, scene: Scene) -> np.ndarray:
    calendar = scene.calendar
    first, last = scenario.between
    fits = (calendar.starts >= calendar.week) & (calendar.hour >= first) & (calendar.hour <= last)
    fits &= calendar.starts + scenario.hours * HOUR + HOUR // 2 <= calendar.end
    # a new app has called for half a day before it is abused
    fits &= calendar.starts >= target.first + DAY // 2
    hours = calendar.starts[fits]
    if name == "volume":
        enough = [scene.expect(target, hour, 2) >= LEAST_IN_TWO_HOURS for hour in hours]
        hours = hours[np.array(enough, dtype=bool)]
    if name.startswith("growth"):
        hours = hours[:1]
    return hours


def _label(number: int, name: str, calls: Calls, target: Target, scene: Scene) -> dict[str, object]:
    scenario = SCENARIOS[name]
    ips = sorted({scene.provider.names.texts[code] for code in np.unique(calls.ip)})
    apps = {t.app.number: t.app.app_id for t in scene.targets}
    return {
        "attack_id": f"a{number + 1:02d}",
        "scenario": name,
        "entity_type": scenario.entity_type,
        "entity": ips[0] if scenario.entity_type == "ip" else target.app.app_id,
        "ip": " ".join(ip for ip in ips if ip),
        "start_at": pd.Timestamp(int(calls.time.min()), unit="s", tz="UTC"),
        "end_at": pd.Timestamp(int(calls.time.max()) + 1, unit="s", tz="UTC"),
        "rows_count": len(calls),
        "touched": sorted(apps[code] for code in np.unique(calls.app)),
    }
