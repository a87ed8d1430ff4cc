"""What a store covers: day by day, with its gaps, as plain values and as a table."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from audit_analytics.inventory import read_asked
from audit_analytics.language import _, mark, ngettext, say_number
from audit_analytics.report import measure, pad
from audit_analytics.store import ALL, Manifest, Store
from audit_analytics.sync._windows import SETTLE, Reading, Window

DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)

LEGEND: Final = mark(
    "# read   o read, no event   ~ to be read again   s sensitive only   - partly   . missing"
)
"""What the marks of an hour mean."""

_GAPS_SHOWN: Final = 10


def describe_store(
    folder: Path, now: datetime, *, since: datetime | None = None, settle: timedelta = SETTLE
) -> dict[str, Any]:
    """Describe what a store covers.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    now : datetime.datetime
        The time, in UTC.
    since : datetime.datetime, optional
        Leave out the days before.
    settle : datetime.timedelta, default 10 minutes
        How long a row takes until it shows; younger windows are to be read again.

    Returns
    -------
    dict
        JSON values: totals (``covered_share`` of a day leaves out what lies before the first window and
        after now), ``gaps`` between the first and the last window, ``damaged`` files, when the apps
        were asked for, and ``days``, each with ``hours``, a mark an hour (see :data:`LEGEND`), in UTC.

    Raises
    ------
    StoreUnusable
        There is no store, or it is empty.
    """
    store = Store(folder)
    store.check()
    stored = store.scan(since)
    windows = [
        _Read(m, Reading(Window(m.start, m.end), m.read_at).is_settled(now, settle))
        for m in stored.manifests
    ]
    gaps = _find_gaps(windows, until=now)
    counts: Counter[str] = Counter()
    for window in windows:
        counts["events_count"] += window.manifest.rows_count
        counts["rejects_count"] += window.manifest.rejects_count
        counts["unsettled_count"] += not window.is_settled
        counts["sensitive_only_count"] += window.manifest.scope != ALL
    first_at = [w.manifest.first_at for w in windows if w.manifest.first_at]
    last_at = [w.manifest.last_at for w in windows if w.manifest.last_at]
    return {
        "windows_count": len(windows),
        **{
            name: counts[name]
            for name in ("events_count", "rejects_count", "unsettled_count", "sensitive_only_count")
        },
        "size_bytes": sum(store.file_of(m).stat().st_size for m in stored.manifests),
        "covered_from": _show(windows[0].manifest.start if windows else None),
        "covered_until": _show(max((w.manifest.end for w in windows), default=None)),
        "first_event_at": _show(min(first_at, default=None)),
        "last_event_at": _show(max(last_at, default=None)),
        "gaps": [{"start": _show(gap.start), "end": _show(gap.end)} for gap in gaps],
        "gap_hours": round(sum((gap.end - gap.start) / HOUR for gap in gaps), 2),
        "damaged": stored.damaged,
        "apps_asked_at": _show(read_asked(folder)),
        "days": _describe_days(windows, now),
    }


def render_status(status: dict[str, Any]) -> str:
    """Write a description as a table.

    Parameters
    ----------
    status : dict
        From :func:`describe_store`.

    Returns
    -------
    str
        Text of several lines, in the current language.
    """
    day, events, covered, notes = pad(_("day"), 12), _("events"), _("covered"), _("notes")
    head = " " * (12 - measure(events)) + events
    ends = " " * (7 - measure(covered)) + covered
    lines = [summarise(status), "", f"{day}{head}  {'0     6     12    18':<26}{ends}  {notes}"]
    lines += [_render_day(day) for day in status["days"]]
    lines += ["", _(LEGEND)]
    if status["apps_asked_at"]:
        lines += ["", _("Apps: as of {day}", day=status["apps_asked_at"])]
    gaps = status["gaps"]
    lines += ["", say_gaps(status) if gaps else _("Gaps: none")]
    lines += ["  " + _("{start} to {end}", **gap) for gap in gaps[:_GAPS_SHOWN]]
    if len(gaps) > _GAPS_SHOWN:
        lines.append("  " + _("and {count} more", count=len(gaps) - _GAPS_SHOWN))
    if gaps or status["damaged"]:
        lines.append(_("Fetch them with: {command}", command=name_remedy(status)))
    lines += [_("Damaged: {reason}", reason=reason) for reason in status["damaged"]]
    return "\n".join(lines)


def say_gaps(status: dict[str, Any]) -> str:
    """Say how many gaps there are."""
    hours = f"{status['gap_hours']:g}"
    return ngettext(
        "Gaps: {hours} h in {n} span",
        "Gaps: {hours} h in {n} spans",
        len(status["gaps"]),
        hours=hours,
    )


def name_remedy(status: dict[str, Any]) -> str:
    """Name the command that fetches what is missing or damaged: a sync since the first window, or 28d."""
    return f"sync --since {(status['covered_from'] or '28d')[:10]}"


class _Read(NamedTuple):
    manifest: Manifest
    is_settled: bool


def _find_gaps(windows: list[_Read], until: datetime) -> list[Window]:
    gaps: list[Window] = []
    reached: datetime | None = None
    for window in windows:
        start, end = window.manifest.start, window.manifest.end
        if reached and start > reached:
            gaps.append(Window(reached, start))
        reached = max(reached or end, end)
    # What is younger than the newest window is not missing yet, unless no sync has run for a day.
    if reached and until - reached > DAY:
        gaps.append(Window(reached, until.replace(microsecond=0)))
    return gaps


def _describe_days(windows: list[_Read], now: datetime) -> list[dict[str, Any]]:
    if not windows:
        return []
    start = windows[0].manifest.start
    last = max(window.manifest.end for window in windows)
    days, at = [], start.replace(hour=0, minute=0, second=0)
    while at < last:
        inside = [w for w in windows if w.manifest.start < at + DAY and w.manifest.end > at]
        covered = sum((_overlap(w, at, at + DAY) for w in inside), timedelta())
        expected = min(at + DAY, max(now, last)) - max(at, start)
        # A window longer than what is left of its day counts where it begins.
        begun = [w.manifest for w in inside if w.manifest.start >= at]
        days.append(
            {
                "day": f"{at:%Y-%m-%d}",
                "events_count": sum(m.rows_count for m in begun),
                "rejects_count": sum(m.rejects_count for m in begun),
                "covered_share": round(min(covered / expected, 1.0), 4),
                "unsettled_count": sum(not w.is_settled for w in inside),
                "sensitive_only_count": sum(m.scope != ALL for m in begun),
                "is_open": at + DAY > now,
                "hours": "".join(
                    _mark_hour(inside, at + hour * HOUR, start, now) for hour in range(24)
                ),
            }
        )
        at += DAY
    return days


def _mark_hour(windows: list[_Read], at: datetime, start: datetime, now: datetime) -> str:
    inside = [w for w in windows if w.manifest.start < at + HOUR and w.manifest.end > at]
    if not inside:
        return " " if at + HOUR <= start or at >= now else "."
    if not all(window.is_settled for window in inside):
        return "~"
    if sum((_overlap(w, at, at + HOUR) for w in inside), timedelta()) < HOUR:
        return "-"
    if any(window.manifest.scope != ALL for window in inside):
        return "s"
    return "#" if any(window.manifest.rows_count for window in inside) else "o"


def summarise(status: dict[str, Any]) -> str:
    """Say what a store holds."""
    if not status["windows_count"]:
        return _("No window can be read")
    return _(
        "{events} events in {windows} windows, {size}; covers {start} to {end}",
        events=say_number(status["events_count"]),
        windows=say_number(status["windows_count"]),
        size=_show_size(status["size_bytes"]),
        start=status["covered_from"],
        end=status["covered_until"],
    )


def _render_day(day: dict[str, Any]) -> str:
    notes = _(", ").join(_note_day(day))
    return (
        f"{day['day']:<12}{day['events_count']:>12,}  {day['hours']:<26}"
        f"{day['covered_share']:>7.0%}  {notes}"
    ).rstrip()


def _note_day(day: dict[str, Any]) -> list[str]:
    notes = []
    if day["rejects_count"]:
        notes.append(_("{count} unreadable", count=say_number(day["rejects_count"])))
    if day["sensitive_only_count"]:
        notes.append(_("sensitive only"))
    if day["is_open"]:
        notes.append(_("not over yet"))
    return notes


def _overlap(window: _Read, start: datetime, end: datetime) -> timedelta:
    return min(window.manifest.end, end) - max(window.manifest.start, start)


def _show(at: datetime | None) -> str | None:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else None


def _show_size(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
