"""A rule set off a thousand times is one story: the worst hits are told, the rest is counted.

Whoever writes the log can forge apps and addresses by the thousand. A report of thousands of
findings hides the one that matters, and takes minutes to write.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from pydantic import Field

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect.detector import Thresholds
from audit_analytics.language import mark

if TYPE_CHECKING:
    from collections.abc import Collection

    from audit_analytics.detect.rule_input import RuleInput

SUPPORTING_FACTOR: Final = 20
"""Hits that make no finding are cheaper, and a large tenant honestly has hundreds."""

_COLUMNS: Final = {"app": "app_id", "ip": "ip", "network": "network"}


class Limits(Thresholds):
    """What holds for every rule."""

    findings_per_rule: int = Field(
        20, ge=1, description="findings of one rule that are listed; the rest is counted"
    )


def limit_hits(hits: list[Hit], data: RuleInput) -> list[Hit]:
    """Keep the worst hits of one rule and count the rest.

    Parameters
    ----------
    hits : list of Hit
        Of one rule.
    data : RuleInput
        What it judged.

    Returns
    -------
    list of Hit
        The hits, in order, if there are no more than ``findings_per_rule`` that stand alone and
        20 times as many others. Else the worst of them (by severity; entities with a past
        before forged newcomers; by what was observed), then per entity type one hit with ``more`` in its
        facts: how many there were beyond.
    """
    limit = data.thresholds(Limits).findings_per_rule
    if len(hits) <= limit:
        return hits
    known = set(data.panel.apps[data.panel.assessed(0)])
    result: list[Hit] = []
    for alone, most in ((True, limit), (False, limit * SUPPORTING_FACTOR)):
        own = [hit for hit in hits if hit.alone == alone]
        ranked = sorted(own, key=lambda hit: _rank(hit, known)) if len(own) > most else own
        result += ranked[:most]
        rest = sorted(ranked[most:], key=lambda hit: hit.entity_type)
        for entity_type, group in groupby(rest, key=lambda hit: hit.entity_type):
            result.append(_count_rest(list(group), entity_type))
    return result


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
        facts={"more": len(rest), "entity_type": entity_type, "entities": len(entities)},
        where={column: entities} if column else {},
    )
