"""What an attacker knows: of every app what its calls tell, and of the tenant who is in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from worlds.calendar import DAY, HOUR, WEEK
from worlds.calls import NOTHING, Calls

if TYPE_CHECKING:
    from worlds.apps import App
    from worlds.calendar import Calendar
    from worlds.egress import Provider
    from worlds.vocabulary import Vocabulary


@dataclass
class Target:
    """One app as its honest calls show it.

    ``expected`` are mean calls an hour by (working day or not, hour of the day); ``rows`` its calls.
    """

    app: App
    rows: Calls
    expected: np.ndarray
    ip: int

    @property
    def first(self) -> int:
        return int(self.rows.time[0])

    @property
    def last(self) -> int:
        return int(self.rows.time[-1])

    @property
    def per_day(self) -> float:
        """Mean calls of a working day."""
        return float(self.expected[0].sum())


@dataclass
class Scene:
    """The tenant an attack is laid on; ``routes`` are called but exist in no vocabulary."""

    calendar: Calendar
    vocabulary: Vocabulary
    provider: Provider
    targets: list[Target]
    routes: list[str] = field(default_factory=list)
    peers: list[int] = field(default_factory=list)

    def expect(self, target: Target, start: float, hours: int) -> float:
        """Return how many calls the app usually makes in some hours from a start on."""
        first = int(self.calendar.index(np.array([start]))[0])
        span = slice(first, first + hours)
        off, hour = self.calendar.off[span].astype(int), self.calendar.hour[span]
        return float(target.expected[off, hour].sum())


def profile_apps(apps: list[App], calls: Calls, calendar: Calendar) -> list[Target]:
    """Return the apps that called at all; ``calls`` stand app after app, rising in time."""
    bounds = np.searchsorted(calls.app, np.arange(len(apps) + 1))
    targets = []
    for app, first, last in zip(apps, bounds[:-1], bounds[1:], strict=True):
        if last > first:
            targets.append(_profile(app, calls.take(np.arange(first, last)), calendar))
    return targets


def _profile(app: App, rows: Calls, calendar: Calendar) -> Target:
    hour = calendar.index(rows.time)
    lived = (calendar.starts + HOUR > rows.time[0]) & (calendar.starts < app.dies)
    cell = calendar.off.astype(int) * 24 + calendar.hour
    hours = np.bincount(cell[lived], minlength=48)
    counts = np.bincount(cell[hour], minlength=48)
    lately = rows.ip[rows.time > rows.time[-1] - WEEK]
    return Target(
        app=app,
        rows=rows,
        expected=(counts / np.maximum(1, hours)).reshape(2, 24),
        ip=int(np.bincount(lately).argmax()),
    )


def is_alive(target: Target, scene: Scene) -> bool:
    """Tell whether the app still runs; one that runs seldom need not have run of late."""
    return target.app.dies >= scene.calendar.end and target.first < scene.calendar.end - DAY


def is_busy(target: Target, scene: Scene) -> bool:
    least = 3 if target.app.habit == "batch" else 8
    return is_alive(target, scene) and target.per_day >= least


def is_settled(target: Target, scene: Scene) -> bool:
    """Tell whether an app has had a usual level for two weeks, or for all of a shorter log."""
    since = max(scene.calendar.start + 3 * DAY, scene.calendar.week - WEEK)
    return is_busy(target, scene) and target.first < since


def is_steady(target: Target, scene: Scene) -> bool:
    """Tell whether half as much again could be told from an ordinary week."""
    days = np.unique((target.rows.time - scene.calendar.start) // DAY)
    alive = (target.last - target.first) / DAY
    often = len(days) > 0.6 * alive
    return is_settled(target, scene) and target.per_day >= 50 and often


def is_asleep_at_night(target: Target, scene: Scene) -> bool:
    return is_busy(target, scene) and float(target.expected[:, 1:5].max()) < 0.3


def is_dormant(target: Target, scene: Scene) -> bool:
    """Tell whether the app has been silent for two weeks before the last."""
    return bool(target.app.turns.get("asleep")) and target.last < scene.calendar.week - 14 * DAY


def is_small_reader(target: Target, scene: Scene) -> bool:
    """Tell whether a leak of some hundred objects is not lost in what the app reads anyway."""
    named = bool((target.rows.object != NOTHING).any())
    return is_settled(target, scene) and named and target.per_day <= 1000


def is_newcomer(target: Target, scene: Scene) -> bool:
    return is_alive(target, scene) and target.first > scene.calendar.end - 11 * DAY
