"""Earlier reports: what was found before, and which of this week's findings is new.

A finding is told apart from week to week by its entity and kind. Without a report of the week
before nothing is called new: it might have been there all along.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from audit_analytics.findings.reports import list_reports, read_report
from audit_analytics.findings.scope import (
    IndexedCalls,
    Scope,
    cover_reason,
    read_scope,
    shift_scope,
)
from audit_analytics.language import _

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audit_analytics.findings.finding import Finding
    from audit_analytics.findings.verdicts import Verdict
    from audit_analytics.weeks import Week


def make_key(entity_type: str, entity: str, kind: str) -> str:
    """Return what tells a finding from others, the same week after week.

    Parameters
    ----------
    entity_type, entity, kind : str
        Whom it is about, and what it is.

    Returns
    -------
    str
        ``k-`` and twelve hexadecimal digits.

    Examples
    --------
    >>> make_key("app", "cli_a1", "volume")
    'k-960b17a73190'
    """
    text = f"{entity_type}\x1f{entity}\x1f{kind}"
    return "k-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class PastReports:
    """What earlier reports say.

    Parameters
    ----------
    last : dict of str to Any or None
        The report of the week before, if there is one.
    status : str
        ``compared``, ``absent`` (no report of the week before) or ``empty`` (its log was).
    week : str
        ISO week of the week before.
    suppressed : list of Scope
        Calls of earlier findings that were suppressed.
    places : list of tuple of str, str and Scope
        Key and id of every earlier finding in which a rule names a network or an address, and
        its calls. A network that the tenant knows has no rule, and apps often move there.
    """

    last: dict[str, Any] | None
    status: str
    week: str
    suppressed: list[Scope] = field(default_factory=list)
    places: list[tuple[str, str, Scope]] = field(default_factory=list)

    def list_undecided(self, verdicts: Mapping[str, Verdict]) -> list[Scope]:
        """List the calls from new places about which nobody has decided anything.

        Were they taught, an intruder who keeps quiet would count as resolved in his second week,
        for the place is new only once.

        Parameters
        ----------
        verdicts : mapping of str to Verdict
            The last verdict on each finding, by its id.

        Returns
        -------
        list of Scope
            Calls of findings that have no verdict, in any of the weeks.
        """
        decided = {key for key, finding_id, _ in self.places if finding_id in verdicts}
        return [scope for key, _, scope in self.places if key not in decided]

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Return last week's findings, suppressed ones included.

        Returns
        -------
        list of dict
            As they stand in the report; one that was partly suppressed comes last as it was shown.
        """
        return [*self.last["suppressed"], *self.last["findings"]] if self.last else []

    def to_dict(self) -> dict[str, Any]:
        """Return what the report says about the comparison.

        Returns
        -------
        dict of str to Any
            ``week``, ``status`` and ``text``.
        """
        texts = {
            "compared": _("Compared with the report of {week}.", week=self.week),
            "absent": _(
                "There is no report of {week} to compare with: which findings are new cannot be "
                "said.",
                week=self.week,
            ),
            "empty": _(
                "The log of {week} was empty: which findings are new cannot be said.",
                week=self.week,
            ),
        }
        return {"week": self.week, "status": self.status, "text": texts[self.status]}


def read_past(previous: Path | Mapping[str, Any] | None, week: Week, *, weeks: int) -> PastReports:
    """Read the reports of the weeks before.

    Parameters
    ----------
    previous : pathlib.Path or mapping, optional
        Folder of the reports, one findings.json, or a report dict.
    week : Week
        The report week.
    weeks : int
        How many weeks back history goes.

    Returns
    -------
    PastReports
        Reports of other weeks, later ones or another zone's are not looked at.

    Raises
    ------
    InputError
        A report cannot be read, or `previous` does not exist.
    """
    names = [week.shifted(-back).iso for back in range(1, weeks + 1)]
    if previous is None:
        reports = []
    elif isinstance(previous, Path) and not previous.is_file():
        reports = [read_report(p) for p in list_reports(previous) if p.parent.name in names]
    else:
        reports = [read_report(previous) if isinstance(previous, Path) else dict(previous)]
    known = {r["week"]["iso"]: r for r in reports if r["tenant_zone"] == week.zone}
    last = known.get(names[0])
    if last is not None and last["coverage"]["week_status"] == "empty":
        last, status = None, "empty"
    else:
        status = "absent" if last is None else "compared"
    told = [
        (week.shifted(-back), known[name])
        for back, name in enumerate(names, start=1)
        if name in known
    ]
    return PastReports(
        last=last,
        status=status,
        week=names[0],
        suppressed=[
            scope
            for then, report in told
            for row in report["suppressed"]
            for scope in _cover_finding(row, then)
        ],
        places=[
            (row["key"], row["finding_id"], scope)
            for then, report in told
            for row in report["findings"]
            for scope in _cover_finding(row, then, rules_only=True)
            if {"network", "ip"} & scope.where.keys()
        ],
    )


def _cover_finding(row: Mapping[str, Any], week: Week, *, rules_only: bool = False) -> list[Scope]:
    """Return all calls of its week that belong to a finding, or to the rules among its reasons."""
    scopes = [
        cover_reason(reason, until=week.end_at)
        for reason in row["reasons"]
        if not rules_only or reason["detector"].startswith("rule:")
    ]
    return [scope for scope in scopes if scope.start_at < scope.end_at]


def place_findings(
    findings: Sequence[Finding],
    past: PastReports,
    *,
    week: Week,
    verdicts: Mapping[str, Verdict],
) -> list[Finding]:
    """Say of each finding whether it is new, since when it goes on, and what was decided.

    Parameters
    ----------
    findings : sequence of Finding
        This week's findings.
    past : PastReports
        What earlier reports say.
    week : Week
        The report week.
    verdicts : mapping of str to Verdict
        The last verdict on each finding, by its id.

    Returns
    -------
    list of Finding
        With ``status`` (``new``, ``continuing``, or ``unknown`` without a report of the week
        before), ``since_week``, ``previous`` and ``verdict``.
    """
    by_key = {row["key"]: row for row in past.findings}
    by_entity = {(row["entity_type"], row["entity"]): row for row in past.findings}
    placed = []
    for finding in findings:
        before = by_key.get(finding.key)
        if past.status != "compared":
            status, since = "unknown", None
        elif before is None:
            status, since = "new", week.iso
        else:
            status, since = "continuing", before["since_week"] or past.week
        row = before or by_entity.get((finding.entity_type, finding.entity))
        verdict = verdicts.get(finding.finding_id)
        placed.append(
            replace(
                finding,
                status=status,
                since_week=since,
                previous=_sum_up(row, past.week, verdicts) if row else None,
                verdict=verdict.to_dict() if verdict else None,
            )
        )
    return placed


def list_resolved(
    past: PastReports,
    findings: Sequence[Finding],
    suppressed: Sequence[Finding],
    verdicts: Mapping[str, Verdict],
) -> list[dict[str, Any]]:
    """List last week's findings that are no longer there.

    Parameters
    ----------
    past : PastReports
        What earlier reports say.
    findings, suppressed : sequence of Finding
        This week's findings: what is reported, and what suppressions took out.
    verdicts : mapping of str to Verdict
        The last verdict on each finding, by its id.

    Returns
    -------
    list of dict
        By their rank of last week. What was suppressed then is not listed, nor is an entity that is
        suppressed now, whatever its kind of finding: it was silenced, and did not stop.
    """
    still = {finding.key for finding in (*findings, *suppressed)}
    silenced = {(finding.entity_type, finding.entity) for finding in suppressed}
    gone = [
        row
        for row in past.findings
        if row["key"] not in still
        and row["status"] != "suppressed"
        and (row["entity_type"], row["entity"]) not in silenced
    ]
    keep = ("key", "entity_type", "entity", "since_week")
    return [_sum_up(row, past.week, verdicts) | {name: row[name] for name in keep} for row in gone]


def _sum_up(row: Mapping[str, Any], week: str, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    names = ("finding_id", "kind", "title", "severity", "rank", "sentence")
    verdict = verdicts.get(row["finding_id"])
    return {name: row[name] for name in names} | {
        "week": week,
        "suppressed": row["status"] == "suppressed",
        "verdict": verdict.to_dict() if verdict else None,
    }


def count_past_weeks(
    finding: Finding, by_api: IndexedCalls, by_ip: IndexedCalls, *, week: Week, weeks: int
) -> list[dict[str, Any]]:
    """Count the calls a finding is about, and the same ones in the weeks before.

    Parameters
    ----------
    finding : Finding
        A finding; its first reason says which calls.
    by_api, by_ip : IndexedCalls
        The hourly rollup of the whole log.
    week : Week
        The report week.
    weeks : int
        How many weeks back.

    Returns
    -------
    list of dict
        ``week`` and ``calls_count`` in the same hours of each week, the oldest first and the
        report week last; None for weeks before the log begins.
    """
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
