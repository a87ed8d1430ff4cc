"""The ordinary calls of one app: its rhythm, its tokens, its everyday failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.simulate._clock import DAY, HOUR
from audit_analytics.simulate._rows import TOKEN_API, fail_rows, make_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit_analytics.simulate._clock import Clock
    from audit_analytics.simulate._profiles import App

_OFFICE: Final = np.array(
    [
        [2, 1, 0.5, 0.5, 0.5, 1, 3, 15, 52, 98, 112, 96],
        [52, 56, 102, 108, 104, 92, 64, 34, 24, 17, 9, 5],
    ]
).ravel()
_OFFICE_CURVE: Final = _OFFICE / _OFFICE.sum()
_FLAT_CURVE: Final = 0.65 / 24 + 0.35 * _OFFICE_CURVE

_FAILURES: Final = {
    "param": 0.45,
    "not_found": 0.30,
    "server": 0.10,
    "permission": 0.08,
    "rate_limit": 0.07,
}


def simulate_calls(app: App, clock: Clock, rng: np.random.Generator) -> pd.DataFrame:
    """Draw every ordinary call of one app, rising in time.

    A call is part of a run: a message to a bot or a scheduled job sets off a few calls within
    seconds. The number of runs an hour is gamma-Poisson around the rhythm of the app's kind.
    """
    starts, sizes = (_draw_runs if app.role.kind in ("cron", "sync") else _draw_triggers)(
        app, clock, rng
    )
    time = _lay_out(starts, sizes, app.gap, rng)
    order = np.argsort(time, kind="stable")
    apis = np.array(list(app.role.apis), dtype=object)
    weights = np.array(list(app.role.apis.values()), dtype=float)
    api = rng.choice(apis, size=len(time), p=weights / weights.sum())
    calls = make_rows(time=time[order], app_id=app.app_id, api=api, ip="")
    calls["object"] = _draw_objects(app, len(calls), rng)
    calls = _fail_some(calls, app, clock, rng)
    tokens = make_rows(
        time=_token_times(app, starts, calls["time"].to_numpy(), rng),
        app_id=app.app_id,
        api=TOKEN_API,
        ip="",
    )
    rows = pd.concat([tokens, calls]).sort_values("time", kind="stable", ignore_index=True)
    rows["ip"] = rng.choice(np.array(app.addresses, dtype=object), size=len(rows), p=app.shares)
    return rows[rows["time"].between(app.start, app.end - 1)].reset_index(drop=True)


def _draw_objects(app: App, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the objects an app's calls are about: jobs walk through all alike, people come back to few."""
    skew = 1.0 if app.role.kind in ("cron", "sync") else 2.5
    drawn: NDArray[np.int64] = (app.role.objects * rng.random(count) ** skew).astype(np.int64)
    return drawn


def _draw_triggers(
    app: App, clock: Clock, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return when each run of an app driven by people or machines starts, and its calls."""
    curve = _FLAT_CURVE if app.role.kind == "flat" else _OFFICE_CURVE
    rate = app.calls_per_day / app.role.chain * curve[clock.hour] * _level(app, clock, rng)
    counts = rng.poisson(rate * rng.gamma(1 / app.shape, app.shape, len(rate)))
    starts = np.repeat(clock.starts, counts) + HOUR * rng.random(counts.sum())
    return starts, 1 + rng.poisson(app.role.chain - 1, len(starts))


def _draw_runs(
    app: App, clock: Clock, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return when each scheduled run starts, to the minute, and how many calls it makes."""
    role = app.role
    hours = np.flatnonzero(np.isin(clock.hour, role.hours))
    minutes = (np.array(role.minutes) + app.shift) % 60
    index = np.repeat(hours, len(minutes))
    late = rng.exponential(1.5, len(index))
    starts = clock.starts[index] + 60.0 * np.tile(minutes, len(hours)) + late
    size = app.calls_per_day / (len(role.hours) * len(minutes)) * _level(app, clock, rng)[index]
    if role.kind == "sync":  # there is more to carry over when people work, and all of it at night
        size *= (0.3 + 0.7 * 24 * _OFFICE_CURVE)[clock.hour[index]]
        size *= np.where(clock.hour[index] == 2, 6.0, 1.0)
        size *= rng.gamma(1 / app.shape, app.shape, len(size))
    elif size.mean() < 1.5:  # a job of one call makes that call
        return starts, np.ones(len(starts), dtype=np.int64)
    else:
        size *= rng.lognormal(0, 0.15, len(size))
    return starts, rng.poisson(size).astype(np.int64)


def _level(app: App, clock: Clock, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the app's level in every hour: days off, growth, and a mood a day."""
    day = (clock.starts - clock.start) // DAY
    mood = rng.lognormal(0, 0.12, int(day[-1]) + 1)[day]
    level: NDArray[np.float64] = np.where(clock.off, app.weekend, 1.0) * mood
    level *= np.exp(app.growth * clock.week)
    return level


def _lay_out(
    starts: NDArray[np.float64], sizes: NDArray[np.int64], gap: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the times of all calls: one after the other within each run."""
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    nth = np.arange(len(first)) - first
    return np.repeat(starts, sizes) + gap * (nth + rng.exponential(0.5, len(first)))


def _token_times(
    app: App, starts: NDArray[np.float64], times: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return when the app fetches tokens: for every run, or when two hours are over."""
    if app.role.token == "each":  # noqa: S105 a habit
        return np.floor(starts).astype(np.int64)
    block = (times + int(rng.integers(2 * HOUR))) // (2 * HOUR)
    return times[np.unique(block, return_index=True)[1]]


def _fail_some(
    calls: pd.DataFrame, app: App, clock: Clock, rng: np.random.Generator
) -> pd.DataFrame:
    """Fail the everyday share of calls; failures keep each other company within an hour."""
    share = app.error_share * rng.gamma(0.5, 2.0, len(clock.starts))
    hour = np.clip((calls["time"].to_numpy() - clock.start) // HOUR, 0, len(share) - 1)
    failing = rng.random(len(calls)) < share[hour]
    kind = rng.choice(len(_FAILURES), size=len(calls), p=list(_FAILURES.values()))
    for number, outcome in enumerate(_FAILURES):
        calls = fail_rows(calls, failing & (kind == number), outcome)
    return calls
