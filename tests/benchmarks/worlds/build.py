"""From a recipe and a seed to the worlds: one honest log, and the same under attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from worlds.apps import draw_apps
from worlds.calendar import HOLIDAYS, HOUR, WORKING_DAYS, make_calendar
from worlds.calls import Calls, build_events, join_calls
from worlds.campaign import LABELS, lay_attacks
from worlds.egress import make_provider
from worlds.honest import simulate_app
from worlds.scene import Scene, profile_apps
from worlds.tenant import Tenant
from worlds.vocabulary import invent_vocabulary, read_vocabulary
from worlds.world import World

if TYPE_CHECKING:
    from worlds.calendar import Calendar
    from worlds.recipes import Recipe
    from worlds.vocabulary import Vocabulary


@dataclass(frozen=True)
class _Honest:
    """A tenant's log before anybody attacks: ``known`` are the addresses in it."""

    tenant: Tenant
    calls: Calls
    scene: Scene
    ids: list[str]
    known: set[str]


def make_worlds(recipe: Recipe, seed: int, sizes: list[float]) -> list[World]:
    """Make the worlds of a seed; size 0 is the honest log alone."""
    rng = np.random.default_rng([seed, *recipe.name.encode()])
    calendar = make_calendar(seed, recipe.days, rng)
    vocabulary = invent_vocabulary(rng) if recipe.foreign else read_vocabulary()
    provider = make_provider(rng, shared=recipe.shared)
    tenant = Tenant(recipe, calendar, vocabulary, provider)
    apps = draw_apps(tenant, rng)
    outages = _draw_outages(calendar, vocabulary, rng)
    calls = join_calls([simulate_app(app, tenant, outages, rng.spawn(1)[0]) for app in apps])
    honest = _Honest(
        tenant=tenant,
        calls=calls,
        scene=Scene(calendar, vocabulary, provider, profile_apps(apps, calls, calendar)),
        ids=[app.app_id for app in apps],
        known={provider.names.texts[code] for code in np.unique(calls.ip)},
    )
    return [_make(honest, seed, size) for size in sizes]


def _make(honest: _Honest, seed: int, size: float) -> World:
    recipe, scene = honest.tenant.recipe, honest.scene
    scene.routes = []
    parts, labels = [], pd.DataFrame(columns=list(LABELS))
    if size:
        names = recipe.choose_attacks(seed)
        young = recipe.prefer_young
        parts, labels = lay_attacks(scene, names, seed=seed, size=size, prefer_young=young)
    calls, apis = _number_routes(join_calls([honest.calls, *parts]), scene)
    events = build_events(
        calls,
        apps=honest.ids,
        apis=apis,
        ips=scene.provider.names.texts,
        with_objects=recipe.with_objects,
    )
    rows = list(labels.itertuples())
    return World(
        kind=recipe.name,
        seed=seed,
        size=size,
        events=events,
        labels=labels,
        touched={row.attack_id: row.touched for row in rows},
        foreign={
            row.attack_id: [ip for ip in row.ip.split() if ip not in honest.known] for row in rows
        },
        holidays=HOLIDAYS,
        working_days=WORKING_DAYS,
    )


def _number_routes(calls: Calls, scene: Scene) -> tuple[Calls, pd.DataFrame]:
    """Add the routes nobody knows to the APIs, each once, however often it was made up."""
    table = scene.vocabulary.table
    place = {api: code for code, api in enumerate(table["api"])}
    known = len(place)
    codes = [place.setdefault(route, len(place)) for route in scene.routes]
    numbers = np.array([*range(known), *codes], dtype=np.int32)
    calls.api = numbers[calls.api]
    apis = pd.DataFrame({"api": list(place)})
    for name in ("category", "severity"):
        apis[name] = [*table[name], *["unknown"] * (len(place) - known)]
    return calls, apis


def _draw_outages(
    calendar: Calendar, vocabulary: Vocabulary, rng: np.random.Generator
) -> list[tuple[int, int, np.ndarray]]:
    """Draw when one of the platform's services fails most calls; about once in four weeks."""
    outages = []
    for _ in range(rng.poisson(calendar.weeks / 4)):
        hours = calendar.starts[~calendar.off & (calendar.hour >= 9) & (calendar.hour < 19)]
        begin = int(rng.choice(hours)) + int(rng.integers(HOUR))
        part = vocabulary.ordinary[int(rng.integers(len(vocabulary.ordinary)))]
        struck = np.concatenate([part, rng.choice(vocabulary.staples, 5, replace=False)])
        outages.append((begin, begin + int(rng.uniform(0.3, 1.2) * HOUR), struck))
    return outages
