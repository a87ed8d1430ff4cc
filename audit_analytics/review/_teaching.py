"""What verdicts teach: what was found harmless speaks less loudly when it comes again.

The rule: a hit is like one that was found harmless if it is of the same entity and detector, names
nothing but what that one named, and is not more than three times as great. For each such verdict of
an earlier week its p-value, and so E, is ten times as high, and the severity of a rule one lower. A
later verdict that the same was confirmed undoes that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from audit_analytics import schema
from audit_analytics.cases import name_entity
from audit_analytics.dates.weeks import parse_week
from audit_analytics.review.scope import read_scope, scope_of_hit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audit_analytics.cases import Hit
    from audit_analytics.dates.weeks import Week
    from audit_analytics.review.verdicts import Verdict

FACTOR: Final = 10.0
MOST: Final = 3.0
"""How many times as great as what was harmless a hit may be, and still be like it."""


def lower_known(hits: Sequence[Hit], verdicts: Iterable[Verdict], week: Week) -> list[Hit]:
    """Lower what is like something that people found harmless.

    Parameters
    ----------
    hits : sequence of Hit
        From the engine and the rules.
    verdicts : iterable of Verdict
        The last verdict on each finding.
    week : Week
        The report week; verdicts on it teach nothing about it.

    Returns
    -------
    list of Hit
        In the order of `hits`; what nothing is known about is the same object.
    """
    known: dict[tuple[str, str], list[Verdict]] = {}
    for entry in sorted(verdicts, key=lambda entry: (entry.week, entry.created)):
        if parse_week(entry.week, zone=week.zone).end_at <= week.start_at:
            known.setdefault((entry.entity_type, entry.entity), []).append(entry)
    return [_lower(hit, _count_harmless(hit, known.get(name_entity(hit), []))) for hit in hits]


def _count_harmless(hit: Hit, entries: Iterable[Verdict]) -> int:
    count, scope = 0, scope_of_hit(hit)
    for entry in entries:
        alike = any(
            calls.detector == hit.detector
            and hit.observed <= MOST * calls.observed
            and scope.within(read_scope(calls.model_dump()))
            for calls in entry.calls
        )
        if alike:
            count = count + 1 if entry.verdict == "benign" else 0
    return count


def _lower(hit: Hit, count: int) -> Hit:
    if not count:
        return hit
    p = None if hit.p is None else min(hit.p * FACTOR**count, 1.0)
    place = schema.SEVERITIES.index(hit.severity) if hit.severity else 0
    lower = schema.SEVERITIES[max(place - count, schema.SEVERITIES.index("low"))]
    return replace(hit, p=p, severity=lower if hit.severity else None)
