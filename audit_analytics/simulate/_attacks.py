"""Attacks as columns: each is a pure function of a random generator, a target, a start and a size.

They need no simulated tenant: :func:`~audit_analytics.simulate._targets.profile_target` makes a
target of any table of calls, so the same attacks can be laid over a real log.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.random import Generator as Rng

from audit_analytics.errors import ConfigError
from audit_analytics.simulate._rows import (
    DAY,
    HOUR,
    TOKEN_API,
    UNKNOWN_OBJECTS,
    USER_API,
    fail_rows,
    make_rows,
)
from audit_analytics.simulate._targets import (
    DOCUMENT_API,
    GRANT_API,
    HOURS_OF_WEEK,
    PROBED,
    RECON,
    SENSITIVE_READS,
    Target,
    draw_foreign_address,
)
from audit_analytics.source import find_network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Choose = Callable[[list[Target], int], list[Target]]
    Inject = Callable[[Rng, Target, int, float], pd.DataFrame]


GRANTED: Final = "granted_collects"
"""The attack before which the app is granted what it takes."""

GROWTH_HOURS: Final = 160
"""How long growth can be seen in a week, wherever in its first hours it begins."""


class Scenario(NamedTuple):
    """A kind of attack."""

    # ``(rng, target, start, size) -> calls``; `start` in epoch seconds, size 1 is usual
    inject: Inject
    hours: float  # how long it lasts
    between: tuple[int, int]  # hours of the day, in the tenant's zone, between which it starts
    # ``(targets, week) -> targets``: those it makes sense for; `week` is when the week of the
    # attack starts, epoch seconds
    choose: Choose
    description: str  # what happens
    entity_type: Literal["app", "ip"] = "app"  # whose behaviour gives it away
    removes: bool = False  # whether the app's own calls are missing while it lasts


def find_scenario(name: str) -> Scenario:
    """Return a scenario by its name.

    Parameters
    ----------
    name : str
        One of :data:`SCENARIOS`.

    Returns
    -------
    Scenario
        The scenario; ConfigError if there is no such one.

    Raises
    ------
    ConfigError
        There is no such scenario.

    Examples
    --------
    >>> find_scenario("beacon").entity_type
    'app'
    """
    if name not in SCENARIOS:
        raise ConfigError(f"attacks: there is no {name!r}; choose among {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def _steal_credential(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    ip = draw_foreign_address(rng)
    tokens = _calls(rng, target, start, 0.3, 2 * size, api=TOKEN_API, ip=ip)
    recon = _calls(rng, target, start + 60, 0.7, 16 * size, api=RECON, ip=ip)
    recon = fail_rows(recon, rng.random(len(recon)) < 0.35, "permission")
    return pd.concat([tokens, recon, _usual(rng, target, start + 600, 1.3, 45 * size, ip=ip)])


def _burst_errors(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    count = max(60, target.calls_per_hour) * size
    rows = _usual(rng, target, start, 0.7, count)
    return fail_rows(rows, rng.random(len(rows)) < 0.85, "auth")


def _probe_permissions(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    unused = [api for api in PROBED if api not in target.apis]
    apis = rng.choice(unused, size=min(len(unused), _at_least(26 * size)), replace=False)
    tried = np.repeat(apis, rng.integers(1, 3, len(apis))).tolist()
    rows = _calls(rng, target, start, 0.4, len(tried)).assign(api=tried)
    return fail_rows(rows, rng.random(len(rows)) < 0.92, "permission")


def _guess_ids(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    rows = _calls(rng, target, start, 0.6, 170 * size, api=USER_API)
    guess = rng.choice(20 * len(rows) + 2000, size=len(rows), replace=False)
    known = rng.random(len(rows)) < 0.4
    rows["object"] = np.where(known, guess, UNKNOWN_OBJECTS + guess)
    return fail_rows(rows, ~known, "not_found")


def _export_at_night(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    listing = _calls(rng, target, start, 0.3, 6 * size, api="GET/open-apis/drive/v1/files")
    export = _calls(rng, target, start + 300, 1.6, 40 * size, api=_export("POST", ""))
    export["object"] = rng.permutation(len(export)) + 5000
    ticket = export.assign(api=_export("GET", "/:ticket"), time=export["time"] + 4)
    file = export.assign(api=_export("GET", "/file/:file_token/download"), time=export["time"] + 9)
    return pd.concat([listing, export, ticket, file])


def _export(method: str, rest: str) -> str:
    return f"{method}/open-apis/drive/v1/export_tasks{rest}"


def _wake_dormant(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    ip = draw_foreign_address(rng) if rng.random() < 0.5 else target.ips[0]
    tokens = _calls(rng, target, start, 0.1, 1, api=TOKEN_API, ip=ip)
    usual = _usual(rng, target, start + 30, 1.0, 35 * size, ip=ip)
    more = _calls(
        rng, target, start + 400, 1.2, 10 * size, api=_unused_reads(rng, target, 2), ip=ip
    )
    return pd.concat([tokens, usual, fail_rows(more, rng.random(len(more)) < 0.2, "permission")])


def _leak_slowly(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    reads = [api for api in target.apis if api.startswith("GET") and api.count(":")]
    rows = _calls(rng, target, start, 96, 240 * size, api=reads or [DOCUMENT_API])
    return rows.assign(object=rng.permutation(len(rows)) + 5000)


def _spike_tokens(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    return _calls(rng, target, start, 0.8, 90 * size, api=TOKEN_API)


def _use_sensitive_api(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    rows = _calls(rng, target, start, 5, 26 * size, api=_unused_reads(rng, target, 2))
    return fail_rows(rows, rng.random(len(rows)) < 0.08, "permission")


def _use_grant(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    rows = _calls(rng, target, start, 4, 40 * size, api=_unused_reads(rng, target, 1))
    return rows.assign(object=rng.permutation(len(rows)) + 5000)


def _add_calls(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    return _usual(rng, target, start, 2, max(120, 10 * target.calls_per_hour) * size)


def _grow(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    """Call twice as much all week, when the app calls anyway and in the same way."""
    hours = start // HOUR + np.arange(GROWTH_HOURS)
    usual = np.array(target.rhythm)[hours % HOURS_OF_WEEK]
    rows = _usual(rng, target, start, GROWTH_HOURS, usual.sum() * size)
    share = usual / usual.sum() if usual.any() else None
    time = rng.choice(hours, size=len(rows), p=share) * HOUR + rng.integers(0, HOUR, len(rows))
    return rows.assign(time=np.sort(np.clip(time, start, start + GROWTH_HOURS * HOUR)))


def _stuff_credentials(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    apps = rng.choice(
        target.peers, size=min(len(target.peers), _at_least(12 * size)), replace=False
    )
    tried = np.repeat(apps, rng.integers(3, 8, len(apps)))
    rows = _calls(rng, target, start, 0.4, len(tried), api=TOKEN_API, ip=draw_foreign_address(rng))
    return fail_rows(rows.assign(app_id=rng.permutation(tried)), np.ones(len(rows)), "auth")


def _stay_below(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    ip = draw_foreign_address(rng)
    usual = _usual(rng, target, start, 6, max(20, 2 * target.calls_per_hour) * size)
    usual = fail_rows(usual, rng.random(len(usual)) < 0.15, "param")
    denied = _calls(rng, target, start, 6, 4 * size, api=RECON, outcome="permission")
    tokens = _calls(rng, target, start, 6, 4 * size, api=TOKEN_API, ip=ip)
    reads = _calls(rng, target, start, 6, 4 * size, api=_unused_reads(rng, target, 1))
    return pd.concat([usual, denied, tokens, reads])


def _beacon(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    rows = _calls(rng, target, start, 60, 120 * size, ip=draw_foreign_address(rng))
    period = 60 * HOUR / len(rows)
    time = start + period * np.arange(len(rows)) + rng.uniform(0, 20, len(rows))
    return rows.assign(time=time.astype("int64"), api="GET/open-apis/im/v1/chats")


def _take_over(rng: Rng, target: Target, start: int, size: float) -> pd.DataFrame:
    first = second = draw_foreign_address(rng)
    while find_network(second) == find_network(first):
        second = draw_foreign_address(rng)
    other = replace(target, app_id=str(rng.choice(sorted({*target.peers} - {target.app_id}))))
    probing = _calls(rng, target, start, 0.5, 24 * size, api=PROBED, ip=first)
    probing = fail_rows(probing, rng.random(len(probing)) < 0.9, "permission")
    search = _calls(rng, target, start + 2 * HOUR, 1, 20 * size, api=SENSITIVE_READS[1], ip=first)
    tokens = _calls(rng, other, start + 9 * HOUR, 0.3, 6 * size, api=TOKEN_API, ip=first)
    tokens = fail_rows(tokens, np.arange(len(tokens)) < len(tokens) // 2, "auth")
    export = _export_at_night(rng, other, start + 20 * HOUR, size).assign(ip=second)
    grants = _calls(rng, other, start + 23 * HOUR, 0.2, 3 * size, api=GRANT_API, ip=second)
    used = _calls(rng, other, start + 24 * HOUR, 0.7, 15 * size, api=SENSITIVE_READS[4], ip=second)
    return pd.concat([probing, search, tokens, export, grants, used])


def _fall_silent(rng: Rng, target: Target, start: int, _size: float) -> pd.DataFrame:
    return _calls(rng, target, start, 0, 1).iloc[:0]


def _calls(
    rng: Rng,
    target: Target,
    start: int,
    hours: float,
    count: float,
    *,
    api: str | Sequence[str] = USER_API,
    ip: str | None = None,
    outcome: str = "ok",
) -> pd.DataFrame:
    """Spread calls over some hours; from one of the target's own addresses unless `ip` is given."""
    number = _at_least(count)
    return make_rows(
        time=start + np.sort(rng.random(number)) * hours * HOUR,
        app_id=target.app_id,
        api=api if isinstance(api, str) else rng.choice(api, size=number).tolist(),
        ip=ip or target.ips[0],
        obj=rng.integers(0, 400, number),
        outcome=outcome,
    )


def _usual(
    rng: Rng, target: Target, start: int, hours: float, count: float, *, ip: str | None = None
) -> pd.DataFrame:
    """Make calls in the target's own mix; from its own addresses, about its own objects."""
    rows = _calls(rng, target, start, hours, count, ip=ip)
    if ip is None:
        rows["object"] %= max(1, target.objects_count)
    return rows.assign(api=rng.choice(target.apis, size=len(rows), p=target.shares).tolist())


def _unused_reads(rng: Rng, target: Target, count: int) -> list[str]:
    unused = [api for api in SENSITIVE_READS if api not in target.apis]
    return [str(api) for api in rng.choice(unused, size=min(count, len(unused)), replace=False)]


def _at_least(count: float) -> int:
    return max(1, round(count))


def _alive(targets: list[Target], week: int) -> list[Target]:
    return [t for t in targets if t.last > week - 3 * DAY]


def _daily(targets: list[Target], week: int) -> list[Target]:
    return [t for t in _alive(targets, week) if t.hours_share * t.calls_per_hour > 0.4]


def _sleeping(targets: list[Target], week: int) -> list[Target]:
    return [t for t in _daily(targets, week) if t.hours_share < 0.75]


def _sleepless(targets: list[Target], week: int) -> list[Target]:
    return [t for t in _alive(targets, week) if t.hours_share > 0.97]


def _forgotten(targets: list[Target], week: int) -> list[Target]:
    longest = min(targets, key=lambda t: t.last)
    return [] if longest in _alive(targets, week) else [longest]


SCENARIOS: Final[dict[str, Scenario]] = {
    "stolen_credential": Scenario(
        _steal_credential,
        2,
        (9, 22),
        _daily,
        "the app's secret is used from a foreign network, for its usual calls and to look around",
    ),
    "error_burst": Scenario(
        _burst_errors, 1, (8, 22), _daily, "forged tokens: most calls within the hour fail"
    ),
    "permission_probing": Scenario(
        _probe_permissions,
        1,
        (10, 23),
        _daily,
        "many sensitive APIs are tried from the app's own network and nearly all are denied",
    ),
    "id_enumeration": Scenario(
        _guess_ids, 1, (9, 22), _daily, "user ids are guessed one after the other"
    ),
    "off_hours_export": Scenario(
        _export_at_night, 2, (1, 4), _sleeping, "documents are exported and downloaded at night"
    ),
    "dormant_wakes": Scenario(
        _wake_dormant, 2, (9, 20), _forgotten, "an app nobody used for weeks begins to call again"
    ),
    "slow_and_low": Scenario(
        _leak_slowly, 96, (8, 12), _daily, "a few more objects are read every hour for four days"
    ),
    "token_spike": Scenario(
        _spike_tokens, 1, (8, 23), _daily, "tokens are fetched over and over within an hour"
    ),
    "new_sensitive_api": Scenario(
        _use_sensitive_api, 5, (9, 15), _daily, "the app reads sensitive data it never read before"
    ),
    "volume": Scenario(_add_calls, 2, (9, 20), _daily, "the app's usual calls, many times as many"),
    "credential_stuffing": Scenario(
        _stuff_credentials,
        1,
        (0, 23),
        _daily,
        "one foreign address tries wrong secrets of many apps",
        entity_type="ip",
    ),
    "weak_everywhere": Scenario(
        _stay_below,
        6,
        (9, 15),
        _daily,
        "a little more of everything: calls, failures, tokens, one foreign address, one new API",
    ),
    "beacon": Scenario(
        _beacon, 60, (8, 20), _daily, "one call every half hour from a foreign network"
    ),
    "silence": Scenario(
        _fall_silent, 20, (0, 23), _sleepless, "an app that calls every hour stops", removes=True
    ),
    "growth": Scenario(
        _grow, GROWTH_HOURS, (0, 6), _daily, "the app calls twice as much as it used to, all week"
    ),
    "takeover": Scenario(
        _take_over, 25, (8, 20), _daily, "five steps over two apps and two foreign addresses"
    ),
    GRANTED: Scenario(
        _use_grant, 4, (9, 18), _daily, "the app is granted a scope and collects with it"
    ),
}
"""Every kind of attack by name."""
