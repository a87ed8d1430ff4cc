"""Errors over time, by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from audit_analytics.language import _, say_number
from audit_analytics.plots._style import (
    CLASS_NAMES,
    CLASSES,
    DATE,
    SHORT_DAY,
    draw_legend,
    get_axes,
    read_instant,
    show_days,
    use_style,
    write_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

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
