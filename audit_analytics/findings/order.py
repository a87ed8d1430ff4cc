"""Which of the reasons of a finding speaks first: the one that says what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd

    from audit_analytics.cases import Case, Hit

SPECIFIC: Final = (
    "rule:own_app",
    "rule:denied_network",
    "rule:auth_failures",
    "rule:probing",
    "rule:enumeration",
    "rule:refused_address",
    "rule:denied_then_allowed",
    "rule:high_impact_write",
    "rule:dormant",
    "rule:silence",
    "rule:outage",
)
"""Rules that name what happened; they speak first, the surprises after them."""

CHAIN: Final = "rule:chain"
"""Steps that are ordinary one by one: a surprise as rare as the rule is severe says more."""

RARE: Final = 1.0
"""E of such a surprise: that of severity ``high``."""


def order_reasons(hits: list[Hit], case: Case | None) -> list[Hit]:
    """Let the reasons of a finding speak in the order in which they tell what happened.

    Parameters
    ----------
    hits : list of Hit
        What the detectors found of one entity.
    case : Case or None
        How unusual its week was, if it was assessed.

    Returns
    -------
    list of Hit
        Rules that name what happened, surprises the rarest first, other rules, what only supports.
    """
    # E of a single reason, on the scale of the case
    scale = case.expected_per_week / case.p if case else 0.0

    def place(hit: Hit) -> tuple[int, float, str, pd.Timestamp]:
        p, last = (1.0 if hit.p is None else hit.p), len(SPECIFIC)
        if hit.detector in SPECIFIC:
            rank = SPECIFIC.index(hit.detector)
        elif not hit.alone:
            rank = last + 4
        elif hit.detector == CHAIN:
            rank = last + 1
        elif hit.p is None:
            rank = last + 3
        else:
            rank = last if p * scale < RARE else last + 2
        return rank, p, hit.detector, hit.start_at

    return sorted(hits, key=place)
