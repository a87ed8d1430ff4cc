"""What to know beside the findings of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit_analytics.language import _, ngettext

if TYPE_CHECKING:
    from collections.abc import Mapping


def say_notes(data: Mapping[str, Any]) -> list[str]:
    """Say what to know beside the findings; log content is not escaped.

    What the week was compared with, whether the apps are known, what is resolved or suppressed, and
    suppressions that are new or have expired.
    """
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
