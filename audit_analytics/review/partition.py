"""Part what suppressions cover from what is to be reported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audit_analytics.dates.buckets import format_utc
from audit_analytics.review.reports import read_hits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audit_analytics.cases import Hit
    from audit_analytics.dates.weeks import Week
    from audit_analytics.review.suppression import Suppression


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
    """Part the hits that suppressions cover from those to report.

    Parameters
    ----------
    hits : sequence of Hit
        From the engine and the rules.
    suppressions : sequence of Suppression
        The file; the first entry that covers a hit takes it.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    SplitHits
        Both parts, in the order of `hits`. A hit that begins after an entry's last day is kept.
    """
    ends = [(entry, entry.ends_at(zone), entry.suppression_id) for entry in suppressions]
    kept, suppressed = [], []
    for hit in hits:
        by = next((i for e, end, i in ends if hit.start_at < end and e.covers(hit)), None)
        if by is None:
            kept.append(hit)
        else:
            suppressed.append((hit, by))
    return SplitHits(kept, suppressed)


def list_suppressions(
    suppressions: Sequence[Suppression],
    split: SplitHits,
    *,
    week: Week,
    before: Sequence[dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Say of each suppression what it did this week.

    Parameters
    ----------
    suppressions : sequence of Suppression
        The file.
    split : SplitHits
        From :func:`split_hits`.
    week : Week
        The report week.
    before : sequence of dict, optional
        The same list of last week's report, which knows the last hit before this week; None
        without a report.

    Returns
    -------
    list of dict
        The entry, with ``suppression_id``, ``status`` (``active`` or ``expired`` by the end of
        the week), ``is_new`` (last week's report did not have it, or without one it was written
        in the week or later), ``hits_count`` of this week and ``last_hit_at`` (ISO 8601 UTC, or
        None).
    """
    earlier = {row["suppression_id"]: row["last_hit_at"] for row in before or ()}
    monday = week.start_at.tz_convert(week.zone).date()
    rows = []
    for entry in suppressions:
        number = entry.suppression_id
        hits = [hit for hit, by in split.suppressed if by == number]
        last = format_utc(max(hit.end_at for hit in hits)) if hits else earlier.get(number)
        expired = entry.ends_at(week.zone) < week.end_at
        rows.append(
            json.loads(entry.model_dump_json())
            | {
                "suppression_id": number,
                "status": "expired" if expired else "active",
                # whoever hides something may well leave out the day, so a report knows better
                "is_new": bool(entry.created and entry.created >= monday)
                if before is None
                else number not in earlier,
                "hits_count": len(hits),
                "last_hit_at": last,
            }
        )
    return rows


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
    reasons_count : int
        How many of its reasons are covered.
    hidden : bool
        Whether none is left that would make a finding by itself.
    """
    hits = read_hits(finding)
    covered = [suppression.covers(hit) for hit in hits]
    left = any(hit.alone for hit, gone in zip(hits, covered, strict=True) if not gone)
    return sum(covered), any(covered) and not left
