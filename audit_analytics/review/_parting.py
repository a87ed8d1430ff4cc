"""What of a week's hits is told, and what is hidden: suppressed first, limited and chosen then.

The order matters: hits that nobody will see must not use up the findings of a rule, nor push out
a reason that stands. Addresses of one network are folded: whoever has it can call from each.

A hit is like one that was found harmless if it is of the same entity and detector, names nothing
but what that one named, and is not more than three times as great. For each such verdict of an
earlier week its p-value, and so E, is ten times as high, and the severity of a rule one lower; a
later verdict that the same was confirmed undoes that.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Case, Hit, name_entity
from audit_analytics.dates.weeks import Week, parse_week
from audit_analytics.detect import Reasons, choose_reasons, limit_hits
from audit_analytics.language import mark
from audit_analytics.review._scope import read_scope, scope_of_hit
from audit_analytics.review._suppression import Suppression
from audit_analytics.review._verdicts import Verdict
from audit_analytics.source import find_network


@dataclass(frozen=True)
class SplitHits:
    """Hits, parted by whether a suppression covers them.

    Parameters
    ----------
    kept : list of Hit
        What is to be reported.
    suppressed : list of (Hit, str)
        What is not, each with the id of the suppression that covers it.
    """

    kept: list[Hit]
    suppressed: list[tuple[Hit, str]]


def split_hits(hits: Sequence[Hit], suppressions: Sequence[Suppression], *, zone: str) -> SplitHits:
    """Part the hits that suppressions cover, the first that does, from those to report."""
    ends = [(entry, entry.ends_at(zone), entry.suppression_id) for entry in suppressions]
    kept, suppressed = [], []
    for hit in hits:
        by = next((i for e, end, i in ends if hit.start_at < end and e.covers(hit)), None)
        if by is None:
            kept.append(hit)
        else:
            suppressed.append((hit, by))
    return SplitHits(kept, suppressed)


def replay_suppression(suppression: Suppression, finding: Mapping[str, Any]) -> tuple[int, bool]:
    """Say what a suppression would have taken from a finding of an earlier report.

    Parameters
    ----------
    suppression : Suppression
        An entry; the day it expires is not looked at.
    finding : mapping of str to Any
        The finding as it stands in findings.json.

    Returns
    -------
    reasons_count, hidden : int, bool
        How many of its reasons are covered, and whether none is left that would make a finding.
    """
    hits = read_hits(finding)
    covered = [suppression.covers(hit) for hit in hits]
    left = any(hit.alone for hit, gone in zip(hits, covered, strict=True) if not gone)
    return sum(covered), any(covered) and not left


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
    hits, cases : sequence of Hit and of Case
        From the engine and the rules.
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


def fold_neighbours(hits: Sequence[Hit]) -> list[Hit]:
    """Tell what several addresses of a network did of one of them, and count the others.

    The worst address keeps its hits (by severity, rarity, amount); one that does not stand alone
    follows for the others' of the same detectors, ``neighbours`` in its facts, all named in `where`.

    >>> from audit_analytics.cases import Hit
    >>> import pandas as pd
    >>> at = pd.Timestamp("2026-11-09", tz="UTC")
    >>> common = {"entity_type": "ip", "start_at": at, "end_at": at, "unit": "apps"}
    >>> hits = [
    ...     Hit(entity=ip, observed=n, detector="NEWAPPS", **common)
    ...     for n, ip in enumerate(["203.0.113.7", "203.0.113.9", "198.51.100.1"])
    ... ]
    >>> [(hit.entity, hit.alone, hit.where) for hit in fold_neighbours(hits)]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('203.0.113.9', True, {}), ('198.51.100.1', True, {}),
     ('203.0.113.9', False, {'ip': ('203.0.113.7',)})]
    """
    speaking: dict[str, dict[str, list[Hit]]] = {}
    for hit in hits:
        network = find_network(hit.entity) if hit.entity_type == "ip" and hit.alone else ""
        if network not in schema.NO_PLACE:
            speaking.setdefault(network, {}).setdefault(hit.entity, []).append(hit)
    left_out: set[int] = set()
    counted = []
    for addresses in speaking.values():
        worst = min(addresses, key=lambda ip: _rank(addresses[ip]))
        told = {hit.detector for hit in addresses.pop(worst)}
        alike = [hit for own in addresses.values() for hit in own if hit.detector in told]
        if alike:
            left_out |= {id(hit) for hit in alike}
            counted.append(_count(worst, alike))
    return [*(hit for hit in hits if id(hit) not in left_out), *counted]


def _rank(hits: Sequence[Hit]) -> tuple[int, float, float, str]:
    return (
        -max(schema.SEVERITIES.index(hit.severity or "none") for hit in hits),
        min(1.0 if hit.p is None else hit.p for hit in hits),
        -max(hit.observed for hit in hits),
        hits[0].entity,
    )


def _count(worst: str, alike: Sequence[Hit]) -> Hit:
    addresses = tuple(sorted({hit.entity for hit in alike}))
    return replace(
        alike[0],
        entity=worst,
        start_at=min(hit.start_at for hit in alike),
        end_at=max(hit.end_at for hit in alike),
        observed=float(len(addresses)),
        unit=mark("addresses"),
        p=None,
        severity=None,
        alone=False,
        facts={"neighbours": len(addresses)},
        where={"ip": addresses},
    )


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


def read_hits(finding: Mapping[str, Any]) -> list[Hit]:
    """Read the hits back from which a finding was made.

    Parameters
    ----------
    finding : mapping of str to Any
        The finding as it stands in findings.json.

    Returns
    -------
    list of Hit
        One per reason, without the facts its sentence was made from.
    """
    return [_read_hit(finding, reason) for reason in finding["reasons"]]


def read_through(finding: Mapping[str, Any]) -> list[Hit]:
    """Read back what got through beside the failures a finding is about; it is no reason.

    Parameters
    ----------
    finding : mapping of str to Any
        The finding as it stands in findings.json.

    Returns
    -------
    list of Hit
        Its calls.
    """
    first = finding["reasons"][0]
    return [_read_hit(finding, first | {"alone": False} | scope) for scope in finding["through"]]


def _read_hit(finding: Mapping[str, Any], reason: Mapping[str, Any]) -> Hit:
    return Hit(
        detector=reason["detector"],
        kind=reason["kind"],
        entity_type=finding["entity_type"],
        entity=finding["entity"],
        start_at=pd.Timestamp(reason["start_at"]),
        end_at=pd.Timestamp(reason["end_at"]),
        observed=reason["observed"],
        unit=reason["unit"],
        p=reason["p"],
        alone=reason["alone"],
        where={column: tuple(values) for column, values in reason["scope"].items()},
    )
