"""What a delivery says, whatever carries it: the coverage first, then at most five findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from audit_analytics.buckets import load_zone
from audit_analytics.deliver.mask import Masker
from audit_analytics.language import ngettext
from audit_analytics.report.escape import inert
from audit_analytics.schema import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_FINDINGS: Final = 5
MAX_REJECTS_SHARE: Final = 0.01
"""Share of rows that could not be read above which a log is not called complete."""

_SENTENCE_LIMIT: Final = 300
_RISING: Final = (*SEVERITIES, "unknown")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One finding in a message.

    Parameters
    ----------
    severity : str
        One of ``schema.SEVERITIES``, or ``unknown``.
    sentence : str
        The finding's sentence, inert and masked unless raw ids are asked for.
    """

    severity: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is said about a week.

    Parameters
    ----------
    week : str
        ISO week, such as ``2026-W46``.
    state : {'findings', 'clean', 'incomplete', 'empty'}
        What the week is. ``clean`` says that the log is complete too.
    title : str
        In a few words.
    coverage : str
        What the log covered; it comes first.
    counts : str
        How many findings of which severity.
    lines : tuple of Line
        The first findings.
    more_count : int
        Findings that are not among the lines.
    report_name : str
        Folder and file of the report, without the folders above.
    report_url : str
        Where the report can be read; empty if that is not set.
    """

    week: str
    state: str
    title: str
    coverage: str
    counts: str
    lines: tuple[Line, ...]
    more_count: int
    report_name: str
    report_url: str

    def text(self) -> str:
        """Return the message as plain text.

        Returns
        -------
        str
            Lines, with a newline at the end.
        """
        more = [f"... and {self.more_count} more in the report"] if self.more_count else []
        return "\n".join(
            [
                self.title,
                "",
                self.coverage,
                self.counts,
                *(["", *self._numbered(), *more] if self.lines else []),
                "",
                f"Report: {self.report_url or self.report_name}",
                "",
            ]
        )

    def _numbered(self) -> list[str]:
        return [f"{n}. [{line.severity}] {line.sentence}" for n, line in enumerate(self.lines, 1)]


def build_message(
    report: dict[str, Any], *, raw_ids: bool = False, report_url: str = "", overdue: str = ""
) -> Message:
    """Say what a report found, and first of all what it covers.

    Parameters
    ----------
    report : dict
        The report dict.
    raw_ids : bool, default=False
        Whether ids and addresses are left as they are.
    report_url : str, default=''
        Address under which the folders of the weeks can be read.
    overdue : str, default=''
        A later week that is over and that the log does not cover; then nothing is called clean.

    Returns
    -------
    Message
        The message; every text of the log in it is inert.
    """
    mask: Callable[[str], str] = str if raw_ids else Masker(report)
    findings, week = report["findings"], str(report["week"]["iso"])
    state = _judge(report, overdue)
    name = f"{week}/report.html"
    lines = tuple(
        Line(
            severity=finding["severity"] if finding["severity"] in SEVERITIES else "unknown",
            sentence=inert(mask(finding["sentence"]), _SENTENCE_LIMIT),
        )
        for finding in findings[:MAX_FINDINGS]
    )
    return Message(
        week=week,
        state=state,
        title=f"OpenAPI audit log, {week}: {_name_state(report, state)}",
        coverage=_say_coverage(report, overdue),
        counts=_say_counts(report, state),
        lines=lines,
        more_count=len(findings) - len(lines),
        report_name=name,
        report_url=f"{report_url}/{name}" if report_url else "",
    )


def find_overdue(week: str, now: datetime, zone: str) -> str:
    """Return the last week that is over, if it is later than the report's.

    Parameters
    ----------
    week : str
        ISO week of the report, such as ``2026-W46``.
    now : datetime.datetime
        The time, with its zone.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    str
        ISO week; empty if the report is the newest there can be.

    Examples
    --------
    >>> from datetime import UTC
    >>> monday = datetime(2026, 11, 23, 9, tzinfo=UTC)
    >>> find_overdue("2026-W47", monday, "Asia/Shanghai")
    ''
    >>> find_overdue("2026-W45", monday, "Asia/Shanghai")
    '2026-W47'
    """
    year, number, _ = (now.astimezone(load_zone(zone)) - timedelta(days=7)).isocalendar()
    last = f"{year}-W{number:02}"
    return last if last > week else ""


def _judge(report: dict[str, Any], overdue: str) -> str:
    coverage = report["coverage"]
    if coverage["week_status"] == "empty":
        return "empty"
    if report["findings"]:
        return "findings"
    too_many_rejects = coverage["rejects_count"] > MAX_REJECTS_SHARE * coverage["rows_read_count"]
    is_whole = coverage["week_status"] == "complete" and not too_many_rejects and not overdue
    return "clean" if is_whole and report["assessed"]["apps_count"] else "incomplete"


def _name_state(report: dict[str, Any], state: str) -> str:
    missing = "" if report["coverage"]["week_status"] == "complete" else ", data incomplete"
    return {
        "findings": ngettext("{n} finding", "{n} findings", len(report["findings"])) + missing,
        "clean": "clean, the log is complete",
        "incomplete": "data incomplete",
        "empty": "no data",
    }[state]


def _say_coverage(report: dict[str, Any], overdue: str) -> str:
    coverage, assessed = report["coverage"], report["assessed"]["apps_count"]
    hours, covered = coverage["hours_expected_count"], coverage["hours_covered_count"]
    rejects = coverage["rejects_count"]
    parts = []
    if coverage["week_status"] == "empty":
        parts.append("DATA INCOMPLETE: the log holds no event of this week.")
    elif coverage["week_status"] != "complete":
        parts.append(
            f"DATA INCOMPLETE: {hours - covered} of {hours} hours are missing from the log; "
            "what happened in them is not known."
        )
    else:
        parts.append(
            f"Log complete: {covered} of {hours} hours, "
            f"{ngettext('{n} call', '{n} calls', coverage['week_events_count'])}, {ngettext('{n} app', '{n} apps', assessed)} assessed."
        )
    if overdue:
        parts.append(f"{overdue} is over too, and the log does not cover it: is it still fetched?")
    if not assessed:
        parts.append("No app has enough history to be compared with its past.")
    if rejects:
        parts.append(f"{ngettext('{n} row', '{n} rows', rejects)} of the log could not be read.")
    return " ".join(parts)


def _say_counts(report: dict[str, Any], state: str) -> str:
    counted = Counter(finding["severity"] for finding in report["findings"])
    if not counted:
        return {
            "clean": "Nothing stood out.",
            "empty": "Nothing can be said about this week.",
        }.get(state, "Nothing stood out in what the log covers, which is not all of the week.")
    each = ", ".join(f"{counted[name]} {name}" for name in reversed(_RISING) if counted[name])
    return f"{ngettext('{n} finding', '{n} findings', len(report['findings']))}: {each}."
