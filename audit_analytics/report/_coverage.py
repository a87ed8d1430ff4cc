"""What the log covered, who was assessed, and the verdict that follows."""

from collections.abc import Collection
from typing import Any, Final

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.catalogue import Usage, propose_rating
from audit_analytics.dates.buckets import find_runs, format_local, format_utc
from audit_analytics.detect import MIN_HISTORY_DAYS
from audit_analytics.language import _, join_sentences, mark, ngettext, say_number
from audit_analytics.report._inputs import ReportInput, in_week
from audit_analytics.report._names import count_severities
from audit_analytics.report._wording import MAX_REJECTS_SHARE, share_of

MAX_LISTED: Final = 50
MAX_REASONS: Final = 20


def build_coverage(data: ReportInput) -> dict[str, Any]:
    """Say what was read, what the log covers and where it has gaps."""
    grid, zone = data.detection.panel.grid, data.week.zone
    asked, gap = data.asked_hours, grid.gap & data.past_hours
    gaps = [
        {
            "start_at": format_utc(start),
            "end_at": format_utc(end),
            "start_local": format_local(start, zone),
            "end_local": format_local(end, zone),
            "hours_count": length,
        }
        for first, length in find_runs(np.flatnonzero(gap))
        for start, end in [(grid.hours[first], grid.ends[first + length - 1])]
    ]
    week = in_week(data, data.calls.by_api)
    status = "empty" if week.empty else "gaps" if gap[asked].any() else "complete"
    if status == "complete" and _is_unread(data.ingest):
        status = "unread"
    unknown = list_unknown_apis(week)
    ratings = {row.api: propose_rating(row.api) for row in unknown}
    first_at, last_at = data.calls.by_api["first_at"].min(), data.calls.by_api["last_at"].max()
    calls_count = int(week["calls_count"].sum())
    history = max(data.week.start_at - first_at, pd.Timedelta(0)) / pd.Timedelta(days=1)
    return {
        "rows_read_count": data.ingest["rows_read"],
        "duplicates_count": data.ingest["duplicates"],
        "conflicting_duplicates_count": data.ingest.get("conflicting_duplicates", 0),
        "rejects_count": data.ingest["rejects"],
        "events_count": data.ingest["events"],
        "reject_reasons": _count_reasons(data.reject_reasons),
        "week_events_count": calls_count,
        "first_at": format_utc(first_at),
        "last_at": format_utc(last_at),
        "history_days": round(float(history), 1),
        "hours_expected_count": int(asked.sum()),
        "hours_covered_count": int((~gap[asked]).sum()),
        "gaps": gaps,
        "week_status": status,
        "unknown_apis": [
            {
                "api": row.api,
                "calls_count": row.calls,
                "apps_count": row.apps,
                "category": ratings[row.api][0],
                "severity": ratings[row.api][1],
            }
            for row in unknown[:MAX_LISTED]
        ],
        "unknown_apis_count": len(unknown),
        "unknown_calls_share": share_of(sum(row.calls for row in unknown), calls_count),
        "unknown_sensitive_count": sum(s in schema.SENSITIVE for _category, s in ratings.values()),
        "unknown_outcome_share": share_of(week["unknown_count"].sum(), calls_count),
    }


def list_unknown_apis(by_api: pd.DataFrame) -> list[Usage]:
    """List the APIs outside the catalogue that answered at all, the most called first.

    Parameters
    ----------
    by_api : pandas.DataFrame
        Table :data:`audit_analytics.schema.CALLS_BY_API`.

    Returns
    -------
    list of Usage
        A route nobody ever got anything else than "not found" from is none.
    """
    rows = by_api[by_api["category"] == "unknown"]
    found = rows.groupby(rows["api"].astype("str")).agg(
        calls=("calls_count", "sum"), apps=("app_id", "nunique"), missing=("not_found_count", "sum")
    )
    found = found[found["calls"] > found["missing"]].reset_index()
    found = found.sort_values(["calls", "api"], ascending=[False, True])
    return [Usage(str(r.api), int(r.calls), int(r.apps)) for r in found.itertuples()]


def build_calendar(data: ReportInput) -> dict[str, Any]:
    """Say which days of history and week were exceptions from the working week."""
    hours = data.detection.panel.grid.hours.tz_convert(data.week.zone)
    first, last = hours[0].date(), hours[-1].date()
    off, worked = (
        sorted(day for day in days if first <= day <= last and (day.weekday() < 5) == is_off)
        for days, is_off in ((data.days_off.holidays, True), (data.days_off.working_days, False))
    )
    inferred = data.days_off.inferred
    sentences = (
        (set(off) - inferred, mark("Weekdays taken as days off: {days}.")),
        (set(worked) - inferred, mark("Weekend days taken as worked: {days}.")),
        (
            set(off) & inferred,
            mark("Judged as days off, as nearly every app was as quiet as on a weekend: {days}."),
        ),
        (
            set(worked) & inferred,
            mark("Judged as worked, as nearly every app was as busy as on a weekday: {days}."),
        ),
    )
    texts = [
        _(sentence, days=_(", ").join(f"{day}" for day in sorted(days)))
        for days, sentence in sentences
        if days
    ]
    texts += [
        _("The calendar does not know yet which weekend days of {year} are worked.", year=year)
        for year in data.days_off.unpublished
        if first.year <= year <= last.year
    ]
    return {
        "days_off": [f"{day}" for day in off],
        "working_days": [f"{day}" for day in worked],
        "inferred": [f"{day}" for day in sorted({*off, *worked} & inferred)],
        "text": join_sentences(texts),
    }


def _is_unread(ingest: dict[str, int]) -> bool:
    """Tell whether too much of a log could not be read: in which week that was nobody can tell.

    >>> _is_unread({"rows_read": 1000, "rejects": 10}), _is_unread({"rows_read": 9, "rejects": 1})
    (False, True)
    >>> _is_unread({"rows_read": 1000, "rejects": 1, "unread_parts": 1})
    True
    """
    too_many = ingest["rejects"] > MAX_REJECTS_SHARE * ingest["rows_read"]
    return too_many or ingest.get("unread_parts", 0) > 0


def build_assessed(data: ReportInput) -> dict[str, Any]:
    """Say who was judged, and who was not and why."""
    panel = data.detection.panel
    week = in_week(data, data.calls.by_api)
    calls = week.groupby(week["app_id"].astype("str"))["calls_count"].sum()
    days = pd.Series(panel.history_days(0), index=panel.apps)
    # most of a flood is left out of the panel, and is not worth a row each
    left_out = calls.drop(panel.apps[data.detection.judged], errors="ignore").reset_index()
    ranked = left_out.sort_values(["calls_count", "app_id"], ascending=[False, True])
    shown = ranked.head(MAX_LISTED)
    rows = data.calls.by_api[data.calls.by_api["app_id"].isin(shown["app_id"])]
    first = rows.groupby(rows["app_id"].astype("str"))["first_at"].min()
    own = data.settings.own_apps()
    return {
        "apps_count": int(data.detection.judged.sum()),
        "ips_count": int(data.detection.ip_days["ip"].nunique()),
        "not_assessed": [
            {
                "entity_type": "app",
                "entity": app,
                "reason": _say_why(app, days, own),
                "calls_count": int(count),
                "first_seen_at": format_utc(first[app]),
            }
            for app, count in shown.itertuples(index=False)
        ],
        "not_assessed_count": len(left_out),
    }


def _count_reasons(reasons: dict[str, int]) -> dict[str, int]:
    """Return the most frequent reasons; who writes the log also writes how many there are."""
    ranked = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    others = sum(count for _reason, count in ranked[MAX_REASONS:])
    return dict(sorted(ranked[:MAX_REASONS])) | ({_("other reasons"): others} if others else {})


def _say_why(app: str, history_days: pd.Series, own: Collection[str]) -> str:
    if not app:
        return _("calls without an app id")
    if app in own:
        return _("this tool's own app")
    if app not in history_days.index:
        return _("too few calls, or on too few days, to be compared with anything")
    days = int(history_days[app])
    if days < MIN_HISTORY_DAYS:
        return _(
            "{days} days of history, {needed} are needed",
            days=say_number(days),
            needed=say_number(MIN_HISTORY_DAYS),
        )
    return _(
        "{days} days of history, but no second week to compare weeks with", days=say_number(days)
    )


def say_verdict(data: ReportInput, coverage: dict[str, Any]) -> str:
    """Say the outcome of the week in a sentence or two; one without data is never called quiet."""
    if coverage["week_status"] == "empty":
        return _("No data: the log holds no event of this week, so nothing can be said about it.")
    total = coverage["hours_expected_count"]
    hours = total - coverage["hours_covered_count"]
    if data.findings:
        sentences = [
            ngettext(
                "{n} finding ({counts}): {sentence}",
                "{n} findings ({counts}). Look at this one first: {sentence}",
                len(data.findings),
                counts=count_severities([finding.severity for finding in data.findings]),
                sentence=_say_first(data),
            )
        ]
    else:
        apps = int(data.detection.judged.sum())
        text = ngettext(
            "Nothing stood out in the {n} app that was assessed.",
            "Nothing stood out in the {n} apps that were assessed.",
            apps,
        )
        sentences = [text if apps else _("No app could be assessed, and no rule found anything.")]
    if hours:
        values = {"hours": say_number(hours), "total": say_number(total)}
        sentences.append(_("{hours} of {total} hours are missing from the log.", **values))
    if _is_unread(data.ingest):
        sentences.append(
            ngettext(
                "Part of the log could not be read: {n} row at least.",
                "Part of the log could not be read: {n} rows at least.",
                coverage["rejects_count"],
            )
        )
    if not data.detection.assessed.any():
        sentences.append(
            _("The log is young: the apps were compared with each other and with their few days.")
            if data.detection.judged.any()
            else _("No app has enough history to be compared with its past: only rules applied.")
        )
    return join_sentences(sentences)


def _say_first(data: ReportInput) -> str:
    """Say the first finding, or the story that it is a part of."""
    first = data.findings[0]
    told = [story.sentence for story in data.stories if first.finding_id in story.finding_ids]
    return str((told or [first.reasons[0]["text"]])[0])
