"""What honest apps do: their rhythm, tokens and everyday failures, and what happens to them.

Each incident is a function ``(rng, app, rows, at) -> (rows, (start, end))`` on the calls of one
app; `at` is one of its calls, start and end say when it lasted, all in epoch seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.random import Generator as Rng

from audit_analytics.simulate._profiles import NETWORKS, App, draw_addresses
from audit_analytics.simulate._rows import DAY, HOUR, TOKEN_API, Clock, fail_rows, make_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Changed = tuple[pd.DataFrame, tuple[int, int]]
    Change = Callable[[Rng, App, pd.DataFrame, int], Changed]

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


def simulate_calls(app: App, clock: Clock, rng: Rng) -> pd.DataFrame:
    """Draw every ordinary call of one app, rising in time, in runs: a trigger sets off a few.

    The number of runs an hour is gamma-Poisson around the rhythm of the app's kind.
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


def _draw_objects(app: App, count: int, rng: Rng) -> NDArray[np.int64]:
    """Draw the objects an app's calls are about: jobs walk through all alike, people come back to few."""
    skew = 1.0 if app.role.kind in ("cron", "sync") else 2.5
    drawn: NDArray[np.int64] = (app.role.objects * rng.random(count) ** skew).astype(np.int64)
    return drawn


def _draw_triggers(
    app: App, clock: Clock, rng: Rng
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return when each run of an app driven by people or machines starts, and its calls."""
    curve = _FLAT_CURVE if app.role.kind == "flat" else _OFFICE_CURVE
    rate = app.calls_per_day / app.role.chain * curve[clock.hour] * _level(app, clock, rng)
    counts = rng.poisson(rate * rng.gamma(1 / app.shape, app.shape, len(rate)))
    starts = np.repeat(clock.starts, counts) + HOUR * rng.random(counts.sum())
    return starts, 1 + rng.poisson(app.role.chain - 1, len(starts))


def _draw_runs(app: App, clock: Clock, rng: Rng) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
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


def _level(app: App, clock: Clock, rng: Rng) -> NDArray[np.float64]:
    """Return the app's level in every hour: days off, growth, and a mood a day."""
    day = (clock.starts - clock.start) // DAY
    mood = rng.lognormal(0, 0.12, int(day[-1]) + 1)[day]
    level: NDArray[np.float64] = np.where(clock.off, app.weekend, 1.0) * mood
    level *= np.exp(app.growth * clock.week)
    return level


def _lay_out(
    starts: NDArray[np.float64], sizes: NDArray[np.int64], gap: float, rng: Rng
) -> NDArray[np.float64]:
    """Return the times of all calls: one after the other within each run."""
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    nth = np.arange(len(first)) - first
    return np.repeat(starts, sizes) + gap * (nth + rng.exponential(0.5, len(first)))


def _token_times(
    app: App, starts: NDArray[np.float64], times: NDArray[np.int64], rng: Rng
) -> NDArray[np.int64]:
    """Return when the app fetches tokens: for every run, or when two hours are over."""
    if app.role.token == "each":  # noqa: S105 a habit
        return np.floor(starts).astype(np.int64)
    block = (times + int(rng.integers(2 * HOUR))) // (2 * HOUR)
    return times[np.unique(block, return_index=True)[1]]


def _fail_some(calls: pd.DataFrame, app: App, clock: Clock, rng: Rng) -> pd.DataFrame:
    """Fail the everyday share of calls; failures keep each other company within an hour."""
    share = app.error_share * rng.gamma(0.5, 2.0, len(clock.starts))
    hour = np.clip((calls["time"].to_numpy() - clock.start) // HOUR, 0, len(share) - 1)
    failing = rng.random(len(calls)) < share[hour]
    kind = rng.choice(len(_FAILURES), size=len(calls), p=list(_FAILURES.values()))
    for number, outcome in enumerate(_FAILURES):
        calls = fail_rows(calls, failing & (kind == number), outcome)
    return calls


class Incident(NamedTuple):
    """One honest incident: unusual, and nobody's fault."""

    kind: str  # what happened, or ``outage``
    app_id: str  # the app it happened to; '' for the whole platform
    start_at: int  # when it began and ended, epoch seconds
    end_at: int


def change_app(
    app: App, rows: pd.DataFrame, clock: Clock, rng: Rng, *, harsh: bool
) -> tuple[pd.DataFrame, list[Incident]]:
    """Let an app's honest incidents happen, each at the time of one of its calls.

    `harsh` is three times as many. Returned are the calls as they became, and what happened.
    """
    happened: list[Incident] = []
    weeks = (clock.end - clock.start) / (7 * DAY)
    for kind, (rate, change) in _KINDS.items():
        for _ in range(rng.poisson(rate * weeks * (3 if harsh else 1))):
            if len(rows) < 20:
                continue
            at = int(rows["time"].iloc[int(rng.integers(len(rows)))])
            rows, (start, end) = change(rng, app, rows, at)
            happened.append(Incident(kind, app.app_id, min(start, clock.end), min(end, clock.end)))
    return rows[rows["time"] < app.end].reset_index(drop=True), happened


def suffer_outage(rows: pd.DataFrame, start: int, end: int, rng: Rng) -> pd.DataFrame:
    """Let the platform fail an app: most calls end in a server error and some are tried again."""
    inside = _within(rows, start, end)
    rows = fail_rows(rows, inside & (rng.random(len(rows)) < rng.uniform(0.4, 0.9)), "server")
    again = rows[inside & (rows["status"] == 500).to_numpy() & (rng.random(len(rows)) < 0.4)]
    return _add(rows, again.assign(time=again["time"] + 2))


def _move_network(rng: Rng, app: App, rows: pd.DataFrame, at: int) -> Changed:
    """Leave the old network for good."""
    return _call_from(rng, _draw_network(rng, app), rows, at, share=1.0), (at, at + DAY)


def _add_network(rng: Rng, app: App, rows: pd.DataFrame, at: int) -> Changed:
    """Start a second instance elsewhere."""
    share = rng.uniform(0.1, 0.5)
    return _call_from(rng, _draw_network(rng, app), rows, at, share=share), (at, at + DAY)


def _adopt_api(rng: Rng, app: App, rows: pd.DataFrame, at: int) -> Changed:
    """Ship a feature that needs an API the app did not use before."""
    later = (rows["time"] >= at) & (rows["api"] != TOKEN_API) & (rows["code"] == 0)
    switched = later & (rng.random(len(rows)) < rng.uniform(0.02, 0.12))
    return rows.assign(api=rows["api"].mask(switched, str(rng.choice(app.role.adopts)))), (
        at,
        at + DAY,
    )


def _deploy(rng: Rng, app: App, rows: pd.DataFrame, at: int) -> Changed:
    """Release a rewrite: another mix of APIs, another level, some failures on the first day."""
    apis = np.array(list(app.role.apis), dtype=object)
    weights = np.array(list(app.role.apis.values())) * rng.lognormal(0, 0.5, len(apis))
    drawn = rng.choice(apis, size=len(rows), p=weights / weights.sum())
    later = (rows["time"] >= at) & (rows["api"] != TOKEN_API) & (rows["code"] == 0)
    changed = later & (rng.random(len(rows)) < 0.5)
    rows = rows.assign(api=rows["api"].mask(changed, pd.Series(drawn, index=rows.index)))
    end = at + int(rng.uniform(2, 10) * HOUR)
    rows = fail_rows(rows, _within(rows, at, end) & (rng.random(len(rows)) < 0.08), "param")
    level = rng.uniform(0.7, 1.4)
    if level < 1:
        return rows[(rows["time"] < at) | (rng.random(len(rows)) < level)], (at, end)
    return _repeat(rng, rows, at, int(rows["time"].max()) + 1, level - 1, spread=600), (at, end)


def _fail_for_a_while(rng: Rng, _app: App, rows: pd.DataFrame, at: int) -> Changed:
    """Let a secret expire, a permission go or a document vanish; the app tries again and again."""
    end = at + int(rng.lognormal(0.6, 0.8) * HOUR)
    outcome = rng.choice(
        ["auth", "permission", "not_found", "rate_limit", "param"], p=[0.25, 0.2, 0.15, 0.25, 0.15]
    )
    inside = _within(rows, at, end)
    if outcome == "permission":  # is granted API by API
        inside = inside & (rows["api"] == rng.choice(rows["api"][inside].tolist())).to_numpy()
    rows = fail_rows(rows, inside & (rng.random(len(rows)) < rng.uniform(0.3, 1.0)), str(outcome))
    failed = rows[inside & (rows["code"] != 0).to_numpy()]
    return _add(rows, _jitter(rng, failed, rng.poisson(1.0, len(failed)), spread=120)), (at, end)


def _run_batch(rng: Rng, _app: App, rows: pd.DataFrame, at: int) -> Changed:
    """Work through a backlog: the usual calls, several times as many."""
    end = at + int(rng.uniform(0.5, 5) * HOUR)
    return _repeat(rng, rows, at, end, rng.lognormal(1.2, 0.5), spread=900), (at, end)


def _run_at_night(rng: Rng, _app: App, rows: pd.DataFrame, at: int) -> Changed:
    """Backfill by hand, some hours after work."""
    day = rows[_within(rows, at - DAY, at + HOUR)]
    count = min(len(day), int(rng.integers(15, 60)))
    late = at + int(rng.uniform(6, 11) * HOUR)
    extra = day.sample(count, random_state=rng).assign(
        time=late + np.sort(rng.integers(0, 2400, count)), status=200, code=0
    )
    return _add(rows, extra), (late, late + 2400)


def _pause(rng: Rng, _app: App, rows: pd.DataFrame, at: int) -> Changed:
    """Stop for maintenance."""
    end = at + int(rng.uniform(2, 20) * HOUR)
    return rows[~_within(rows, at, end)], (at, end)


def _draw_network(rng: Rng, app: App) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return addresses in another of the company's networks, or in one it did not have."""
    kind = str(rng.choice(["idc", "cloud"]))
    if rng.random() < 0.4:
        return draw_addresses(rng, "cloud", prefix=f"198.19.{rng.integers(20, 250)}")
    others = [p for p in NETWORKS[kind] if not any(a.startswith(p) for a in app.addresses)]
    return draw_addresses(rng, kind, prefix=str(rng.choice(others or list(NETWORKS[kind]))))


def _call_from(
    rng: Rng,
    network: tuple[tuple[str, ...], tuple[float, ...]],
    rows: pd.DataFrame,
    at: int,
    *,
    share: float,
) -> pd.DataFrame:
    """Move a share of the calls from `at` on to other addresses."""
    addresses, shares = network
    drawn = rng.choice(np.array(addresses, dtype=object), size=len(rows), p=shares)
    moved = (rows["time"] >= at) & (rng.random(len(rows)) < share)
    return rows.assign(ip=rows["ip"].mask(moved, pd.Series(drawn, index=rows.index)))


def _within(rows: pd.DataFrame, start: int, end: int) -> NDArray[np.bool_]:
    return np.asarray(rows["time"].between(start, end - 1), dtype=bool)


def _repeat(
    rng: Rng, rows: pd.DataFrame, start: int, end: int, times: float, *, spread: int
) -> pd.DataFrame:
    """Add `times` more calls for each call between `start` and `end`."""
    inside = rows[_within(rows, start, end)]
    return _add(rows, _jitter(rng, inside, rng.poisson(times, len(inside)), spread=spread))


def _jitter(rng: Rng, rows: pd.DataFrame, times: NDArray[np.int64], *, spread: int) -> pd.DataFrame:
    """Return each row as often as `times` says, up to `spread` seconds later."""
    copies = rows.loc[rows.index.repeat(times)]
    return copies.assign(time=copies["time"] + rng.integers(1, spread, len(copies)))


def _add(rows: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rows, more]).sort_values("time", kind="stable", ignore_index=True)


_KINDS: Final[dict[str, tuple[float, Change]]] = {
    "network_move": (0.015, _move_network),
    "second_network": (0.025, _add_network),
    "new_api": (0.045, _adopt_api),
    "release": (0.03, _deploy),
    "error_burst": (0.05, _fail_for_a_while),
    "batch_job": (0.05, _run_batch),
    "night_job": (0.02, _run_at_night),
    "pause": (0.02, _pause),
}
"""How often each happens to an app a week, and what it does."""
