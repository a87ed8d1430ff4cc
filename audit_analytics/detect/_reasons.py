"""Choose what a finding says: of all that speaks for it, the few reasons that tell the most.

What people suppressed is taken out before, so that no reason is passed over for one that nobody
will see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from audit_analytics.cases import Case, Hit, name_entity
from audit_analytics.detect._calibrate import CLEAR_P
from audit_analytics.detect._detectors import find_detector
from audit_analytics.detect._group import AppGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

T = TypeVar("T")

MAX_P: Final = 0.05
"""A day less rare than this tells nothing."""

EQUALS: Final = 100.0
"""A p-value at most so many times another one is its equal: far out both come from tails that were
fitted to a few days."""

MIN_PART: Final = 0.25
"""Of the greatest excess, what a count must make up to say what it was."""

MAX_WEEK_P: Final = 0.2
"""In a tenant of a few entities E alone would let ordinary weeks through."""

MAX_REASONS: Final = 4


def order_equals(
    p: Mapping[T, float], rank: Callable[[T, list[T]], Any], unmatched: Collection[T] = ()
) -> list[T]:
    """Order by p-value, and what is equal by something that tells more.

    ``rank(one, equals)`` orders those that are equal, the least first. What is `unmatched` nothing
    was like before, and no tail tells how much rarer it is: the equal of any.

    >>> order_equals({"a": 1e-9, "b": 4e-3, "c": 1e-3}, lambda one, equals: one != "b")
    ['a', 'b', 'c']
    """
    left, ordered = dict(p), list[T]()
    while left:
        limit = EQUALS * min(left.values())
        equals = [one for one in left if left[one] <= limit or one in unmatched]
        ranks = {one: rank(one, equals) for one in equals}
        ordered += sorted(equals, key=ranks.__getitem__)
        for one in equals:
            del left[one]
    return ordered


@dataclass(frozen=True)
class Reasons:
    """What is told.

    Parameters
    ----------
    hits : list of Hit
        The chosen reasons and the rules' hits, in their order.
    cases : list of Case
        Cases, rated by what is left of them, in their order.
    untold : dict of tuple of str to list of str
        By entity, the detectors that spoke as well and were not chosen.
    """

    hits: list[Hit]
    cases: list[Case]
    untold: dict[tuple[str, str], list[str]]


def is_rare(case: Case, *, budget: float, ordinary: float = 1.0) -> bool:
    """Return whether a case is within the alarm budget, of so many false alarms a week.

    E counts what an ordinary week brings, all of whose entities can be false alarms. Where
    something happened to half of the apps, only the other half can: `ordinary` is the share of
    those that had an ordinary week.
    """
    return case.expected_per_week * ordinary < budget and case.p * ordinary <= MAX_WEEK_P


def choose_reasons(
    hits: Sequence[Hit],
    cases: Sequence[Case],
    *,
    every: Sequence[Hit],
    budget: float,
    ordinary: float = 1.0,
) -> Reasons:
    """Choose the reasons of each entity, and rate its case by what is left of it.

    How unusual an entity is was found from everything it did. Where the least probable hit is
    taken out, p and E rise to those of the next; a case that is no longer rare is not told, and
    where nothing is left there is no case.

    Parameters
    ----------
    hits : sequence of Hit
        What may be told: from :func:`audit_analytics.detect.find_hits` and from the rules.
    cases : sequence of Case
        From the engine.
    every : sequence of Hit
        `hits`, and what was taken out.
    budget : float
        False alarms a week.
    ordinary : float, default=1.0
        Share of the apps that had an ordinary week; the others cannot be false alarms.

    Returns
    -------
    Reasons
        What is told.
    """
    before, left = _by_entity(every), _by_entity(hits)
    rated = []
    for case in cases:
        entity = (case.entity_type, case.entity)
        if entity in before and entity not in left:
            continue
        factor = _least(left[entity]) / _least(before[entity]) if entity in before else 1.0
        if factor > 1.0:
            p, q = (min(value * factor, 1.0) for value in (case.p, case.q))
            expected = case.expected_per_week * factor
            case = replace(case, p=p, q=q, expected_per_week=expected)  # noqa: PLW2901
            if not is_rare(case, budget=budget, ordinary=ordinary):
                del left[entity]
        rated.append(case)
    chosen = {entity: _choose(own) for entity, own in left.items()}
    told = {id(hit) for own in chosen.values() for hit in own}
    return Reasons(
        hits=[hit for hit in hits if hit.p is None or id(hit) in told],
        cases=rated,
        untold={
            entity: [hit.detector for hit in own if id(hit) not in told]
            for entity, own in left.items()
        },
    )


def _by_entity(hits: Sequence[Hit]) -> dict[tuple[str, str], list[Hit]]:
    own: dict[tuple[str, str], list[Hit]] = {}
    for hit in hits:
        if hit.p is not None:
            own.setdefault(name_entity(hit), []).append(hit)
    return own


def _least(hits: Sequence[Hit]) -> float:
    # a p of 0 is a rounding, and must not be divided by
    return max(min(hit.p for hit in hits if hit.p is not None), 1e-300)


def _choose(hits: Sequence[Hit]) -> list[Hit]:
    clear = [hit for hit in hits if hit.p is not None and (hit.p <= CLEAR_P or hit.unmatched)]
    # how many objects it was says less than any other reason does, and one burst of them raises
    # the sums over days as well
    clear = [hit for hit in clear if not _supports(hit)] or clear[:1]
    # the past of a small tenant is too short for any p below CLEAR_P
    return clear[:MAX_REASONS] or [min(hits, key=lambda hit: hit.p or 0.0)]


def _supports(hit: Hit) -> bool:
    group = find_detector(hit.detector)
    return isinstance(group, AppGroup) and group.supports
