"""Who calls: apps with habits, volumes, error rates and addresses of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from worlds.calendar import DAY
from worlds.egress import Egress, draw_egress

if TYPE_CHECKING:
    from worlds.calendar import Calendar
    from worlds.recipes import Recipe
    from worlds.tenant import Tenant
    from worlds.vocabulary import Vocabulary

HABITS = {
    "office": 0.32,
    "flat": 0.10,
    "poller": 0.15,
    "sync": 0.11,
    "nightly": 0.12,
    "weekly": 0.04,
    "monthly": 0.04,
    "tool": 0.12,
}
"""What sets an app's calls off, and how many apps of a tenant live so."""
OFFICE_DAY = np.array(
    [
        1,
        0.6,
        0.4,
        0.4,
        0.4,
        0.8,
        3,
        12,
        48,
        95,
        112,
        104,
        46,
        50,
        98,
        110,
        105,
        96,
        70,
        38,
        26,
        19,
        10,
        4,
    ]
)
"""Calls of a working day by hour: people come, eat, come back, and leave."""
POLLS = (30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
"""Seconds between two calls of an app that polls."""


@dataclass
class App:
    """What one app does; ``errors`` is the share of its calls by outcome."""

    number: int
    app_id: str
    habit: str
    per_day: float
    chain: float
    gap: float
    apis: np.ndarray
    weights: np.ndarray
    egress: Egress
    born: int
    dies: int
    errors: dict[str, float]
    retries: bool
    objects: int
    skew: float
    fresh: float
    weekend: float
    mood: float
    shape: float
    day: np.ndarray
    token: str
    adopts: float
    turns: dict[str, float] = field(default_factory=dict)


def draw_apps(tenant: Tenant, rng: np.random.Generator) -> list[App]:
    """Draw the apps of a tenant: which are young, asleep or gone is settled first."""
    recipe = tenant.recipe
    count = recipe.apps
    young = rng.permutation(count) < round(recipe.young_share * count)
    # those that fell asleep early in the log, for somebody to wake
    asleep = ~young & (rng.random(count) < recipe.asleep_share)
    habits = recipe.habits
    names = rng.choice(
        list(habits), count, p=np.array(list(habits.values())) / sum(habits.values())
    )
    apps = []
    for number in range(count):
        stream = rng.spawn(1)[0]
        app = _draw_app(number, str(names[number]), tenant, stream)
        app.born, app.dies = _draw_life(
            tenant.calendar, stream, young=bool(young[number]), asleep=bool(asleep[number])
        )
        if young[number]:
            app.per_day *= recipe.birth_rush
        app.turns["asleep"] = float(asleep[number])
        app.turns["seldom"] = float(stream.random() < recipe.seldom_share)
        apps.append(app)
    return apps


def _draw_app(number: int, habit: str, tenant: Tenant, rng: np.random.Generator) -> App:
    recipe = tenant.recipe
    apis = draw_apis(tenant.vocabulary, rng, sensitive=rng.random() < 0.12)
    steep = rng.uniform(0.7, 1.8)
    weights = (1 + np.arange(len(apis))) ** -steep
    per_day = float(np.clip(rng.lognormal(np.log(recipe.per_day), 1.35), 0.8, 20_000))
    app = App(
        number=number,
        app_id=f"cli_{rng.integers(2**63):016x}",
        habit=habit,
        per_day=per_day,
        chain=float(1 + rng.exponential(2.0)),
        gap=float(rng.choice([0.2, 0.6, 1.5, 4.0])),
        apis=apis,
        weights=weights / weights.sum(),
        egress=draw_egress(tenant.provider, rng),
        born=0,
        dies=0,
        errors=_draw_errors(recipe, rng, big=habit == "poller" or per_day > 3 * recipe.per_day),
        retries=bool(rng.random() < 0.5),
        objects=int(np.clip(rng.lognormal(4.5, 1.5), 3, 50_000)),
        skew=float(rng.choice([1.0, 2.0, 3.5])),
        fresh=float(rng.choice([0.0, 0.05, 0.3, 0.9], p=[0.4, 0.3, 0.15, 0.15])),
        weekend=float(rng.choice([0.0, 0.05, 0.15, 0.5, 1.0], p=[0.15, 0.3, 0.3, 0.15, 0.1])),
        mood=float(rng.choice([0.05, 0.15, 0.3])),
        # how far an hour strays beyond Poisson: not at all, somewhat, wildly
        shape=float(rng.choice([0.0, 0.1, 0.4, 1.0], p=[0.3, 0.3, 0.3, 0.1])),
        day=_draw_day(rng),
        token=str(rng.choice(["cached", "each", "none"], p=[0.6, 0.25, 0.15])),
        adopts=recipe.adopts,
    )
    app.turns["shift"] = float(rng.uniform(0, 24))
    # a tenant of small apps has none that ask every minute
    app.turns["every"] = float(rng.choice(POLLS, p=_poll_odds()) * max(1.0, 30 / recipe.per_day))
    return app


def draw_apis(
    vocabulary: Vocabulary, rng: np.random.Generator, *, sensitive: bool = False
) -> np.ndarray:
    """Draw what an app calls: some of what everybody calls, and one or two fields of its own."""
    odds = 1 / (1 + np.arange(len(vocabulary.staples)))
    chosen = list(
        rng.choice(vocabulary.staples, int(rng.integers(1, 5)), replace=False, p=odds / odds.sum())
    )
    for _ in range(int(rng.integers(0, 3))):
        own = vocabulary.ordinary[int(rng.integers(len(vocabulary.ordinary)))]
        chosen += list(rng.choice(own, min(len(own), int(rng.integers(1, 6))), replace=False))
    if sensitive:
        chosen += list(rng.choice(vocabulary.sensitive_reads, 2, replace=False))
    unique = np.array(list(dict.fromkeys(chosen)))
    return rng.permutation(unique[unique != vocabulary.token])


def _draw_errors(recipe: Recipe, rng: np.random.Generator, *, big: bool) -> dict[str, float]:
    """Most apps fail now and then, each in its own way; some fail at every tenth call."""
    share = float(np.clip(rng.lognormal(np.log(0.012), 1.2), 0.0005, 0.35))
    kinds = ["not_found", "param", "permission", "server", "rate_limit", "auth", "other"]
    mix = rng.dirichlet([0.9, 0.9, 0.3, 0.3, 0.25, 0.08, 0.1])
    errors = {kind: share * float(part) for kind, part in zip(kinds, mix, strict=True)}
    if rng.random() < recipe.noisy_share or (big and recipe.noisy_share):
        errors["not_found"] = float(rng.beta(30, 10))
    return errors


def _draw_day(rng: np.random.Generator) -> np.ndarray:
    """Return an office day of one's own: an hour early or late, with a lunch dip or without."""
    day = np.roll(OFFICE_DAY, int(rng.choice([-1, 0, 0, 0, 1])))
    if rng.random() < 0.25:
        day[12:14] = day[11]
    day = day * rng.gamma(8, 1 / 8, 24)
    return day / day.sum()


def _draw_life(
    calendar: Calendar, rng: np.random.Generator, *, young: bool, asleep: bool
) -> tuple[int, int]:
    born, dies = calendar.start - DAY, calendar.end
    if young:
        born = calendar.end - int(rng.uniform(1.5, 10) * DAY)
    elif asleep:
        dies = min(calendar.start + int(rng.uniform(2, 8) * DAY), calendar.end - 22 * DAY)
    elif rng.random() < 0.06:
        born = int(calendar.start + rng.random() * 0.7 * (calendar.week - calendar.start))
    elif rng.random() < 0.04:
        dies = int(calendar.week + rng.uniform(-14, 7) * DAY)
    return born, dies


def _poll_odds() -> np.ndarray:
    odds = np.array([0.01, 0.03, 0.04, 0.2, 0.2, 0.15, 0.15, 0.15, 0.07])
    return odds / odds.sum()
