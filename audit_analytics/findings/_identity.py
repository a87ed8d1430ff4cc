"""What a person follows from week to week: an entity, and what goes on with it.

Which reason ranks first says little about that: the same leak is told by its volume in one week
and by its objects in the next. A finding goes on as long as it shares anything with the one of the
week before: a detector that stands by itself, or a place or an API that it names.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NAMES: Final = ("network", "ip", "api")


def list_threads(
    reasons: Sequence[Mapping[str, Any]], untold: Iterable[str]
) -> frozenset[tuple[str, str]]:
    """List what tells that a finding is about the same thing as another one.

    That are its detectors that stand alone, those that spoke `untold`, and places and APIs of all
    reasons.

    Examples
    --------
    >>> reason = {"detector": "API", "alone": True, "scope": {"api": ["GET/x"]}}
    >>> sorted(list_threads([reason], ["OBJ"]))
    [('api', 'GET/x'), ('detector', 'API'), ('detector', 'OBJ')]
    """
    told = [str(reason["detector"]) for reason in reasons if reason["alone"]]
    named = {
        (column, str(name))
        for reason in reasons
        for column in _NAMES
        for name in reason["scope"].get(column, ())
    }
    return frozenset({("detector", name) for name in (*told, *untold)} | named)


def make_key(entity_type: str, entity: str, threads: Iterable[tuple[str, str]]) -> str:
    """Return what tells a finding from others as long as it goes on: its threads when it began.

    Examples
    --------
    >>> make_key("app", "cli_a1", [("detector", "OBJ"), ("detector", "VOL")])
    'k-f4a018f1c576'
    """
    return "k-" + _hash(entity_type, entity, *(text for pair in sorted(threads) for text in pair))


def make_id(entity_type: str, entity: str, week: str) -> str:
    """Return the id of a finding, stable over re-runs.

    Examples
    --------
    >>> make_id("app", "cli_a1", "2026-W46")
    'f-d0b550ea6f95'
    """
    return "f-" + _hash(entity_type, entity, week)


def make_story_id(finding_id: str) -> str:
    """Return the id of a story, stable over re-runs, from its first finding in time.

    Examples
    --------
    >>> make_story_id("f-d0b550ea6f95")
    's-3753a859438f'
    """
    return "s-" + _hash("story", finding_id)


def _hash(*texts: str) -> str:
    return hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
