"""What a person follows from week to week, which finding is first, which reason speaks first.

A finding goes on as long as it shares anything with the one of the week before: a detector that
stands by itself, or a place or an API that it names; the reason that ranks first may change.

Ranks are what whoever writes the log would like to move. What takes a past to do cannot be forged;
app ids can, by the thousand: so the worst newcomers alone are critical, and of equal severity those
who are some of many stand behind those about whom there is a story of their own. What is both rare
and found by a rule stands before what is either.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from audit_analytics import schema
from audit_analytics.detect import (
    EQUALS,
    LATE,
    RARE_SURPRISE,
    SURPRISE,
    BirthGroup,
    Rule,
    find_detector,
)
from audit_analytics.language import _

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from audit_analytics.cases import Case, Hit
    from audit_analytics.findings._finding import Finding

MOST_NEW: Final = 3
"""Newcomers of high or critical severity; an ordinary week has one in ten weeks."""

DAYS_PER_WEEK: Final = 7
RARE: Final = 1.0
"""E of a surprise as rare as a rule of severity ``high`` is bad."""

UNKNOWN: Final = 1.0
ORDINARY: Final = 5.0
"""E in the place of what a rule alone says: of an entity that nothing could be compared with, and
of one whose week is no case within the budget."""


def find_severity(hits: Sequence[Hit], rarity: str, *, ordinary: bool) -> str:
    """Return the higher of how rare it is and how bad the rules call it; support does not count.

    A crowd is of medium severity at most by rarity. `ordinary`: its week is no case of the budget.
    """
    crowd = [hit for hit in hits if hit.p is not None and "crowd" in hit.facts]
    named = ["medium" if crowd and rarity in schema.SENSITIVE else rarity]
    for hit in hits:
        if hit.severity and hit.alone:
            relative = ordinary and find_detector(hit.detector).relative
            named.append("medium" if relative and hit.severity != "low" else hit.severity)
    return max(named, key=schema.SEVERITIES.index)


def rank_findings(
    findings: list[Finding],
    cases: Mapping[tuple[str, str], Case],
    *,
    crowd: Collection[tuple[str, str]],
    with_past: Collection[str] | None,
) -> list[Finding]:
    """Rank findings by severity; then what is unusual and found by a rule as well, then by E.

    All but the worst three newcomers (apps outside `with_past`) are high at most and stand behind.
    """
    far = {entity: case.far for entity, case in cases.items()}
    ranked = sorted(findings, key=lambda finding: _place(finding, far, crowd))
    new = [
        finding
        for finding in ranked
        if finding.entity_type == "app"
        and with_past is not None
        and finding.entity not in with_past
        and finding.severity in schema.SENSITIVE
    ]
    softened = {finding.finding_id: _soften(finding, len(new)) for finding in new[MOST_NEW:]}
    ranked = [softened.get(finding.finding_id, finding) for finding in ranked]
    crowd = {*crowd, *(("app", finding.entity) for finding in softened.values())}
    ranked.sort(key=lambda finding: _place(finding, far, crowd))
    return [replace(finding, rank=rank) for rank, finding in enumerate(ranked, start=1)]


def _soften(finding: Finding, count: int) -> Finding:
    step = _(
        "{n} apps without a past stood out this week, and anybody can make up app ids: all but the "
        "{most} worst of them stand behind the others.",
        n=count,
        most=MOST_NEW,
    )
    return replace(finding, severity="high", next_steps=[step, *finding.next_steps])


def _place(
    finding: Finding, far: Mapping[tuple[str, str], float], crowd: Collection[tuple[str, str]]
) -> tuple[int, bool, bool, float, float, str]:
    entity, expected = (finding.entity_type, finding.entity), finding.expected_per_week
    # of one severity, what two kinds of detectors agree on is twice as often an attack
    agreed = expected is not None and any(
        isinstance(find_detector(name), Rule) for name in finding.detectors
    )
    if expected is None:
        # a rule names no probability; of an entity whose week was ordinary as a whole it says less
        expected = ORDINARY if entity in far else UNKNOWN
    return (
        -schema.SEVERITIES.index(finding.severity),
        entity in crowd,
        not agreed,
        expected,
        # a case outside the budget did not speak, and must not lift a rule's finding
        -far.get(entity, 0.0) if finding.expected_per_week is not None else 0.0,
        finding.finding_id,
    )


def order_reasons(hits: list[Hit], case: Case | None) -> list[Hit]:
    """Let the reasons speak in the order in which they tell what happened.

    Rules that name it, surprises the rarest first, other rules, what only supports.
    """
    # E of a single reason, on the scale of the case; p of a reason is a day's, that of a case a week's
    scale = DAYS_PER_WEEK * case.expected_per_week / case.p if case else 0.0

    newborn = any(isinstance(find_detector(hit.detector), BirthGroup) for hit in hits)
    least = min((hit.p for hit in hits if hit.p is not None and hit.alone), default=0.0)

    def confirmed(hit: Hit) -> bool:
        return any(
            rule.p is None
            and rule.kind == hit.kind
            and not find_detector(rule.detector).first_use
            and rule.start_at < hit.end_at
            and hit.start_at < rule.end_at
            for rule in hits
        )

    def rank(hit: Hit) -> tuple[int, float, bool]:
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
        return place, p, not confirmed(hit)

    # of equals the engine put the most telling one first
    return sorted(hits, key=rank)


_NAMES: Final = ("network", "ip", "api")


def list_threads(
    reasons: Sequence[Mapping[str, Any]], untold: Iterable[str]
) -> frozenset[tuple[str, str]]:
    """List what tells that a finding is about the same as another: detectors, places and APIs.

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

    >>> make_key("app", "cli_a1", [("detector", "OBJ"), ("detector", "VOL")])
    'k-f4a018f1c576'
    """
    return "k-" + _hash(entity_type, entity, *(text for pair in sorted(threads) for text in pair))


def make_id(entity_type: str, entity: str, week: str) -> str:
    """Return the id of a finding, stable over re-runs.

    >>> make_id("app", "cli_a1", "2026-W46")
    'f-d0b550ea6f95'
    """
    return "f-" + _hash(entity_type, entity, week)


def make_story_id(finding_id: str) -> str:
    """Return the id of a story, stable over re-runs, from its first finding in time.

    >>> make_story_id("f-d0b550ea6f95")
    's-3753a859438f'
    """
    return "s-" + _hash("story", finding_id)


def _hash(*texts: str) -> str:
    return hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
