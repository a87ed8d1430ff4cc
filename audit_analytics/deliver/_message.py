"""What a delivery says: the coverage, then at most five findings; and the card of it.

Whatever the log wrote stands in ``plain_text``, which Feishu does not read as markup, and is made
inert before that; ``lark_md`` holds our own words only.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from audit_analytics.dates.buckets import load_zone
from audit_analytics.deliver._mask import Masker
from audit_analytics.language import _, join_sentences, ngettext, say_number, use_language
from audit_analytics.report import MAX_REJECTS_SHARE, SHAPES, count_severities, inert, say_code
from audit_analytics.schema import SEVERITIES

MAX_FINDINGS: Final = 5
_SENTENCE_LIMIT: Final = 300


@dataclass(frozen=True, kw_only=True)
class Line:
    """One finding in a message, or one story with its findings."""

    severity: str  # one of ``schema.SEVERITIES``, or ``unknown``
    sentence: str  # the finding's sentence, inert and masked unless raw ids are asked for
    findings_count: int = 1  # more than one where it is a story


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is said about a week."""

    week: str
    state: str  # findings, clean (then the log is complete too), incomplete or empty
    title: str
    coverage: str  # what the log covered; it comes first
    counts: str  # how many findings of which severity
    lines: tuple[Line, ...]  # the first findings
    more_count: int  # findings that are not among the lines
    report_name: str  # folder and file of the report, without the folders above
    report_url: str  # where the report can be read; empty if that is not set
    lang: str = "en"  # the report's language, which the message speaks

    def say_more(self) -> str:
        """Say how many findings are not among the lines; empty if there is none."""
        if not self.more_count:
            return ""
        with use_language(self.lang):
            return _("... and {count} more in the report", count=say_number(self.more_count))

    def say_where(self) -> str:
        """Say where the report is."""
        with use_language(self.lang):
            return _("Report: {where}", where=self.report_url or self.report_name)

    def text(self) -> str:
        """Return the message as plain text."""
        more = [self.say_more()] if self.more_count else []
        return "\n".join(
            [
                self.title,
                "",
                self.coverage,
                self.counts,
                *(["", *self._numbered(), *more] if self.lines else []),
                "",
                self.say_where(),
                "",
            ]
        )

    def _numbered(self) -> list[str]:
        with use_language(self.lang):
            return [
                _(
                    "{n}. [{severity}] {sentence}",
                    n=n,
                    severity=say_code(line.severity),
                    sentence=line.sentence,
                )
                for n, line in enumerate(self.lines, 1)
            ]


def build_message(
    report: dict[str, Any], *, raw_ids: bool = False, report_url: str = "", overdue: str = ""
) -> Message:
    """Say what a report found, and first what it covers, in its language; texts of the log are inert.

    `overdue` names a later week that the log does not cover; then nothing is called clean.
    """
    with use_language(report["lang"]):
        return _build(report, raw_ids=raw_ids, report_url=report_url, overdue=overdue)


def _build(report: dict[str, Any], *, raw_ids: bool, report_url: str, overdue: str) -> Message:
    mask: Callable[[str], str] = str if raw_ids else Masker(report)
    week = str(report["week"]["iso"])
    state = _judge(report, overdue)
    name = f"{week}/report.html"
    told = _list_told(report)
    lines = tuple(
        Line(
            severity=row["severity"] if row["severity"] in SEVERITIES else "unknown",
            sentence=inert(_add_owner(mask(row["sentence"]), row, raw_ids), _SENTENCE_LIMIT),
            findings_count=len(row.get("finding_ids", [""])),
        )
        for row in told[:MAX_FINDINGS]
    )
    return Message(
        week=week,
        state=state,
        title=_("OpenAPI audit log, {week}: {state}", week=week, state=_name_state(report, state)),
        coverage=_say_coverage(report, overdue),
        counts=_say_counts(report, state),
        lines=lines,
        more_count=len(report["findings"]) - sum(line.findings_count for line in lines),
        report_name=name,
        report_url=f"{report_url}/{name}" if report_url else "",
        lang=report["lang"],
    )


def _list_told(report: dict[str, Any]) -> list[dict[str, Any]]:
    """List stories and what is in none, by rank: a story is one line, its findings within."""
    stories = report.get("stories", [])
    within = {name for story in stories for name in story["finding_ids"][1:]}
    begins = {
        story["finding_ids"][0]: story | {"sentence": f"{story['title']}: {story['sentence']}"}
        for story in stories
    }
    return [
        begins.get(row.get("finding_id"), row)
        for row in report["findings"]
        if row.get("finding_id") not in within
    ]


def _add_owner(sentence: str, finding: dict[str, Any], raw_ids: bool) -> str:  # noqa: FBT001
    who = ", ".join(filter(None, [finding.get("owner"), finding.get("contact")]))
    # masked, it would tell nobody whom to ask
    return (
        _("{sentence} Owner: {who}.", sentence=sentence, who=who) if who and raw_ids else sentence
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
    year, number, _day = (now.astimezone(load_zone(zone)) - timedelta(days=7)).isocalendar()
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
    count = len(report["findings"])
    if state == "findings" and report["coverage"]["week_status"] == "complete":
        return ngettext("{n} finding", "{n} findings", count)
    if state == "findings":
        return ngettext("{n} finding, data incomplete", "{n} findings, data incomplete", count)
    return {
        "clean": _("clean, the log is complete"),
        "incomplete": _("data incomplete"),
        "empty": _("no data"),
    }[state]


def _say_coverage(report: dict[str, Any], overdue: str) -> str:
    coverage, assessed = report["coverage"], report["assessed"]["apps_count"]
    hours, covered = coverage["hours_expected_count"], coverage["hours_covered_count"]
    rejects = coverage["rejects_count"]
    parts = []
    if coverage["week_status"] == "empty":
        parts.append(_("DATA INCOMPLETE: the log holds no event of this week."))
    elif coverage["week_status"] == "unread":
        parts.append(
            _("DATA INCOMPLETE: part of the log could not be read; what it holds is not known.")
        )
    elif coverage["week_status"] != "complete":
        text = _(
            "DATA INCOMPLETE: {missing} of {hours} hours are missing from the log; what happened "
            "in them is not known.",
            missing=say_number(hours - covered),
            hours=say_number(hours),
        )
        parts.append(text)
    else:
        text = _(
            "Log complete: {covered} of {hours} hours, {calls}, {apps} assessed.",
            covered=say_number(covered),
            hours=say_number(hours),
            calls=ngettext("{n} call", "{n} calls", coverage["week_events_count"]),
            apps=ngettext("{n} app", "{n} apps", assessed),
        )
        parts.append(text)
    if overdue:
        text = _(
            "{week} is over too, and the log does not cover it: is it still fetched?", week=overdue
        )
        parts.append(text)
    if not assessed:
        parts.append(_("No app has enough history to be compared with its past."))
    if rejects:
        text = ngettext(
            "{n} row of the log could not be read.",
            "{n} rows of the log could not be read.",
            rejects,
        )
        parts.append(text)
    return join_sentences(parts)


def _say_counts(report: dict[str, Any], state: str) -> str:
    if not report["findings"]:
        texts = {
            "clean": _("Nothing stood out."),
            "empty": _("Nothing can be said about this week."),
        }
        if state in texts:
            return texts[state]
        return _("Nothing stood out in what the log covers, which is not all of the week.")
    severities = [finding["severity"] for finding in report["findings"]]
    return ngettext(
        "{n} finding: {counts}.",
        "{n} findings: {counts}.",
        len(severities),
        counts=count_severities(severities),
    )


CARD_BYTES_MAX: Final = 19 * 1024
"""A custom bot takes 20 KB; the rest is left for timestamp, signature and frame."""

_COLOURS: Final = {"critical": "red", "high": "red", "medium": "orange", "low": "yellow"}


def build_card(message: Message) -> dict[str, Any]:
    """Lay a message out as an interactive card of at most 19 KiB, without the findings beyond.

    >>> from audit_analytics.deliver._message import Message
    >>> card = build_card(
    ...     Message(
    ...         week="2026-W46",
    ...         state="clean",
    ...         title="2026-W46: clean, the log is complete",
    ...         coverage="Log complete: 168 of 168 hours.",
    ...         counts="Nothing stood out.",
    ...         lines=(),
    ...         more_count=0,
    ...         report_name="2026-W46/report.html",
    ...         report_url="",
    ...     )
    ... )
    >>> card["header"]["template"], card["elements"][0]["text"]["content"]
    ('green', 'Log complete: 168 of 168 hours.')
    """
    with use_language(message.lang):
        return _fit(message)


def _fit(message: Message) -> dict[str, Any]:
    card = _lay_out(message)
    while message.lines and len(json.dumps(card).encode()) > CARD_BYTES_MAX:
        *lines, last = message.lines
        more = message.more_count + last.findings_count
        message = replace(message, lines=tuple(lines), more_count=more)
        card = _lay_out(message)
    return card


def _lay_out(message: Message) -> dict[str, Any]:
    elements = [
        _plain(message.coverage),
        _plain(message.counts),
        *(part for line in message.lines for part in _show(line)),
    ]
    if message.more_count:
        elements.append(_plain(message.say_more()))
    elements.append({"tag": "hr"})
    if message.report_url:
        button = {
            "tag": "button",
            "text": {"tag": "plain_text", "content": _("Open the report")},
            "type": "default",
            "url": message.report_url,
        }
        elements.append({"tag": "action", "actions": [button]})
    else:
        elements.append(_plain(message.say_where()))
    return {
        "config": {"wide_screen_mode": True},
        "header": {
            "template": _choose_colour(message),
            "title": {"tag": "plain_text", "content": message.title},
        },
        "elements": elements,
    }


def _show(line: Line) -> list[dict[str, Any]]:
    label = f"{SHAPES[line.severity]} **{say_code(line.severity).upper()}**"
    return [
        {"tag": "hr"},
        {"tag": "div", "text": {"tag": "lark_md", "content": label}},
        _plain(line.sentence),
    ]


def _plain(text: str) -> dict[str, Any]:
    return {"tag": "div", "text": {"tag": "plain_text", "content": text}}


def _choose_colour(message: Message) -> str:
    if message.state == "clean":
        return "green"
    if message.state != "findings":
        return "purple"
    # findings come the most severe first
    return _COLOURS.get(message.lines[0].severity, "grey") if message.lines else "grey"
