"""The plots of report.html, as inline SVG; loads matplotlib, so it is imported where it draws."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from markupsafe import Markup

from audit_analytics import plots
from audit_analytics.language import _, label_entity
from audit_analytics.language.wording import show_api
from audit_analytics.report._names import name_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

KINDS: Final = ("apps", "networks", "ips", "apis")
"""What can be new in a week, in the order of its plot."""

MAX_MARKS: Final = 30
"""Findings marked on the timeline: more would hide it."""


def draw_report(report: Mapping[str, Any]) -> dict[str, Markup]:
    """Draw the week and the plots of the three answers: SVG by name, none that would show nothing."""
    if report["coverage"]["week_status"] == "empty":
        return {}
    drawn = _draw_week(report) | _draw_answers(report)
    return drawn | _draw_arrivals(report)


def _draw_week(report: Mapping[str, Any]) -> dict[str, Markup]:
    zone = report["tenant_zone"]
    ax = plots.new_axes(1040, 290, margins=(52, 14, 76, 28))
    plots.timeline(report["series"], findings=report["findings"][:MAX_MARKS], zone=zone, ax=ax)
    label = _("Calls and errors an hour over the week, with gaps in the log and findings marked")
    drawn = {"timeline": _finish(ax, "timeline", label)}
    grid = {**report["heatmap"], "missing": report["series"]["missing"]}
    labels = {
        "calls": _("Calls by day of the week and hour of the day"),
        "errors": _("Errors by day of the week and hour of the day"),
    }
    for value, label in labels.items():
        ax = plots.new_axes(510, 232, margins=(38, 8, 30, 66))
        plots.week_heatmap(grid, value=value, zone=zone, ax=ax)
        drawn[f"heat_{value}"] = _finish(ax, f"heat-{value}", label)
    labels = {
        "apps": _("Apps with the most calls in the week, and the share that failed"),
        "ips": _("IP addresses with the most calls in the week, and the share that failed"),
        "apis": _("APIs with the most calls in the week, and the share that failed"),
    }
    for key, label in labels.items():
        named = show_api if key == "apis" else label_entity
        rows = [{**row, "name": named(row["name"])} for row in report["top"][key]]
        ax = plots.new_axes(340, 30 + 36 * max(len(rows), 1), margins=(1, 1, 28, 2))
        plots.top_bars(rows, title=name_code(key), ax=ax)
        drawn[f"top_{key}"] = _finish(ax, f"top-{key}", label)
    return drawn


def _draw_answers(report: Mapping[str, Any]) -> dict[str, Markup]:
    zone, charts = report["tenant_zone"], report["charts"]
    drawn = {}
    if any(charts["networks"]["tenant"]) or any(charts["networks"]["app"]):
        ax = plots.new_axes(510, 220, margins=(30, 6, 48, 26))
        plots.new_networks(charts["networks"], zone=zone, ax=ax)
        label = _("First contacts of apps with networks, day by day")
        drawn["networks"] = _finish(ax, "networks", label)
    if charts["shared_ips"]:
        ax = plots.new_axes(1040, 100)
        plots.ip_app_matrix(_name_apps(charts["shared_ips"]), ax=ax)
        _fit(ax, left=190, right=110, top=108, bottom=8)
        label = _("Calls by address and app, for the addresses that several apps share")
        drawn["shared_ips"] = _finish(ax, "shared-ips", label)
    if any(any(counts) for counts in charts["errors"]["classes"].values()):
        ax = plots.new_axes(1040, 250, margins=(40, 8, 50, 26))
        plots.error_classes(charts["errors"], zone=zone, ax=ax)
        label = _("Errors an hour over the week, stacked by class")
        drawn["errors"] = _finish(ax, "errors", label)
    if report["sensitive_usage"]:
        ax = plots.new_axes(1040, 100)
        plots.app_api_matrix(_name_apps(report["sensitive_usage"]), ax=ax)
        _fit(ax, left=300, right=110, top=108, bottom=32)
        label = _("Calls and expected calls of sensitive APIs, by API and app")
        drawn["sensitive"] = _finish(ax, "sensitive", label)
    return drawn


def _name_apps(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put names in the place of ids; the id beside it only where two apps have one name."""
    labels = {row["app_id"]: label_entity(row["app_id"]) for row in rows}
    names = {app: label.rpartition(" (")[0] or label for app, label in labels.items()}
    often = Counter(names.values())
    said = {app: name if often[name] == 1 else labels[app] for app, name in names.items()}
    return [{**row, "app_id": said[row["app_id"]]} for row in rows]


def _draw_arrivals(report: Mapping[str, Any]) -> dict[str, Markup]:
    new = report["changes"]["new"]
    rows = [(name_code(kind), row["at"]) for kind in KINDS for row in new[kind]["rows"]]
    if not rows:
        return {}
    seen = pd.DataFrame(rows, columns=["kind", "first_at"])
    seen["first_at"] = pd.to_datetime(seen["first_at"], utc=True)
    ax = plots.new_axes(1040, 46 + 28 * seen["kind"].nunique(), margins=(110, 44, 26, 24))
    plots.first_seen_timeline(
        seen,
        by="kind",
        since=_instant(report["week"]["start_at"]),
        until=_instant(report["week"]["end_at"]),
        zone=report["tenant_zone"],
        ax=ax,
    )
    label = _("When new apps, networks, addresses and APIs were first seen in the week")
    return {"arrivals": _finish(ax, "arrivals", label)}


def draw_finding(finding: Mapping[str, Any], zone: str) -> Markup:
    """Draw what a finding saw against what was expected; nothing where it has no series."""
    if not finding["series"]:
        return Markup("")
    ax = plots.new_axes(1000, 150, margins=(44, 8, 26, 24))
    window = (finding["start_at"], finding["end_at"])
    plots.finding_series(finding["series"], window=window, zone=zone, ax=ax)
    label = _(
        "Observed and expected, hour by hour, and the weeks before, for finding {rank}: {title}",
        rank=finding["rank"],
        title=finding["title"],
    )
    return _finish(ax, f"finding-{finding['rank']}", label)


def _fit(ax: Axes, *, left: int, right: int, top: int, bottom: int) -> None:
    """Make the figure as high as the rows of a matrix, and the axes as wide as its columns."""
    rows, columns = round(abs(ax.get_ylim()[0])), round(ax.get_xlim()[1])
    width = 1040  # of the page: a narrower figure would be blown up
    wide = min(62 * columns, width - left - right)
    height = top + bottom + 26 * rows
    ax.figure.figure.set_size_inches(width / 72, height / 72)
    box = (left / width, bottom / height, wide / width, 1 - (top + bottom) / height)
    ax.set_position(box)
    # the title stands at the left edge of the figure, above the slanted names
    title = ax.get_title(loc="left")
    ax.set_title("", loc="left")
    style: dict[str, Any] = {"fontsize": 11, "weight": "bold", "color": plots.COLOURS["ink"]}
    ax.text(2, height - 14, title, transform=None, **style)


def _finish(ax: Axes, name: str, label: str) -> Markup:
    return Markup(plots.to_svg(ax.figure, name=name, label=label))  # noqa: S704 - it escapes


def _instant(at: str) -> Any:  # noqa: ANN401 - pandas has no stub for it
    return pd.Timestamp(datetime.fromisoformat(at))
