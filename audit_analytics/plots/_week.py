"""Calls and errors over the week, as lines and as a grid of days and hours."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from audit_analytics.dates.buckets import find_runs
from audit_analytics.language import _, list_weekdays
from audit_analytics.plots._style import (
    COLOURS,
    Numbers,
    count_hours,
    get_axes,
    read_instant,
    read_numbers,
    show_days,
    use_style,
    write_number,
)


@use_style()
def timeline(
    series: Mapping[str, Any] | pd.DataFrame,
    *,
    findings: Iterable[Mapping[str, Any]] | pd.DataFrame = (),
    zone: str = "UTC",
    ax: Axes | None = None,
) -> Axes:
    """Plot calls and errors an hour against what was expected, gaps hatched, findings marked.

    Parameters
    ----------
    series : mapping or pandas.DataFrame
        ``start_at`` (ISO 8601), ``calls``, ``errors`` and ``expected`` (one value an hour; None
        where nothing is expected), ``missing`` (positions of hours without data), and if known
        ``low`` and ``high``; or a frame with ``bucket_at`` (UTC), ``calls_count`` and, if known,
        ``errors_count`` and ``expected``: rows of one hour are added up.
    findings : iterable of mapping or pandas.DataFrame
        Findings with ``rank`` and ``start_at``, such as ``report.findings``.
    zone : str
        IANA time zone of the axis.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; without it a new pyplot figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, x in hours since the start.

    Examples
    --------
    >>> from audit_analytics.plots import new_axes
    >>> week = {"start_at": "2026-11-15T16:00:00Z", "calls": [5, 7, 0], "errors": [0, 1, 0],
    ...         "expected": [5.5, None, None], "missing": [2]}
    >>> ax = timeline(week, zone="Asia/Shanghai", ax=new_axes(400, 200))
    >>> ax.get_title(loc="left")
    'Calls and errors an hour (Asia/Shanghai)'
    """
    data = _as_series(series)
    marks = findings.to_dict("records") if hasattr(findings, "to_dict") else findings
    ax = get_axes(ax, 1040, 270)
    start = read_instant(data["start_at"])
    calls = read_numbers(data["calls"])
    missing = [h for h in data["missing"] if h < len(calls)]
    calls[missing] = np.nan
    hours = np.arange(len(calls))
    expected = read_numbers(data["expected"])
    if "low" in data and "high" in data:
        low, high = read_numbers(data["low"]), read_numbers(data["high"])
        ax.fill_between(
            hours, low, high, color=COLOURS["band"], linewidth=0, label=_("expected range")
        )
    ax.fill_between(
        hours, read_numbers(data["errors"]), color=COLOURS["errors"], linewidth=0, label=_("errors")
    )
    ax.plot(
        hours,
        expected,
        color=COLOURS["expected"],
        linewidth=1,
        linestyle=(0, (4, 2)),
        label=_("expected calls"),
    )
    ax.plot(hours, calls, color=COLOURS["calls"], linewidth=1.4, label=_("calls"))
    _hatch(ax, missing)
    show_days(ax, start, len(calls), zone)
    ax.set_ylim(
        0, 1.06 * max(np.nanmax([*calls, *expected, *read_numbers(data.get("high", ())), 1.0]), 1)
    )
    ax.yaxis.set_major_formatter(write_number)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    _mark(ax, marks, start, len(calls))
    ax.set_title(_("Calls and errors an hour ({zone})", zone=zone), pad=46)
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1.17),
        ncols=6,
        borderaxespad=0,
        handlelength=1.6,
        columnspacing=1.4,
        labelcolor=COLOURS["muted"],
    )
    return ax


def _as_series(data: Mapping[str, Any] | pd.DataFrame) -> dict[str, Any]:
    """Bring a frame of hours (bucket_at, calls_count, errors_count, expected) to a dict."""
    if "bucket_at" not in data:
        return dict(data)
    hours = data.sort_values("bucket_at").set_index("bucket_at")  # type: ignore[union-attr]
    calls = hours["calls_count"].resample("1h").sum()
    errors = hours.get("errors_count", 0 * hours["calls_count"]).resample("1h").sum()
    expected = hours["expected"].resample("1h").sum().tolist() if "expected" in hours else []
    return {
        "start_at": calls.index[0].isoformat(),
        "calls": calls.tolist(),
        "errors": errors.tolist(),
        "expected": expected or [None] * len(calls),
        "missing": np.flatnonzero(calls.to_numpy() == 0).tolist(),
    }


def _hatch(ax: Axes, missing: Iterable[int]) -> None:
    for number, (first, length) in enumerate(find_runs(missing)):
        ax.axvspan(
            max(first - 0.5, 0),
            first + length - 0.5,
            facecolor="none",
            edgecolor=COLOURS["gap"],
            hatch="/////",
            linewidth=0,
            clip_on=False,
            label=None if number else _("no data"),
        )


def _mark(ax: Axes, findings: Iterable[Mapping[str, Any]], start: datetime, hours: int) -> None:
    """Write the ranks above the axes; findings nearer than 4 hours share one stack."""
    stacks: list[tuple[float, list[int]]] = []
    for finding in sorted(findings, key=lambda f: (f["start_at"], f["rank"])):
        at = min(max(count_hours(start, finding["start_at"]), 0), hours - 1)
        if stacks and at - stacks[-1][0] < 4:
            stacks[-1][1].append(finding["rank"])
        else:
            stacks.append((at, [finding["rank"]]))
    above = ax.get_xaxis_transform()
    for at, ranks in stacks:
        ax.axvline(at, color=COLOURS["mark"], linewidth=0.8, linestyle=(0, (1, 2)), clip_on=False)
        best, *others = sorted(ranks)
        shown = [best, *(others if len(others) < 2 else [f"+{len(others)}"])]
        for level, rank in enumerate(shown):
            y = 1.05 + 0.085 * level
            ax.plot(
                at, y, "o", color=COLOURS["mark"], markersize=14, transform=above, clip_on=False
            )
            ax.text(
                at,
                y - 0.003,
                str(rank),
                transform=above,
                color=COLOURS["onmark"],
                fontsize=9,
                weight="bold",
                ha="center",
                va="center",
            )


_STEPS: Final = 5
"""Shades beside the one of no call."""


@use_style()
def week_heatmap(
    heatmap: Mapping[str, Any] | pd.DataFrame,
    *,
    value: str = "calls",
    zone: str = "UTC",
    ax: Axes | None = None,
) -> Axes:
    """Plot a week as a grid of days and hours, darker with more calls (or errors).

    Parameters
    ----------
    heatmap : mapping or pandas.DataFrame
        ``rows`` (names of the days), `value` (one list of 24 counts a day) and, if known,
        ``missing`` (hours of the week without data, from 0); or a frame with ``bucket_at`` (UTC)
        and ``{value}_count``.
    value : {"calls", "errors"}
        What to plot.
    zone : str
        IANA time zone of the days and hours.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; without it a new pyplot figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, x the hour of the day, y the day from above.

    Examples
    --------
    >>> from audit_analytics.plots import new_axes
    >>> grid = {"rows": ["Mon", "Tue"], "calls": [[0] * 23 + [9], [1] * 24]}
    >>> week_heatmap(grid, ax=new_axes(480, 200)).get_title(loc="left")
    'Calls by day and hour (UTC)'
    """
    days, counts = _as_grid(heatmap, value, zone)
    missing = heatmap.get("missing", ())
    lost = np.isin(np.arange(counts.size), list(missing)).reshape(counts.shape)
    ax = get_axes(ax, 500, 220)
    edges = _levels(counts)
    level = np.searchsorted(edges, counts, side="left")
    for step in range(len(edges) + 1):
        colour = COLOURS[f"{value}{_shade(step, len(edges))}"]
        _draw_cells(ax, np.argwhere((level == step) & ~lost), facecolor=colour)
    _draw_cells(ax, np.argwhere(lost), facecolor="none", edgecolor=COLOURS["gap"], hatch="//////")
    ax.set_xlim(0, 24)
    ax.set_ylim(len(days), 0)
    ax.set_xticks(range(0, 24, 3), [f"{h:02}:00" for h in range(0, 24, 3)], ha="left")
    ax.set_yticks(np.arange(len(days)) + 0.5, days)
    ax.spines["bottom"].set_visible(False)
    ax.set_title(_say_title(value, zone), pad=10)
    _draw_key(ax, edges, value)
    return ax


def _say_title(value: str, zone: str) -> str:
    if value == "calls":
        return _("Calls by day and hour ({zone})", zone=zone)
    return _("Errors by day and hour ({zone})", zone=zone)


def _as_grid(
    heatmap: Mapping[str, Any] | pd.DataFrame, value: str, zone: str
) -> tuple[list[str], Numbers]:
    if "bucket_at" not in heatmap:
        return list(heatmap["rows"]), np.array(heatmap[value], dtype="float64")
    local = heatmap["bucket_at"].dt.tz_convert(zone)
    counts = np.zeros((7, 24))
    np.add.at(counts, (local.dt.day_of_week, local.dt.hour), heatmap[f"{value}_count"])
    return list_weekdays(), counts


def _levels(counts: Numbers) -> list[float]:
    """Upper bounds of the shades: 0, then even steps on the square root up to the maximum."""
    top = float(counts.max(initial=0))
    bounds = np.ceil(np.linspace(0, np.sqrt(top), _STEPS + 1)[:-1] ** 2)
    return [float(bound) for bound in np.unique(bounds)]


def _shade(step: int, count: int) -> int:
    return 0 if step == 0 else _STEPS - count + step


def _draw_cells(ax: Axes, cells: np.ndarray[Any, Any], **style: str) -> None:
    if not len(cells):
        return
    gap = 0.05
    box = np.array([[gap, gap], [1 - gap, gap], [1 - gap, 1 - gap], [gap, 1 - gap], [gap, gap]])
    corners = (cells[:, None, ::-1] + box).reshape(-1, 2)
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(cells)
    # not as a patch: each of its corners would be asked how far the axes have to reach
    ax.add_artist(PathPatch(Path(corners, codes), linewidth=0, clip_on=False, **style))


def _draw_key(ax: Axes, edges: Sequence[float], value: str) -> None:
    """Say under the grid how many each shade stands for."""
    below = ax.transAxes
    bounds = [*edges, np.inf]
    for step, high in enumerate(bounds):
        low = 0 if step == 0 else bounds[step - 1] + 1
        text = "more" if np.isinf(high) else write_number(high)
        text = write_number(low) if low == high else f"{write_number(low)}\u2013{text}"
        text = f"{write_number(low)}+" if np.isinf(high) else text
        x = 0.04 + step * 0.155
        colour = COLOURS[f"{value}{_shade(step, len(edges))}"]
        ax.plot(x - 0.02, -0.215, "s", color=colour, markersize=9, transform=below, clip_on=False)
        ax.text(
            x,
            -0.215,
            text,
            transform=below,
            fontsize=9,
            color=COLOURS["muted"],
            va="center_baseline",
        )
