"""A rule set off a thousand times is one story: the worst hits are told, the rest is counted.

Whoever writes the log can forge apps and addresses by the thousand. A report of thousands of
findings hides the one that matters, and takes minutes to write. So what a crowd has in common keeps
its severity once, in the row that counts it, and that row stands behind the findings about somebody;
the hits of a crowd that are told one by one are of medium severity at most. More apps than
:data:`MANY_NEW` without a past are a crowd, too: anybody can make up ids, but nobody a past.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Final

from pydantic import Field

from audit_analytics import schema
from audit_analytics.cases import Hit, name_entity
from audit_analytics.detect._detector import Thresholds
from audit_analytics.language import mark

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

SUPPORTING_FACTOR: Final = 20
"""Hits that make no finding are cheaper, and a large tenant honestly has hundreds."""

MANY_NEW: Final = 8
"""Apps without a past that set off one rule: more are a crowd, as many as a change has in common."""

TOLD_NEW: Final = 3
"""Of these the worst are told."""

_COLUMNS: Final = {"app": "app_id", "ip": "ip", "network": "network"}


class Limits(Thresholds):
    """What holds for every rule."""

    findings_per_rule: int = Field(
        20, ge=1, description="findings of one rule that are listed; the rest is counted"
    )


def limit_hits(hits: Sequence[Hit], *, most: int, known: Collection[str]) -> list[Hit]:
    """Keep the worst hits of each rule and count the rest.

    Parameters
    ----------
    hits : sequence of Hit
        From the engine, which has a budget of its own, and from the rules.
    most : int
        ``findings_per_rule``: hits of one rule that may stand alone; 20 times as many others.
    known : collection of str
        Apps with a past, which come before forged newcomers.

    Returns
    -------
    list of Hit
        The hits of a rule, in order, if there are no more than that. Else the worst of them (by
        severity; entities with a past first; by what was observed), then per entity type one hit
        with ``more`` in its facts: how many there were beyond. It stands alone if they did.
    """
    result = [hit for hit in hits if hit.p is not None]
    by_rule: dict[str, list[Hit]] = {}
    for hit in hits:
        if hit.p is None:
            by_rule.setdefault(hit.detector, []).append(hit)
    for found in by_rule.values():
        alone, beside = (
            [hit for hit in found if hit.alone == is_alone] for is_alone in (True, False)
        )
        result += _limit_alone(alone, most, known)
        result += _limit(beside, most * SUPPORTING_FACTOR, known)
    return result


def list_told(hits: Sequence[Hit], *, most: int, known: Collection[str]) -> set[tuple[str, str]]:
    """List whom rules tell by themselves, whatever else is said of them.

    Parameters
    ----------
    hits : sequence of Hit
        From the rules.
    most : int
        ``findings_per_rule``.
    known : collection of str
        Apps with a past.

    Returns
    -------
    set of tuple of str
        Entity type and entity; nobody who is only one of a crowd.
    """
    kept = limit_hits(hits, most=most, known=known)
    return {name_entity(hit) for hit in kept if hit.alone and "crowd" not in hit.facts}


def _limit_alone(hits: list[Hit], most: int, known: Collection[str]) -> list[Hit]:
    if len(hits) > most:
        return [_soften(hit) for hit in _limit(hits, most, known)]
    new = [hit for hit in hits if hit.entity_type == "app" and hit.entity not in known]
    if len(new) <= MANY_NEW:
        return hits
    left = [_soften(hit) for hit in _limit(new, TOLD_NEW, known)]
    return [*(hit for hit in hits if hit not in new), *left]


def _limit(hits: list[Hit], most: int, known: Collection[str]) -> list[Hit]:
    if len(hits) <= most:
        return hits
    ranked = sorted(hits, key=lambda hit: _rank(hit, known))
    rest = sorted(ranked[most:], key=lambda hit: hit.entity_type)
    counted = groupby(rest, key=lambda hit: hit.entity_type)
    return [*ranked[:most], *(_count_rest(list(group), name) for name, group in counted)]


def _soften(hit: Hit) -> Hit:
    """Rate one of a crowd; the row that counts them keeps what the rule says."""
    if "more" in hit.facts:
        return hit
    severity = "medium" if hit.severity in schema.SENSITIVE else hit.severity
    return replace(hit, severity=severity, facts={**hit.facts, "crowd": True})


def _rank(hit: Hit, known: Collection[str]) -> tuple[int, bool, float, str]:
    place = schema.SEVERITIES.index(hit.severity or "none")
    return -place, hit.entity not in known, -hit.observed, hit.entity


def _count_rest(rest: list[Hit], entity_type: str) -> Hit:
    column = _COLUMNS.get(entity_type)
    entities = tuple(sorted({hit.entity for hit in rest}))
    return Hit(
        detector=rest[0].detector,
        kind=rest[0].kind,
        entity_type="tenant",
        entity=f"{rest[0].detector}/{entity_type}",
        start_at=min(hit.start_at for hit in rest),
        end_at=max(hit.end_at for hit in rest),
        observed=float(len(rest)),
        unit=mark("more like it"),
        severity=max((hit.severity or "low" for hit in rest), key=schema.SEVERITIES.index),
        alone=rest[0].alone,
        facts={"more": len(rest), "entity_type": entity_type, "entities": len(entities)},
        where={column: entities} if column else {},
    )
