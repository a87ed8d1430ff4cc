"""The largest apps, addresses and APIs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from audit_analytics.language import _
from audit_analytics.plots._style import COLOURS, get_axes, use_style, write_label, write_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes


@use_style()
def top_bars(
    rows: Sequence[Mapping[str, Any]] | pd.DataFrame, *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Plot the largest apps, addresses or APIs, the part of their calls that failed marked.

    Parameters
    ----------
    rows : sequence of mapping or pandas.DataFrame
        ``name``, ``calls_count`` and ``errors_count``, largest first; a frame without ``name`` is
        named by its index.
    title : str
        What the rows are; "Most calls" if not given.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; without it a new pyplot figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, one bar a row.

    Examples
    --------
    >>> from audit_analytics.plots import new_axes
    >>> top_bars([{"name": "cli_a", "calls_count": 10, "errors_count": 2}],
    ...          title="Apps", ax=new_axes(320, 80)).get_title(loc="left")
    'Apps: calls in the week'
    """
    bars = _as_rows(rows)
    ax = get_axes(ax, 340, 60 + 36 * max(len(bars), 1))
    most = max([bar["calls_count"] for bar in bars], default=0) or 1
    for i, bar in enumerate(bars):
        calls, errors = bar["calls_count"], bar["errors_count"]
        ax.barh(i, calls / most, height=0.18, color=COLOURS["bar"], linewidth=0)
        if errors:
            ax.barh(i, errors / most, height=0.18, color=COLOURS["errors"], linewidth=0)
        text = write_number(calls)
        if errors:
            text = _("{calls} · {share}% failed", calls=text, share=f"{100 * errors / calls:.1f}")
        ax.text(0, i - 0.36, write_label(bar["name"], 36), fontsize=10, va="center_baseline")
        ax.text(
            1, i - 0.36, text, fontsize=10, color=COLOURS["muted"], ha="right", va="center_baseline"
        )
    ax.set_xlim(0, 1)
    ax.set_ylim(max(len(bars), 1) - 0.65, -0.75)
    ax.set_axis_off()
    ax.set_title(_("{name}: calls in the week", name=title or _("Most calls")), pad=8)
    return ax


def _as_rows(rows: Sequence[Mapping[str, Any]] | pd.DataFrame) -> list[dict[str, Any]]:
    if not isinstance(rows, Sequence):
        frame = rows if "name" in rows else rows.rename_axis("name").reset_index()
        records: list[dict[str, Any]] = frame.to_dict("records")
        return records
    return [dict(row) for row in rows]
