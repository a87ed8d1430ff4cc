"""Tell findings in lists on a terminal, and what to know beside them.

Every text that may come from the log is escaped when it is put into a line.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from audit_analytics.language import _, ngettext
from audit_analytics.report import _wording as wording
from audit_analytics.report._escape import NAME_LIMIT, fill, pad, terminal, wrap
from audit_analytics.report._names import DECISIONS, say_code
from audit_analytics.review import name_stories

INDENT: Final = 31
"""Columns of rank, id and severity."""


def list_finding(
    finding: Mapping[str, Any],
    width: int | None = None,
    colour: Callable[[str, str], str] | None = None,
) -> str:
    """Tell a finding in a list: rank, id, severity, marks and sentence; as :func:`list_findings`."""
    paint = colour or (lambda text, _code: text)
    severity = str(finding["severity"])
    marks = [paint(_("NEW"), "new")] if finding["status"] == "new" else []
    if finding["verdict"]:
        decision = DECISIONS[finding["verdict"]["verdict"]]
        marks.append(_(decision).upper())
    # ids are of hexadecimal digits, unless somebody wrote the file by hand
    name = terminal(str(finding["finding_id"]), NAME_LIMIT)
    head = f"{finding['rank']:>3}  {name}  {paint(pad(say_code(severity), 8), severity)}  "
    text = " ".join([*marks, terminal(finding["sentence"])])
    if width is None:
        return head + text
    indent = " " * INDENT
    return head + fill(text, max(width, 2 * INDENT), indent=indent, following=indent).lstrip()


def list_findings(
    report: Mapping[str, Any],
    width: int | None = None,
    colour: Callable[[str, str], str] | None = None,
) -> list[str]:
    """Tell the findings of a report, a line before those of a story.

    Parameters
    ----------
    report : mapping of str to Any
        The report dict.
    width : int, optional
        Columns to break at; none if not given.
    colour : callable, optional
        ``colour(text, code)`` marks a text for a severity or for ``new``.

    Returns
    -------
    list of str
        One entry a story and a finding, by rank.
    """
    untold = {story["story_id"]: story for story in report.get("stories", [])}
    lines = []
    for finding in name_stories(report):
        if story := untold.pop(finding["story_id"], None):
            last = story["rank"] + len(story["finding_ids"]) - 1
            row = {"finding_id": story["story_id"], "rank": "", "verdict": None}
            told = _(
                "{first} to {last} are one story: {text}",
                first=story["rank"],
                last=last,
                text=story["sentence"],
            )
            lines.append(list_finding(story | row | {"sentence": told}, width, colour))
        lines.append(list_finding(finding, width, colour))
    return lines


def tell_watched(row: Mapping[str, Any]) -> str:
    """Tell an entry of the watch list.

    Parameters
    ----------
    row : mapping of str to Any
        As it stands in findings.json.

    Returns
    -------
    str
        Entity, its weeks, whether it rose, and what was unusual; safe for a terminal.
    """
    weeks = _(", ").join(
        _("{week}: {text}", week=week["week"], text=wording.chance(week["p"]))
        for week in row["weeks"]
    )
    mark = [_("rose this week")] if row["rose"] else []
    parts = [terminal(str(row["entity"]), NAME_LIMIT), *mark, terminal(weeks)]
    return "\n".join(["  ".join(parts), wrap(row["text"], indent="    ")])


def tell_replay(
    entry: Mapping[str, Any], found: Sequence[tuple[str, Mapping[str, Any], int, bool]]
) -> str:
    """Say what a suppression would have hidden.

    Parameters
    ----------
    entry : mapping of str to Any
        The suppression's fields and its ``suppression_id``.
    found : sequence of (str, mapping, int, bool)
        ISO week, finding, how many of its reasons are covered, and whether it would be hidden.

    Returns
    -------
    str
        The suppression, one paragraph a finding, and how many would have been hidden.
    """
    named = [entry["entity"], *entry["detectors"], *entry["apis"], *entry["networks"]]
    head = _(
        "{suppression_id} ({scope}), until {expires}: {reason}",
        suppression_id=entry["suppression_id"],
        scope=_(", ").join(name for name in named if name),
        expires=entry["expires"],
        reason=entry["reason"],
    )
    lines = [wrap(head)]
    for week, finding, count, hidden in found:
        values = {
            "week": week,
            "finding_id": finding["finding_id"],
            "severity": say_code(finding["severity"]),
            "sentence": finding["sentence"],
            "count": count,
            "all": len(finding["reasons"]),
        }
        if hidden:
            text = _("{week}  {finding_id}  {severity}  hidden: {sentence}", **values)
        else:
            text = _(
                "{week}  {finding_id}  {severity}  stays without {count} of its {all} reasons: "
                "{sentence}",
                **values,
            )
        lines.append(wrap(text, indent="  ", following="    "))
    total = sum(hidden for *_rest, hidden in found)
    lines.append(
        "  " + ngettext("would have hidden {n} finding", "would have hidden {n} findings", total)
    )
    return "\n".join(lines)


def say_notes(data: Mapping[str, Any]) -> list[str]:
    """Say what to know beside the findings; log content is not escaped."""
    notes = [data["compared_with"]["text"], data["inventory"]["text"]]
    notes += [data["origins"]["text"]] if data["origins"] else []
    shown = {finding["finding_id"] for finding in data["findings"]}
    in_part = sum(finding["finding_id"] in shown for finding in data["suppressed"])
    resolved, suppressed = len(data["resolved"]), len(data["suppressed"]) - in_part
    if resolved:
        text = ngettext(
            "{n} finding of {week} is resolved.",
            "{n} findings of {week} are resolved.",
            resolved,
            week=data["compared_with"]["week"],
        )
        notes.append(text)
    if suppressed:
        notes.append(
            ngettext("{n} finding is suppressed.", "{n} findings are suppressed.", suppressed)
        )
    if in_part:
        notes.append(
            ngettext(
                "{n} finding is suppressed in part.",
                "{n} findings are suppressed in part.",
                in_part,
            )
        )
    notes += [
        _(
            "The suppression {suppression_id} is new, {owner} wrote it and it lasts until {day}: "
            "{reason}",
            suppression_id=entry["suppression_id"],
            owner=entry["owner"],
            day=entry["expires"],
            reason=entry["reason"],
        )
        for entry in data["suppressions"]
        if entry.get("is_new")
    ]
    notes += [
        _(
            "The suppression {suppression_id} expired on {day} and covers nothing since: {reason}",
            suppression_id=entry["suppression_id"],
            day=entry["expires"],
            reason=entry["reason"],
        )
        for entry in data["suppressions"]
        if entry["status"] == "expired"
    ]
    return notes
