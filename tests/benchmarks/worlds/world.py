"""A log to judge, whoever made it up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class World:
    """A log to judge: ``size`` 0 has no attacks; ``touched`` names every app an attack called as,
    ``foreign`` the addresses only it called from."""

    kind: str
    seed: int
    size: float
    events: pd.DataFrame
    labels: pd.DataFrame
    touched: dict[str, list[str]]
    foreign: dict[str, list[str]]
    holidays: frozenset[date]
    working_days: frozenset[date] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        return f"{self.kind}, attacks x {self.size:g}" if self.size else f"{self.kind}, no attacks"
