"""What of a week's hits is told, and what is hidden: suppressed first, limited and chosen then.

The order matters. Hits that nobody will see must not use up the findings of a rule, nor push out
a reason that stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from audit_analytics.detect import choose_reasons, limit_hits
from audit_analytics.review._neighbours import fold_neighbours
from audit_analytics.review.partition import SplitHits, split_hits

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from audit_analytics.cases import Case, Hit
    from audit_analytics.detect import Reasons
    from audit_analytics.review.suppression import Suppression


@dataclass(frozen=True)
class PartedHits:
    """A week's hits, as far as they are told and as far as they are hidden."""

    told: Reasons  # what is reported
    hidden: Reasons  # what would have been, but for a suppression
    split: SplitHits  # all hits, parted by whether a suppression covers them


def part_hits(
    hits: Sequence[Hit],
    cases: Sequence[Case],
    suppressions: Sequence[Suppression],
    *,
    zone: str,
    budget: float,
    ordinary: float,
    most: int,
    known: Collection[str],
    every: Sequence[Hit] | None = None,
) -> PartedHits:
    """Take out what is suppressed, count what is too much, and choose the reasons.

    Parameters
    ----------
    hits : sequence of Hit
        From the engine and the rules.
    cases : sequence of Case
        From the engine.
    suppressions : sequence of Suppression
        The file.
    zone : str
        IANA name of the tenant's zone.
    budget, ordinary : float
        As :func:`audit_analytics.detect.choose_reasons` takes them.
    most : int
        ``findings_per_rule``.
    known : collection of str
        Apps with a past.
    every : sequence of Hit, optional
        `hits` before verdicts lowered some; the same if not given.

    Returns
    -------
    PartedHits
        What is told, and what is hidden.
    """

    def limit(hits: Sequence[Hit]) -> list[Hit]:
        return limit_hits(fold_neighbours(hits), most=most, known=known)

    first = split_hits(hits, suppressions, zone=zone)
    # a hit that counts those beyond the limit may be suppressed as any other
    again = split_hits(limit(first.kept), suppressions, zone=zone)
    split = SplitHits(again.kept, [*first.suppressed, *again.suppressed])
    covered = limit([hit for hit, _ in split.suppressed])
    choose = partial(choose_reasons, cases=cases, budget=budget, ordinary=ordinary)
    return PartedHits(
        choose(split.kept, every=hits if every is None else every),
        choose(covered, every=covered),
        split,
    )
