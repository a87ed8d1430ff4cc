"""The honest calls of one app, and what befalls it now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from worlds.apps import draw_apis
from worlds.calendar import DAY, HOUR
from worlds.calls import CODE, Calls, join_calls, make_calls
from worlds.egress import draw_addresses
from worlds.rhythm import draw_runs

if TYPE_CHECKING:
    from worlds.apps import App
    from worlds.calendar import Calendar
    from worlds.egress import Provider
    from worlds.tenant import Tenant

TROUBLE = {"errors": 0.006, "backfill": 0.006, "down": 0.02, "moves": 0.01, "adopts": 0.02}
"""How often a week each of these befalls an app: a bad release, work caught up on, hours without a
call, a new address, a new API."""


def simulate_app(
    app: App,
    tenant: Tenant,
    outages: list[tuple[int, int, np.ndarray]],
    rng: np.random.Generator,
) -> Calls:
    calendar = tenant.calendar
    starts, sizes = draw_runs(app, calendar, rng)
    starts, sizes = _interrupt(app, calendar, starts, sizes, rng)
    time = _lay_out(starts, sizes, app.gap, rng)
    time = time[time < calendar.end]
    api = draw_call_apis(app, len(time), rng)
    api = _adopt(app, tenant, time, api, rng)
    calls = make_calls(time, app.number, api, 0, draw_objects(app, time, calendar, rng))
    calls = _fail(calls, app, calendar, rng)
    for begin, end, struck in outages:
        hit = (calls.time >= begin) & (calls.time < end) & np.isin(calls.api, struck)
        calls = calls.fail(hit & (rng.random(len(calls)) < 0.6), "server")
    calls = _retry(calls, app, rng)
    tokens = make_calls(
        _token_times(app, starts, calls.time, rng), app.number, tenant.vocabulary.token, 0
    )
    calls = join_calls([calls, tokens])
    calls = calls.take(np.argsort(calls.time, kind="stable"))
    calls = calls.take((calls.time >= calendar.start) & (calls.time < calendar.end))
    _move(app, calendar, tenant.provider, rng)
    calls.ip = draw_addresses(app.egress, tenant.provider, calls.time, rng)
    return calls


def draw_call_apis(app: App, count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(app.apis, count, p=app.weights)


def draw_objects(
    app: App, time: np.ndarray, calendar: Calendar, rng: np.random.Generator
) -> np.ndarray:
    """Draw what calls are about: a stock people come back to, and what was made since."""
    stock = (app.objects * rng.random(len(time)) ** app.skew).astype(np.int64)
    # new ones come one after the other and are spoken of a few times
    age = np.maximum(0, time - calendar.start)
    made = (age / DAY * max(1.0, app.per_day * app.fresh / 3)).astype(np.int64)
    new = app.objects + np.maximum(0, made - rng.geometric(0.3, len(time)))
    fresh = rng.random(len(time)) < app.fresh
    return name_objects(app.number, np.where(fresh, new, stock))


def name_objects(space: int, numbers: np.ndarray) -> np.ndarray:
    return (np.int64(space + 1) << np.int64(40)) + numbers.astype(np.int64)


def _interrupt(
    app: App, calendar: Calendar, starts: np.ndarray, sizes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Stop the app for hours, and let it catch up; or let it do work of the past once more."""
    for _ in range(rng.poisson(TROUBLE["down"] * calendar.weeks)):
        first = calendar.start + rng.random() * (calendar.end - calendar.start)
        last = first + rng.uniform(2, 14) * HOUR
        missed = (starts >= first) & (starts < last)
        if rng.random() < 0.5:  # what waited in a queue comes late, the rest is lost
            starts = np.where(missed, last + rng.random(len(starts)) * HOUR, starts)
        else:
            starts, sizes = starts[~missed], sizes[~missed]
    for _ in range(rng.poisson(TROUBLE["backfill"] * calendar.weeks)):
        first = calendar.start + rng.random() * (calendar.end - calendar.start)
        count = int(rng.uniform(0.3, 1.5) * app.per_day / app.chain) + 3
        starts = np.concatenate([starts, first + rng.random(count) * rng.uniform(1, 4) * HOUR])
        sizes = np.concatenate([sizes, rng.geometric(1 / app.chain, count)])
    alive = (starts >= app.born) & (starts < app.dies)
    order = np.argsort(starts[alive], kind="stable")
    return starts[alive][order], sizes[alive][order]


def _lay_out(
    starts: np.ndarray, sizes: np.ndarray, gap: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the time of every call: one page after the other, large runs faster."""
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    nth = np.arange(len(first)) - first
    pace = np.minimum(gap, 3 * HOUR / np.maximum(1, sizes))
    return np.repeat(starts, sizes) + np.repeat(pace, sizes) * (
        nth + rng.exponential(0.5, len(first))
    )


def _adopt(
    app: App, tenant: Tenant, time: np.ndarray, api: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Let the app call something new from a day on, first by hand, then for good."""
    calendar = tenant.calendar
    for _ in range(rng.poisson(TROUBLE["adopts"] * app.adopts * calendar.weeks)):
        since = calendar.start + rng.random() * (calendar.end - calendar.start)
        new = draw_apis(tenant.vocabulary, rng, sensitive=rng.random() < 0.1)[-1]
        share = rng.choice([0.02, 0.1, 0.3])
        api = np.where((time >= since) & (rng.random(len(time)) < share), new, api)
    return api


def _fail(calls: Calls, app: App, calendar: Calendar, rng: np.random.Generator) -> Calls:
    """Fail the usual share, more in some hours than in others; and most of a bad release's calls."""
    hour = calendar.index(calls.time)
    outcome = calls.outcome.copy()
    drawn = rng.random(len(calls))
    below = np.zeros(len(calls))
    for kind, share in app.errors.items():
        if share > 0.2:
            swing = rng.normal(1, 0.05, len(calendar.starts))
        else:
            swing = rng.gamma(1.5, 1 / 1.5, len(calendar.starts))
        upper = below + (share * swing)[hour]
        outcome[(drawn >= below) & (drawn < upper)] = CODE[kind]
        below = upper
    for _ in range(rng.poisson(TROUBLE["errors"] * calendar.weeks)):
        first = calendar.start + rng.random() * (calendar.end - calendar.start)
        last = first + rng.uniform(0.5, 5) * HOUR
        bad = (calls.time >= first) & (calls.time < last) & (rng.random(len(calls)) < 0.5)
        outcome[bad] = CODE[str(rng.choice(["param", "permission", "server", "not_found"]))]
    calls.outcome = outcome
    return calls


def _retry(calls: Calls, app: App, rng: np.random.Generator) -> Calls:
    """Call again what the platform could not answer, after 1, 2, 4 and 8 seconds."""
    if not app.retries:
        return calls
    parts, waiting, wait = [calls], calls, 1
    for _ in range(4):
        again = np.isin(waiting.outcome, [CODE["server"], CODE["rate_limit"]])
        waiting = waiting.take(again)
        waiting.time = waiting.time + wait + rng.integers(0, 2, len(waiting))
        solved = rng.random(len(waiting)) < 0.6
        waiting.outcome = np.where(solved, CODE["ok"], waiting.outcome).astype(np.int8)
        parts.append(waiting)
        wait *= 2
    return join_calls(parts)


def _token_times(
    app: App, starts: np.ndarray, times: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    if app.token == "none" or not len(times):  # noqa: S105 a habit
        return np.zeros(0)
    if app.token == "each":  # noqa: S105
        return starts
    block = (np.sort(times) + int(rng.integers(2 * HOUR))) // (2 * HOUR)
    return np.sort(times)[np.unique(block, return_index=True)[1]]


def _move(app: App, calendar: Calendar, provider: Provider, rng: np.random.Generator) -> None:
    """Move the app to another machine now and then, of its cloud or of the racks."""
    if provider.shared:
        return
    for _ in range(rng.poisson(TROUBLE["moves"] * app.adopts * calendar.weeks)):
        since = int(calendar.start + rng.random() * (calendar.end - calendar.start))
        cloud = provider.clouds[int(rng.integers(len(provider.clouds)))]
        network = str(rng.choice(cloud if rng.random() < 0.6 else provider.racks))
        app.egress.moves.append((since, f"{network}.{rng.integers(20, 250)}"))
    app.egress.moves.sort()
