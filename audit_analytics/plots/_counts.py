"""The largest apps, addresses and APIs; errors by class; a finding against what was expected."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from audit_analytics.language import _, say_number
from audit_analytics.plots._style import (
    CLASS_NAMES,
    CLASSES,
    COLOURS,
    DATE,
    SHORT_DAY,
    count_hours,
    draw_legend,
    draw_midnights,
    get_axes,
    read_instant,
    read_numbers,
    show_days,
    use_style,
    write_label,
    write_number,
)


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


HOUR = pd.Timedelta(hours=1)


@use_style()
def error_classes(
    errors: pd.DataFrame | Mapping[str, Any], *, zone: str = "UTC", ax: Axes | None = None
) -> Axes:
    """Plot the errors of every class over time, stacked.

    Parameters
    ----------
    errors : pandas.DataFrame or mapping
        A frame of :mod:`audit_analytics.features` (``bucket_at`` and a ``{class}_count`` per
        class): rows of one bucket are added up. Or ``bucket`` (such as ``1h``), ``start_at``
        (ISO 8601) and ``classes`` (one list of counts a class), such as
        ``report.data["charts"]["errors"]``.
    zone : str
        IANA time zone of the axis.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; without it a new pyplot figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, x in hours since the start; classes without an error are left out.

    Examples
    --------
    >>> from audit_analytics.plots import new_axes
    >>> found = {"bucket": "1h", "start_at": "2026-11-15T16:00:00Z",
    ...          "classes": {"auth": [0, 9, 3], "server": [1, 0, 0]}}
    >>> ax = error_classes(found, zone="Asia/Shanghai", ax=new_axes(400, 160))
    >>> ax.get_title(loc="left")
    'Errors an hour, by class (Asia/Shanghai)'
    """
    start, width, classes = _read(errors)
    ax = get_axes(ax, 520, 230)
    length = max((len(counts) for counts in classes.values()), default=0)
    edges = np.arange(length + 1) * (width / HOUR)
    floor = np.zeros(length)
    for name, colour in CLASSES.items():
        if name not in classes:
            continue
        top = floor + np.array(classes[name], dtype="float64")
        # the last value twice: a step ends where its bucket ends
        low, high = (np.append(values, values[-1:]) for values in (floor, top))
        label = _(CLASS_NAMES[name])
        ax.fill_between(edges, low, high, step="post", color=colour, linewidth=0, label=label)
        floor = top
    form = SHORT_DAY if edges[-1] <= 8 * 24 else DATE
    show_days(ax, start, max(round(float(edges[-1])), 1), zone, form=form)
    ax.set_ylim(0, 1.06 * max(floor.max(initial=0), 1))
    ax.locator_params(axis="y", nbins=4)
    ax.yaxis.set_major_formatter(write_number)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    ax.set_title(_say_title(width, zone), pad=26 if classes else 8)
    if classes:
        draw_legend(ax, 7)
    return ax


def _read(errors: pd.DataFrame | Mapping[str, Any]) -> tuple[Any, pd.Timedelta, dict[str, Any]]:
    if not isinstance(errors, pd.DataFrame):
        classes = {name: counts for name, counts in errors["classes"].items() if any(counts)}
        return read_instant(errors["start_at"]), pd.Timedelta(errors["bucket"]), classes
    columns = [f"{name}_count" for name in CLASSES if f"{name}_count" in errors]
    sums = errors.groupby("bucket_at")[columns].sum()
    gaps = sums.index.to_series().diff().dropna()
    width = gaps.min() if len(gaps) else HOUR
    full = pd.date_range(sums.index.min(), sums.index.max(), freq=width) if len(sums) else []
    sums = sums.reindex(full, fill_value=0)
    start = full[0] if len(sums) else pd.Timestamp(0, tz="UTC")
    found = {name.removesuffix("_count"): sums[name].tolist() for name in columns}
    return start, width, {name: counts for name, counts in found.items() if any(counts)}


def _say_title(width: pd.Timedelta, zone: str) -> str:
    if width == HOUR:
        return _("Errors an hour, by class ({zone})", zone=zone)
    if width == pd.Timedelta(days=1):
        return _("Errors a day, by class ({zone})", zone=zone)
    minutes = say_number(width / pd.Timedelta(minutes=1))
    return _("Errors in {minutes} min, by class ({zone})", minutes=minutes, zone=zone)


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
