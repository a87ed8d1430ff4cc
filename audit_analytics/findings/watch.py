"""The watch list: what was a little unusual, week after week, and never enough for a finding.

An attack that is spread over weeks stays below the budget in each of them. The p-values of an
entity over the last weeks are taken together (Fisher's method), and the least stand on a list. It
is no alarm: it is in no count, and nothing sends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import scipy  # not scipy.stats: who reads settings alone need not wait for it

from audit_analytics.cases import name_entity
from audit_analytics.findings.explain import explain_hit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from audit_analytics.cases import Case, Hit

MAX_ROWS: Final = 10
MAX_KEPT: Final = 200
"""Cases kept for the weeks to come; the others were as usual."""

UNUSUAL: Final = 0.2
"""Weeks taken together that are more probable than this are no news."""


def build_watch(
    cases: Sequence[Case],
    told: Collection[tuple[str, str]],
    past: Mapping[str, Sequence[Sequence[Any]]],
    *,
    week: str,
    zone: str,
    explain: Callable[[Case], Iterable[Hit]],
) -> dict[str, Any]:
    """List what was a little unusual over the last weeks and is no finding.

    Parameters
    ----------
    cases : sequence of Case
        How unusual each assessed entity's week was.
    told : collection of (str, str)
        Entities with a finding, reported or suppressed.
    past : mapping of str to sequence
        ``cases`` of the watch lists of earlier reports, by ISO week.
    week : str
        ISO week of the report.
    zone : str
        IANA name of the tenant's zone.
    explain : callable
        Says what speaks for a case.

    Returns
    -------
    dict of str to Any
        ``rows``, the least probable first: entity, ``p`` of this week and of each ``weeks`` before
        it, ``combined_p`` of them together, whether it ``rose`` this week, and its ``text``; and
        ``cases`` for the reports to come.
    """
    quiet = [case for case in cases if name_entity(case) not in told]
    earlier = {iso: {(kind, name): p for kind, name, p in rows} for iso, rows in past.items()}
    rows = []
    for case in quiet:
        entity = name_entity(case)
        before = [
            {"week": iso, "p": known[entity]}
            for iso, known in sorted(earlier.items())
            if entity in known
        ]
        # a week in which it was as usual counts as one: else a single bad week would do
        together = [case.p, *(row["p"] for row in before)]
        score = -2 * float(np.log(np.maximum(together, 1e-12)).sum())
        combined = float(scipy.stats.chi2.sf(score, 2 * (1 + len(earlier))))
        if combined < UNUSUAL:
            least = min((row["p"] for row in before), default=1.0)
            rows.append((combined, case, before, bool(earlier) and case.p < least))
    rows.sort(key=lambda row: (row[0], row[1].p, name_entity(row[1])))
    return {
        "rows": [
            {
                "entity_type": case.entity_type,
                "entity": case.entity,
                "p": _round(case.p),
                "expected_per_week": _round(case.expected_per_week),
                "combined_p": _round(combined),
                "weeks": [*before, {"week": week, "p": _round(case.p)}],
                "rose": rose,
                "text": next((explain_hit(hit, zone) for hit in explain(case)), ""),
            }
            for combined, case, before, rose in rows[:MAX_ROWS]
        ],
        "cases": [
            [case.entity_type, case.entity, _round(case.p)]
            for case in sorted(quiet, key=lambda case: (case.p, name_entity(case)))[:MAX_KEPT]
            if case.p < 1
        ],
    }


def _round(value: float) -> float:
    return float(f"{value:.4g}")
