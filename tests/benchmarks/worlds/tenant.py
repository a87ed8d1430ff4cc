"""What all apps of a made-up tenant share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worlds.calendar import Calendar
    from worlds.egress import Provider
    from worlds.recipes import Recipe
    from worlds.vocabulary import Vocabulary


@dataclass(frozen=True)
class Tenant:
    """Its recipe, its days, the APIs there are, and the networks it calls from."""

    recipe: Recipe
    calendar: Calendar
    vocabulary: Vocabulary
    provider: Provider
