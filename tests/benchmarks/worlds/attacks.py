"""Attacks every tenant may see: from the target and a start to the hostile calls.

``size`` 1 is the usual attack; it multiplies the hostile calls, not what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from worlds.calendar import DAY, HOUR
from worlds.calls import Calls, join_calls, make_calls
from worlds.egress import draw_foreign
from worlds.honest import name_objects

if TYPE_CHECKING:
    from worlds.scene import Scene, Target

HOSTILE_SPACE = 1 << 20
"""Objects attackers guess are numbered apart from those the apps deal with."""


def spread(
    rng: np.random.Generator, start: float, hours: float, count: float, target: Target
) -> Calls:
    """Spread calls of the app's own mix over some hours: own APIs, objects, and lately used address."""
    number = max(1, round(count))
    rows = target.rows.take(rng.integers(0, len(target.rows), number))
    time = start + np.sort(rng.random(number)) * hours * HOUR
    return make_calls(time, target.app.number, rows.api, target.ip, rows.object)


def strangers(rng: np.random.Generator, target: Target, pool: np.ndarray, count: int) -> np.ndarray:
    """Draw APIs the app never called."""
    unused = np.setdiff1d(pool, target.rows.api)
    return rng.choice(unused, min(max(1, count), len(unused)), replace=False)


def with_api(calls: Calls, rng: np.random.Generator, apis: np.ndarray, *, space: int) -> Calls:
    """Turn the calls to other APIs, about objects of those."""
    calls.api = rng.choice(np.asarray(apis, dtype=np.int32), len(calls))
    calls.object = name_objects(HOSTILE_SPACE + space, rng.integers(0, 400, len(calls)))
    return calls


def with_ip(calls: Calls, scene: Scene, ip: str) -> Calls:
    calls.ip = np.full(len(calls), scene.provider.names.code(ip), dtype=np.int32)
    return calls


def _fresh_objects(calls: Calls, target: Target, rng: np.random.Generator) -> Calls:
    """Let every call be about another object of the app's, none of which it read before."""
    calls.object = name_objects(target.app.number, 10_000_000 + rng.permutation(len(calls)))
    return calls


def steal_credential(rng, target, start, size, scene) -> Calls:
    ip = draw_foreign(rng)
    look = spread(rng, start, 0.7, 15 * size, target)
    unused = strangers(rng, target, scene.vocabulary.sensitive_reads, 6)
    look = with_api(look, rng, unused, space=target.app.number)
    look = look.fail(rng.random(len(look)) < 0.35, "permission")
    usual = spread(rng, start + 900, rng.uniform(1, 2), 45 * size, target)
    token = spread(rng, start, 0.2, 2 * size, target)
    token = with_api(token, rng, [scene.vocabulary.token], space=0)
    return with_ip(join_calls([token, look, usual]), scene, ip)


def burst_errors(rng, target, start, size, scene) -> Calls:
    count = max(60.0, scene.expect(target, start, 1))
    calls = spread(rng, start, 0.7, count * size, target)
    return calls.fail(
        rng.random(len(calls)) < 0.85, str(rng.choice(["auth", "param", "not_found"]))
    )


def probe_permissions(rng, target, start, size, scene) -> Calls:
    apis = strangers(rng, target, scene.vocabulary.sensitive, round(26 * size))
    tried = np.repeat(apis, rng.integers(1, 3, len(apis)))
    calls = spread(rng, start, 0.5, len(tried), target)
    calls = with_api(calls, rng, tried, space=target.app.number)
    calls.api = tried.astype(np.int32)
    return calls.fail(rng.random(len(calls)) < 0.92, "permission")


def enumerate_ids(rng, target, start, size, scene) -> Calls:
    calls = spread(rng, start, 0.6, 170 * size, target)
    calls = with_api(calls, rng, [scene.vocabulary.users], space=0)
    guesses = rng.integers(10**6) + np.arange(len(calls))
    calls.object = name_objects(HOSTILE_SPACE, guesses)
    return calls.fail(rng.random(len(calls)) < 0.6, "not_found")


def export_at_night(rng, target, start, size, scene) -> Calls:
    """Ask for exports, wait for each, and take it: three calls a document."""
    count = max(1, round(40 * size))
    begin = start + np.sort(rng.random(count)) * 1.6 * HOUR
    documents = name_objects(HOSTILE_SPACE + target.app.number, rng.permutation(count))
    return join_calls(
        [
            make_calls(begin + 5 * step, target.app.number, api, target.ip, documents)
            for step, api in enumerate(scene.vocabulary.exports)
        ]
    )


def call_at_night(rng, target, start, size, _scene) -> Calls:
    return spread(rng, start, 1.6, 120 * size, target)


def wake_dormant(rng, target, start, size, scene) -> Calls:
    usual = spread(rng, start, 1.2, 35 * size, target)
    more = spread(rng, start + 400, 1.2, 10 * size, target)
    unused = strangers(rng, target, scene.vocabulary.sensitive_reads, 2)
    calls = join_calls([usual, with_api(more, rng, unused, space=target.app.number)])
    return with_ip(calls, scene, draw_foreign(rng)) if rng.random() < 0.5 else calls


def leak_slowly(rng, target, start, size, scene) -> Calls:
    """Read a few objects more every hour in which the app is awake anyway, four days long."""
    calls = spread(rng, start, 96, 240 * size, target)
    hours = start + HOUR * np.arange(96)
    usual = np.array([scene.expect(target, hour, 1) for hour in hours]) + 1e-6
    drawn = rng.choice(hours, len(calls), p=usual / usual.sum())
    calls.time = (drawn + HOUR * rng.random(len(calls))).astype(np.int64)
    named = scene.vocabulary.named
    reads = np.unique(target.rows.api[named[target.rows.api]])
    if len(reads):
        calls.api = rng.choice(reads, len(calls)).astype(np.int32)
    return _fresh_objects(calls, target, rng)


def spike_tokens(rng, target, start, size, scene) -> Calls:
    calls = spread(rng, start, 0.8, 90 * size, target)
    return with_api(calls, rng, [scene.vocabulary.token], space=0)


def use_sensitive_api(rng, target, start, size, scene) -> Calls:
    calls = spread(rng, start, 5, 26 * size, target)
    unused = strangers(rng, target, scene.vocabulary.sensitive_reads, 2)
    calls = with_api(calls, rng, unused, space=target.app.number)
    return calls.fail(rng.random(len(calls)) < 0.08, "permission")


def use_new_apis(rng, target, start, size, scene) -> Calls:
    calls = spread(rng, start, 5, 26 * size, target)
    unused = strangers(rng, target, scene.vocabulary.sensitive, 2)
    return with_api(calls, rng, unused, space=target.app.number)


def raise_volume(rng, target, start, size, scene) -> Calls:
    """Two hours of 2.5 to 4 times the calls of these hours."""
    more = rng.uniform(1.5, 3) * scene.expect(target, start, 2)
    return spread(rng, start, 2, more * size, target)


def _grow(factor: float):
    def grow(rng, target, start, size, scene) -> Calls:
        """Call more all week, when the app calls anyway and in the same way."""
        rows = target.rows.take(target.rows.time >= start)
        rows = rows.take(
            np.repeat(np.arange(len(rows)), rng.poisson((factor - 1) * size, len(rows)))
        )
        late = rng.uniform(0, 600, len(rows))
        rows.time = np.minimum(rows.time + late, scene.calendar.end - 1).astype(np.int64)
        return rows

    return grow


grow_by_half, grow_twice = _grow(1.5), _grow(2.0)


def stuff_credentials(rng, target, start, size, scene) -> Calls:
    peers = [number for number in scene.peers if number != target.app.number]
    apps = rng.choice(peers, min(len(peers), max(1, round(12 * size))), replace=False)
    tried = rng.permutation(np.repeat(apps, rng.integers(3, 8, len(apps))))
    calls = spread(rng, start, 0.4, len(tried), target)
    calls = with_api(calls, rng, [scene.vocabulary.token], space=0)
    calls.app = tried.astype(np.int32)
    return with_ip(calls.fail(np.ones(len(calls), bool), "auth"), scene, draw_foreign(rng))


def beacon(rng, target, start, size, scene) -> Calls:
    calls = spread(rng, start, 60, 120 * size, target)
    every = 60 * HOUR / len(calls)
    late = rng.uniform(0, 20, len(calls))
    calls.time = (start + every * np.arange(len(calls)) + late).astype(np.int64)
    calls.api = np.full(len(calls), target.rows.api[0], dtype=np.int32)
    return with_ip(calls, scene, draw_foreign(rng))


def read_nightly(rng, target, start, size, scene) -> Calls:
    """Read another part of the personnel records every night, four nights."""
    nights = []
    for night in range(4):
        at = start + night * DAY + rng.uniform(0, 900)
        calls = spread(rng, at, 0.4, 60 * size, target)
        calls = with_api(calls, rng, scene.vocabulary.personnel, space=target.app.number)
        numbers = 1000 * night + np.arange(len(calls))
        calls.object = name_objects(HOSTILE_SPACE + target.app.number, numbers)
        nights.append(calls)
    return join_calls(nights)


def stay_below(rng, target, start, size, scene) -> Calls:
    """Do a little of everything: calls, failures, tokens from elsewhere, one new API."""
    usual = spread(rng, start, 6, max(20, 0.3 * scene.expect(target, start, 6)) * size, target)
    usual = usual.fail(rng.random(len(usual)) < 0.15, "param")
    few = [spread(rng, start, 6, 4 * size, target) for _ in range(3)]
    denied = with_api(few[0], rng, strangers(rng, target, scene.vocabulary.sensitive, 2), space=1)
    denied = denied.fail(np.ones(len(denied), bool), "permission")
    token = with_api(few[1], rng, [scene.vocabulary.token], space=0)
    reads = with_api(
        few[2], rng, strangers(rng, target, scene.vocabulary.sensitive_reads, 1), space=1
    )
    return join_calls([usual, denied, with_ip(token, scene, draw_foreign(rng)), reads])
