"""Which of the reasons of a finding speaks first: the one that says what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics import schema
from audit_analytics.detect import find_detector
from audit_analytics.detect.detector import LATE, RARE_SURPRISE, SURPRISE
from audit_analytics.detect.groups import BirthGroup
from audit_analytics.detect.reasons import EQUALS

if TYPE_CHECKING:
    from audit_analytics.cases import Case, Hit

DAYS_PER_WEEK: Final = 7
RARE: Final = 1.0
"""E of a surprise as rare as a rule of severity ``high`` is bad."""


def order_reasons(hits: list[Hit], case: Case | None) -> list[Hit]:
    """Let the reasons of a finding speak in the order in which they tell what happened.

    Rules that name what happened, surprises the rarest first, other rules, what only supports.
    """
    # E of a single reason, on the scale of the case; p of a reason is a day's, that of a case a week's
    scale = DAYS_PER_WEEK * case.expected_per_week / case.p if case else 0.0

    newborn = any(isinstance(find_detector(hit.detector), BirthGroup) for hit in hits)
    least = min((hit.p for hit in hits if hit.p is not None and hit.alone), default=0.0)

    def rank(hit: Hit) -> tuple[int, float]:
        p, detector = (1.0 if hit.p is None else hit.p), find_detector(hit.detector)
        # all that a new app does it does for the first time
        usual = newborn and detector.first_use and hit.severity not in schema.SENSITIVE
        place = LATE if usual else detector.place
        if least <= p <= EQUALS * least or hit.unmatched:
            p = least
        if place >= RARE_SURPRISE and not hit.alone:
            place = LATE + 1
        elif hit.p is not None:
            place = RARE_SURPRISE if p * scale < RARE else SURPRISE
        return place, p

    # of equals the engine put the most telling one first
    return sorted(hits, key=rank)
