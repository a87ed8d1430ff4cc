"""What one finding saw against what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from audit_analytics.language import _
from audit_analytics.plots._style import (
    COLOURS,
    SHORT_DAY,
    count_hours,
    draw_midnights,
    get_axes,
    read_instant,
    read_numbers,
    show_days,
    use_style,
    write_label,
    write_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

SCALE: Final = 0.4
"""Width of an hour of the weeks before, beside one of the report week."""

GAP: Final = 9
"""Hours of empty paper between weeks."""


@use_style()
def finding_series(
    series: Mapping[str, Any],
    *,
    window: tuple[str, str] | None = None,
    zone: str = "UTC",
    ax: Axes | None = None,
) -> Axes:
    """Plot what a finding saw against what its history made likely, and the weeks before.

    Parameters
    ----------
    series : mapping
        ``start_at`` (ISO 8601), ``observed``, ``expected`` and ``high`` (one value an hour; None
        where unknown), ``what`` (what is counted) and, if known, ``low`` and ``past`` (``week`` and
        ``observed`` of the weeks before, which are drawn small on the left, to the same scale).
    window : tuple of str, optional
        Start and end of the finding (ISO 8601), shaded.
    zone : str
        IANA time zone of the axis.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; without it a new pyplot figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, x in hours since the start of the week.

    Examples
    --------
    >>> from audit_analytics.plots import new_axes
    >>> data = {"start_at": "2026-11-15T16:00:00Z", "observed": [1, 9], "expected": [1, 1],
    ...         "high": [3, 3], "what": "calls an hour"}
    >>> finding_series(data, zone="Asia/Shanghai", ax=new_axes(360, 120)).get_title(loc="left")
    'Calls an hour (Asia/Shanghai)'
    """
    ax = get_axes(ax, 420, 150)
    start = read_instant(series["start_at"])
    observed, high = read_numbers(series["observed"]), read_numbers(series["high"])
    expected = read_numbers(series["expected"])
    hours = np.arange(len(observed))
    if window:
        first, last = (count_hours(start, at) for at in window)
        middle = (max(first - 0.5, 0), min(max(last, first + 1) - 0.5, len(observed) - 1))
        ax.axvspan(*middle, color=COLOURS["window"], linewidth=0, zorder=0)
    if "low" in series:
        low = read_numbers(series["low"])
        ax.fill_between(hours, low, high, color=COLOURS["band"], linewidth=0, zorder=1)
    else:
        outline = np.r_[0, np.nan_to_num(high), 0]  # half the size of a band with a floor of zeros
        ax.fill(np.r_[0, hours, hours[-1]], outline, color=COLOURS["band"], linewidth=0, zorder=1)
    ax.plot(hours, expected, color=COLOURS["expected"], linewidth=0.9, linestyle=(0, (3, 2)))
    ax.plot(hours, observed, color=COLOURS["calls"], linewidth=1.3)
    above = hours[observed > high]
    ax.plot(above, observed[above], "o", color=COLOURS["mark"], markersize=4, clip_on=False)
    past = [(week["week"], read_numbers(week["observed"])) for week in series.get("past", ())]
    most = max((counts.max(initial=0) for _week, counts in past), default=0.0)
    ax.set_ylim(0, 1.08 * np.nanmax([*observed, *high, most, 1.0]))
    ax.locator_params(axis="y", nbins=3)
    ax.yaxis.set_major_formatter(write_number)
    ax.grid(axis="y")
    show_days(ax, start, len(observed), zone, form=SHORT_DAY)
    if past:
        _draw_past(ax, past)
    what = write_label(series["what"])
    ax.set_title(
        _("{what} ({zone})", what=f"{what[:1].upper()}{what[1:]}", zone=zone), fontsize=10, pad=8
    )
    return ax


def _draw_past(ax: Axes, past: Sequence[tuple[str, NDArray[np.float64]]]) -> None:
    """Draw the weeks before on the left, narrower, each in a place of its own."""
    begins: list[float] = []
    left = 0.0
    for _week, counts in reversed(past):
        left -= GAP + SCALE * len(counts)
        begins.insert(0, left)
        hours = left + SCALE * np.arange(len(counts))
        ax.plot(hours, counts, color=COLOURS["bar"], linewidth=1.1)
    ticks = list(zip(ax.get_xticks(), ax.get_xticklabels(), strict=True))
    weeks = list(zip(begins, [week.partition("-")[2] for week, _counts in past], strict=True))
    both = [*weeks, *((at, label.get_text()) for at, label in ticks)]
    ax.set_xticks([at for at, _label in both], [label for _at, label in both], ha="left")
    draw_midnights(ax, begins)
    ax.set_xlim(left, ax.get_xlim()[1])
