"""What becomes of findings from week to week: new, continuing since, resolved, suppressed.

A finding goes on as long as its entity has one that shares anything with the week before (see
:mod:`audit_analytics.findings._ranking`). Without a report of the week before nothing is called
new: it might have been there all along.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from audit_analytics.dates.buckets import format_utc
from audit_analytics.dates.weeks import Week
from audit_analytics.findings._finding import Finding
from audit_analytics.findings._ranking import list_threads
from audit_analytics.review import (
    IndexedCalls,
    PastReports,
    Review,
    SplitHits,
    Suppression,
    Verdict,
    index_calls,
    read_scope,
    shift_scope,
)


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """What becomes of findings from week to week.

    Parameters
    ----------
    findings, suppressed : list of Finding
        This week's, each placed against the week before, and what suppressions took out.
    resolved, still_open : list of dict
        Last week's findings that are gone and nobody confirmed; what was confirmed and is not closed.
    promise : dict
        What the reports of the weeks before promised, and what verdicts made of it.
    suppressions : list of dict
        What each suppression did.
    compared_with : dict
        Which report it was compared with: ``week``, ``status`` and ``text``.
    """

    findings: list[Finding]
    suppressed: list[Finding] = field(default_factory=list)
    resolved: list[dict[str, Any]] = field(default_factory=list)
    still_open: list[dict[str, Any]] = field(default_factory=list)
    promise: dict[str, Any] = field(default_factory=dict)
    suppressions: list[dict[str, Any]] = field(default_factory=list)
    compared_with: dict[str, Any] = field(default_factory=dict)


def follow_up(
    review: Review,
    findings: Sequence[Finding],
    suppressed: Sequence[Finding],
    split: SplitHits,
    *,
    by_api: pd.DataFrame,
    by_ip: pd.DataFrame,
    week: Week,
    weeks: int,
) -> FollowUp:
    """Say what became of last week's findings, and since when this week's are there.

    Parameters
    ----------
    review : Review
        What people decided, and what earlier reports say.
    findings, suppressed : sequence of Finding
        What is reported, and what suppressions took out.
    split : SplitHits
        The hits behind both.
    by_api, by_ip : pandas.DataFrame
        The hourly rollup of the whole log, ordered by ``bucket_at``.
    week : Week
        The report week.
    weeks : int
        Weeks of history.

    Returns
    -------
    FollowUp
        A week without a single call resolves nothing, nor does a part of one.
    """
    past = review.past
    by: dict[tuple[str, str], set[str]] = {}
    for hit, number in split.suppressed:
        by.setdefault((hit.entity_type, hit.entity), set()).add(number)
    calls = tuple(index_calls(table, zone=week.zone) for table in (by_api, by_ip))

    def complete(found: Sequence[Finding]) -> list[Finding]:
        placed = _place_findings(found, past, week=week, verdicts=review.verdicts)
        return [
            replace(
                finding,
                past_weeks=_count_past_weeks(finding, *calls, week=week, weeks=weeks),
                suppressed_by=sorted(by.get((finding.entity_type, finding.entity), ())),
            )
            for finding in placed
        ]

    first, last = by_api["bucket_at"].searchsorted([week.start_at, week.end_at])
    before = past.last["suppressions"] if past.last else None
    return FollowUp(
        findings=complete(findings),
        suppressed=[replace(f, status="suppressed") for f in complete(suppressed)],
        resolved=(
            _list_resolved(past, findings, suppressed, review.verdicts)
            if first < last and week.since_at is None
            else []
        ),
        still_open=[
            {"finding_id": v.finding, "week": v.week, "entity_type": v.entity_type}
            | {"entity": v.entity, "verdict": v.told}
            for v in sorted(review.verdicts.values(), key=lambda v: (v.week, v.finding))
            if v.verdict == "true" and v.week < week.iso
        ],
        promise=_count_promise(past, review.verdicts),
        suppressions=tell_suppressions(review.suppressions, split, week=week, before=before),
        compared_with=past.compared_with,
    )


def _count_promise(past: PastReports, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Count what was promised of the weeks told, and what verdicts made of it."""
    decided = [verdicts[name].verdict if name in verdicts else "" for name in past.told]
    harmless, undecided = decided.count("benign"), decided.count("")
    return {
        "weeks": len(past.budgets),
        "promised": sum(past.budgets),
        "told_count": len(decided),
        "confirmed_count": len(decided) - harmless - undecided,
        "harmless_count": harmless,
        "undecided_count": undecided,
    }


def tell_suppressions(
    suppressions: Sequence[Suppression],
    split: SplitHits,
    *,
    week: Week,
    before: Sequence[dict[str, Any]] | None,
) -> list[dict[str, Any]]:
    """Say of each suppression what it did this week, with what last week's report had `before`."""
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


def _place_findings(
    findings: Sequence[Finding], past: PastReports, *, week: Week, verdicts: Mapping[str, Verdict]
) -> list[Finding]:
    """Say of each finding whether it is new, since when it goes on, and what was decided."""
    by_entity: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in past.findings:
        by_entity.setdefault((row["entity_type"], row["entity"]), []).insert(0, row)
    placed = []
    for finding in findings:
        rows = by_entity.get((finding.entity_type, finding.entity), [])
        threads = list_threads(finding.reasons, finding.untold)
        before = next(
            (row for row in rows if threads & list_threads(row["reasons"], row["untold"])), None
        )
        status, since = tell_status(before, past, week)
        last = before or next(iter(rows), None)
        verdict = verdicts.get(finding.finding_id)
        placed.append(
            replace(
                finding,
                key=before["key"] if before else finding.key,
                status=status,
                since_week=since,
                previous=_sum_up(last, past.week, verdicts) if last else None,
                verdict=verdict.told if verdict else None,
            )
        )
    return placed


def _list_resolved(
    past: PastReports,
    findings: Sequence[Finding],
    suppressed: Sequence[Finding],
    verdicts: Mapping[str, Verdict],
) -> list[dict[str, Any]]:
    """List last week's findings, by rank, that nobody confirmed and whose entity has none now."""
    still = {(finding.entity_type, finding.entity) for finding in (*findings, *suppressed)}
    gone = [
        row
        for row in past.findings
        if row["status"] != "suppressed"
        and (row["entity_type"], row["entity"]) not in still
        # what was confirmed is open until somebody closes it, whether it recurs or not
        and not (row["finding_id"] in verdicts and verdicts[row["finding_id"]].verdict == "true")
    ]
    keep = ("key", "entity_type", "entity", "since_week")
    return [_sum_up(row, past.week, verdicts) | {name: row[name] for name in keep} for row in gone]


def _sum_up(row: Mapping[str, Any], week: str, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    names = ("finding_id", "kind", "title", "severity", "rank", "sentence")
    verdict = verdicts.get(row["finding_id"])
    return {name: row[name] for name in names} | {
        "week": week,
        "suppressed": row["status"] == "suppressed",
        "verdict": verdict.told if verdict else None,
    }


def _count_past_weeks(
    finding: Finding, by_api: IndexedCalls, by_ip: IndexedCalls, *, week: Week, weeks: int
) -> list[dict[str, Any]]:
    """Count the calls of a finding's first reason week by week; None before the log begins."""
    now = read_scope(finding.reasons[0])
    table = by_ip if {"ip", "network"} & now.where.keys() else by_api
    begin = pd.Timestamp(table.hours[0], unit="us", tz="UTC")
    rows = []
    for back in range(weeks, -1, -1):
        scope = shift_scope(now, week, -back)
        known = scope.start_at >= begin
        count = table.count(scope) if known else None
        rows.append({"week": week.shifted(-back).iso, "calls_count": count})
    return rows


def tell_status(
    before: Mapping[str, Any] | None, past: PastReports, week: Week
) -> tuple[str, str | None]:
    """Tell whether something goes on, and since which week: new, continuing, or unknown."""
    if past.status != "compared":
        return "unknown", None
    if before is None:
        return "new", week.iso
    return "continuing", before["since_week"] or past.week
