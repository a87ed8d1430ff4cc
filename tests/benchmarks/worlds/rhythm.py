"""When an app runs, and how many calls each run makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from worlds.calendar import DAY, HOUR

if TYPE_CHECKING:
    from worlds.apps import App
    from worlds.calendar import Calendar

Runs = tuple[np.ndarray, np.ndarray]
"""Start of each run in epoch seconds, and its calls."""
_LONGEST = 20_000


def draw_runs(app: App, calendar: Calendar, rng: np.random.Generator) -> Runs:
    starts, sizes = DRAW[app.habit](app, calendar, rng)
    alive = (starts >= app.born) & (starts < app.dies)
    order = np.argsort(starts[alive], kind="stable")
    return starts[alive][order], np.minimum(sizes[alive][order], _LONGEST).astype(np.int64)


def draw_level(app: App, calendar: Calendar, rng: np.random.Generator) -> np.ndarray:
    """Return the app's level in every hour: moods that last some days, deploys, slow growth."""
    days = len(calendar.starts) // 24
    mood = np.zeros(days)
    for day in range(1, days):
        mood[day] = 0.6 * mood[day - 1] + rng.normal(0, app.mood * 0.8)
    level = np.exp(mood)[np.arange(len(calendar.starts)) // 24]
    for _ in range(rng.poisson(calendar.weeks * 7 / 30)):
        # a deploy changes how much one event costs, for good or until it is rolled back
        first = int(rng.integers(len(calendar.starts)))
        last = first + int(rng.exponential(4 * 24)) if rng.random() < 0.4 else None
        level[first:last] *= rng.lognormal(0, 0.3)
    return level * np.exp(rng.normal(0, 0.02) * np.arange(len(level)) / 168)


def _people(app: App, calendar: Calendar) -> np.ndarray:
    return np.where(calendar.off, app.weekend, calendar.quiet)


def _arrive(app: App, calendar: Calendar, rate: np.ndarray, rng: np.random.Generator) -> Runs:
    """Draw runs of a chain of calls, at a rate an hour that itself may stray."""
    if app.shape:
        rate = rate * rng.gamma(1 / app.shape, app.shape, len(rate))
    counts = rng.poisson(rate)
    starts = np.repeat(calendar.starts, counts) + HOUR * rng.random(counts.sum())
    return starts, rng.geometric(1 / app.chain, len(starts))


def _office(app: App, calendar: Calendar, rng: np.random.Generator) -> Runs:
    rate = app.per_day / app.chain * app.day[calendar.hour] * _people(app, calendar)
    return _arrive(app, calendar, rate * draw_level(app, calendar, rng), rng)


def _flat(app: App, calendar: Calendar, rng: np.random.Generator) -> Runs:
    curve = 0.75 / 24 + 0.25 * np.roll(app.day, 3)
    rate = app.per_day / app.chain * curve[calendar.hour]
    return _arrive(app, calendar, rate * draw_level(app, calendar, rng), rng)


def _poller(app: App, calendar: Calendar, rng: np.random.Generator) -> Runs:
    """Draw a loop: as regular as its clock, seldom stopped, some only while people work."""
    every = app.turns["every"]
    starts = (
        calendar.start
        + app.turns["shift"] * 60
        + np.arange(0, calendar.end - calendar.start, every)
    )
    if app.shape >= 0.4:
        # sleeps between two rounds, so that the time a round takes adds up
        starts = calendar.start + np.cumsum(every * rng.gamma(60, 1 / 60, len(starts)))
    starts = starts + rng.exponential(1.0, len(starts))
    hour = calendar.index(starts)
    if app.skew == 2.0:
        starts = starts[(calendar.hour[hour] >= 7) & (calendar.hour[hour] < 22)]
    stopped = np.zeros(len(calendar.starts), dtype=bool)
    for _ in range(rng.poisson(calendar.weeks / 5)):
        first = int(rng.integers(len(stopped)))
        stopped[first : first + 1 + int(rng.exponential(3))] = True
    starts = starts[~stopped[calendar.index(starts)]]
    more = rng.poisson(0.6 if app.chain > 2.5 else 0.0, len(starts))
    return starts, 1 + more


def _sync(app: App, calendar: Calendar, rng: np.random.Generator) -> Runs:
    """Draw a delta every few minutes, with what people changed, and all of it at night."""
    every = float(rng.choice([300, 600, 900, 1800]))
    starts = (
        calendar.start
        + app.turns["shift"] * 20
        + np.arange(0, calendar.end - calendar.start, every)
    )
    hour = calendar.index(starts)
    work = app.per_day * app.day[calendar.hour[hour]] * every / HOUR
    work = work * _people(app, calendar)[hour] * draw_level(app, calendar, rng)[hour]
    sizes = rng.poisson(work * 0.7 * rng.gamma(2, 0.5, len(work)))
    full = calendar.starts[calendar.hour == int(app.turns["shift"]) % 6] + 60 * app.turns["shift"]
    whole = 0.4 * app.per_day * rng.lognormal(0, 0.08, len(full)) + 1
    return np.concatenate([starts, full]), np.concatenate([sizes, whole.astype(np.int64)])


def _scheduled(app: App, calendar: Calendar, days: np.ndarray, rng: np.random.Generator) -> Runs:
    at = int(app.turns["shift"])
    hours = np.flatnonzero(days & (calendar.hour == at))
    minute = HOUR * (app.turns["shift"] % 1)
    starts = calendar.starts[hours] + minute + rng.exponential(20, len(hours))
    level = draw_level(app, calendar, rng)[hours]
    return starts, np.maximum(1, app.per_day * level * rng.lognormal(0, 0.1, len(hours)))


def _nightly(app: App, calendar: Calendar, rng: np.random.Generator) -> Runs:
    days = ~calendar.off if app.weekend < 0.1 else np.ones(len(calendar.off), dtype=bool)
    starts, sizes = _scheduled(app, calendar, days, rng)
    # a run that fails is started again some minutes later
    again = rng.random(len(starts)) < 0.03
    late = starts[again] + rng.choice([300, 900, 1800], again.sum())
    return np.concatenate([starts, late]), np.concatenate([sizes, sizes[again]])


def _weekly(app: App, calendar: Calendar, rng: np.random.Generator) -> Runs:
    starts, sizes = _scheduled(app, calendar, calendar.weekday == int(app.turns["shift"]) % 7, rng)
    return starts, sizes * 3


def _monthly(app: App, calendar: Calendar, rng: np.random.Generator) -> Runs:
    starts, sizes = _scheduled(app, calendar, calendar.month_end, rng)
    daily, few = _scheduled(app, calendar, ~calendar.off, rng)
    return np.concatenate([starts, daily]), np.concatenate([sizes * 6, few * 0.1 + 1])


def _tool(app: App, calendar: Calendar, rng: np.random.Generator) -> Runs:
    """Draw a script somebody starts by hand: days of nothing, then some runs of any size."""
    days = np.flatnonzero(~calendar.off[::24] & (rng.random(len(calendar.off) // 24) < 0.35))
    runs = np.repeat(days, rng.geometric(0.4, len(days)))
    hour = rng.choice(24, len(runs), p=app.day)
    starts = calendar.start + DAY * runs + HOUR * (hour + rng.random(len(runs)))
    return starts, 1 + rng.lognormal(np.log(app.per_day / 2 + 1), 1.0, len(runs))


def _batch(app: App, calendar: Calendar, rng: np.random.Generator) -> Runs:
    """Draw batches at any hour, days apart: 0.5 to 4, or 9 to 21 for those that come seldom."""
    low, high = (9, 21) if app.turns.get("seldom") else (0.5, 4)
    count = int((calendar.end - calendar.start) / (low * DAY)) + 2
    gaps = rng.uniform(low, high, count) * DAY
    starts = calendar.start - rng.random() * gaps[0] + np.cumsum(gaps)
    starts = starts[starts < calendar.end]
    return starts, np.maximum(1, 2 * app.per_day * rng.lognormal(0, 0.5, len(starts)))


DRAW = {
    "office": _office,
    "flat": _flat,
    "poller": _poller,
    "sync": _sync,
    "nightly": _nightly,
    "weekly": _weekly,
    "monthly": _monthly,
    "tool": _tool,
    "batch": _batch,
}
