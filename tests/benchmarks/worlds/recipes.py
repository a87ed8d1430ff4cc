"""The worlds by name: what each asks of the apps, and which attacks it bears."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from worlds.apps import HABITS

USUAL = (
    "stolen_credential",
    "error_burst",
    "permission_probing",
    "id_enumeration",
    "off_hours_export",
    "dormant_wakes",
    "slow_and_low",
    "token_spike",
    "new_sensitive_api",
    "volume",
    "growth_1.5",
    "growth_2",
    "credential_stuffing",
    "beacon",
    "nightly_reader",
    "weak_everywhere",
)
YOUNG = (
    "answered_flood",
    "denied_one_api",
    "denied_for_days",
    "clockwork_failures",
    "ghost_routes",
)
AGAIN = ("volume", "stolen_credential", "slow_and_low", "new_sensitive_api", "permission_probing")
_FOREIGN = {
    # what only a catalogue makes remarkable gives way to what shows without one
    "off_hours_export": "off_hours_calls",
    "new_sensitive_api": "new_apis",
    "nightly_reader": "nightly_calls",
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a world is made of.

    ``per_day`` is the median of the apps' calls a day; ``adopts`` multiplies how often apps take to
    new APIs and addresses; ``birth_rush`` how much more young apps call; ``noisy_share`` of the
    apps, and every one that is large or polls, get not-found answers to 70 % of their calls;
    ``repeated`` more attacks are drawn from ``again`` by the seed.
    """

    name: str
    apps: int = 200
    days: int = 35
    per_day: float = 30
    young_share: float = 0.03
    birth_rush: float = 1.0
    asleep_share: float = 0.03
    adopts: float = 1.0
    noisy_share: float = 0.0
    shared: bool = False
    foreign: bool = False
    with_objects: bool = True
    habits: dict[str, float] = field(default_factory=lambda: dict(HABITS))
    seldom_share: float = 0.0
    prefer_young: bool = False
    attacks: tuple[str, ...] = USUAL
    again: tuple[str, ...] = AGAIN
    repeated: int = 3

    def choose_attacks(self, seed: int) -> list[str]:
        """Return the attacks of a seed, in the order in which they find their targets."""
        more = [self.again[(seed + i) % len(self.again)] for i in range(self.repeated)]
        return [*self.attacks, *more]


def _rotate(names: tuple[str, ...], count: int) -> dict[str, object]:
    """Let the seeds take turns: where there is no room for all attacks, each has a few of them."""
    return {"attacks": (), "again": names, "repeated": count}


_FEW = tuple(
    name for name in USUAL if name not in ("dormant_wakes", "credential_stuffing", "nightly_reader")
)
_SHORT = tuple(name for name in USUAL if name != "dormant_wakes")
_SPARSE = {name: share / 2 for name, share in HABITS.items()} | {"batch": 0.5}

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(name="no_objects", with_objects=False),
        Recipe(name="sparse", habits=_SPARSE, seldom_share=0.3),
        Recipe(
            name="young",
            young_share=0.2,
            birth_rush=3.0,
            prefer_young=True,
            attacks=(*USUAL, *YOUNG),
            repeated=1,
        ),
        Recipe(name="small-3", apps=3, per_day=120, **_rotate(_FEW, 1)),
        Recipe(name="small-5", apps=5, per_day=120, **_rotate(_FEW, 2)),
        Recipe(name="small-12", apps=12, per_day=120, **_rotate(_FEW, 4)),
        Recipe(name="large", apps=2000, per_day=4, young_share=0.02, asleep_share=0.01, repeated=5),
        Recipe(name="shared", shared=True),
        Recipe(name="noisy", noisy_share=0.9),
        Recipe(name="adopting", adopts=50.0),
        *(
            Recipe(
                name=f"infant-{days}",
                days=days,
                apps=100,
                asleep_share=0.0,
                attacks=_SHORT[:6],
                again=_SHORT[6:],
                repeated=5,
            )
            for days in (10, 14, 21)
        ),
        Recipe(
            name="foreign",
            foreign=True,
            attacks=tuple(_FOREIGN.get(name, name) for name in USUAL),
            again=tuple(_FOREIGN.get(name, name) for name in AGAIN),
        ),
    )
}
FAMILIES = {
    name: [recipe for recipe in RECIPES if recipe == name or recipe.startswith(f"{name}-")]
    for name in dict.fromkeys(recipe.partition("-")[0] for recipe in RECIPES)
}
"""World as named on the command line to its recipes: ``small`` has three, ``infant`` too."""


def scale_recipe(recipe: Recipe, factor: float) -> Recipe:
    """Return the recipe with fewer apps, for a test that has seconds."""
    return replace(recipe, apps=max(3, round(recipe.apps * factor)))
