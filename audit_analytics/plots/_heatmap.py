"""The week as a grid of days and hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from audit_analytics.language import _, list_weekdays
from audit_analytics.plots._style import COLOURS, get_axes, use_style, write_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from audit_analytics.plots._style import Numbers

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
