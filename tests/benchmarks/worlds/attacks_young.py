"""What a new app may do before anybody knows what is usual for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit_analytics.catalogue import load_catalogue
from worlds.attacks import spread, strangers, with_api

if TYPE_CHECKING:
    from worlds.calls import Calls

_WORDS = (
    "admin",
    "backup",
    "config",
    "debug",
    "export",
    "graph",
    "hook",
    "infra",
    "job",
    "keys",
    "ldap",
    "meta",
    "node",
    "oauth",
    "proxy",
    "queue",
    "root",
    "shell",
    "trace",
    "user",
)


def flood_answered(rng, target, start, size, _scene) -> Calls:
    """A thousand answered calls in six minutes."""
    return spread(rng, start, 0.1, 1000 * size, target)


def deny_one_api(rng, target, start, size, scene) -> Calls:
    """300 denials of one API in eight minutes."""
    calls = spread(rng, start, 8 / 60, 300 * size, target)
    unused = strangers(rng, target, scene.vocabulary.sensitive, 1)
    calls = with_api(calls, rng, unused, space=target.app.number)
    return calls.fail(np.ones(len(calls), bool), "permission")


def deny_for_days(rng, target, start, size, _scene) -> Calls:
    """12,000 denials of what it usually calls, in four days."""
    calls = spread(rng, start, 96, 12_000 * size, target)
    return calls.fail(np.ones(len(calls), bool), "permission")


def fail_like_a_clock(rng, target, start, size, _scene) -> Calls:
    """950 failing calls, exactly 275 seconds apart."""
    count = max(1, round(950 * size))
    calls = spread(rng, start, 1, count, target)
    calls.time = int(start) + 275 * np.arange(count)
    calls.api = np.full(count, target.rows.api[0], dtype=np.int32)
    return calls.fail(np.ones(count, bool), "param")


def call_ghosts(rng, target, start, size, scene) -> Calls:
    """2,000 routes that do not exist, in seven minutes."""
    count = round(2000 * size)
    catalogue = load_catalogue()
    first = len(scene.vocabulary.table) + len(scene.routes)
    number = rng.permutation(len(_WORDS) ** 3)[:count]
    words = [[_WORDS[(n // len(_WORDS) ** k) % len(_WORDS)] for k in range(3)] for n in number]
    scene.routes += [catalogue.match(f"GET/open-apis/{a}/v1/{b}_{c}").api for a, b, c in words]
    calls = spread(rng, start, 7 / 60, count, target)
    calls.api = (first + np.arange(count)).astype(np.int32)
    return calls.fail(np.ones(count, bool), "not_found")
