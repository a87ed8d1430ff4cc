"""Which of more cases than a report tells are told: of those that are alike, the first ones.

A thousand apps that burst in turn are a thousand cases as rare as a real attack, and would take
every place of the report. They have one story. So where there are more cases than places, from the
fourth on every further case of a story has to be twice as rare as the one before it to come as
early. A crowd has no fourth, stands behind those about whom there is a story of their own, and
keeps its severity once, in the row that counts it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from audit_analytics.detect._limit import MANY_NEW, TOLD_NEW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit_analytics.cases import Case, Hit

CROWD_SHARE: Final = 0.5
"""Of the places: a story that would take more of them is that of a crowd."""

_TWICE: Final = 2.0

_WHO: Final = frozenset(("app_id", "ip", "network"))


def part_alike(
    cases: Sequence[tuple[Case, list[Hit]]], *, most: int
) -> tuple[list[Hit], list[Case]]:
    """Choose the cases that are told, and return what speaks for them and the cases left.

    `cases` are the most unusual first. No more than `most` are all told. Else those with the least
    E, doubled for the fourth case of a story and once more for each further one; in their order. Of
    a story that is that of more than :data:`~audit_analytics.detect._limit.MANY_NEW` cases, and
    would take more than half of the places, three are told, and say in their facts that they are
    some of a crowd.
    """
    if len(cases) <= most:
        return [hit for _, hits in cases for hit in hits], []
    stories = [_name_story(hits) for _, hits in cases]
    sizes, turns, seen = Counter(stories), [], Counter[frozenset[object]]()
    for story in stories:
        turns.append(seen[story])
        seen[story] += 1
    crowd = [sizes[story] > max(MANY_NEW, CROWD_SHARE * most) for story in stories]
    places = [n for n in range(len(cases)) if not crowd[n] or turns[n] < TOLD_NEW]

    def weigh(n: int) -> float:
        return cases[n][0].expected_per_week * _TWICE ** max(turns[n] - TOLD_NEW + 1, 0)

    chosen = set(sorted(places, key=lambda n: (weigh(n), n))[:most])
    told = [
        replace(hit, facts={**hit.facts, "crowd": True}) if crowd[n] else hit
        for n in sorted(chosen)
        for hit in cases[n][1]
    ]
    return told, [case for n, (case, _) in enumerate(cases) if n not in chosen]


def _name_story(hits: Sequence[Hit]) -> frozenset[object]:
    """Say what happened, whoever it was: what spoke, and of which calls."""
    return frozenset(
        (
            hit.detector,
            hit.kind,
            *(
                (column, value)
                for column in sorted(hit.where.keys() - _WHO)
                for value in sorted(hit.where[column])
            ),
        )
        for hit in hits
    )
