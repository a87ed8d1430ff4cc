"""What was seen for the first time, and when."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from audit_analytics import schema
from audit_analytics.language import _, say_date
from audit_analytics.plots._style import (
    COLOURS,
    DATE,
    DAY,
    SHORT_DAY,
    draw_legend,
    draw_midnights,
    get_axes,
    use_style,
    write_label,
    write_number,
)

SETTLE_DAYS: Final = 7
"""Days at the start of a log in which nearly everything is new: left out of longer ones."""


@use_style()
def new_networks(
    networks: pd.DataFrame | Mapping[str, Any], *, zone: str = "UTC", ax: Axes | None = None
) -> Axes:
    """Plot how many networks apps called from for the first time, day by day.

    Parameters
    ----------
    networks : pandas.DataFrame or mapping
        ``features.first_seen(events)["networks"]`` (``app_id``, ``network``, ``first_at``); or
        ``days`` (``2026-11-16``), ``tenant`` and ``app`` (counts a day), such as
        ``report.data["charts"]["networks"]``. The first seven days of more than fourteen, in
        which nearly everything is new, are left out.
    zone : str
        IANA time zone of the days.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; without it a new pyplot figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, one bar a day.

    Examples
    --------
    >>> from audit_analytics.plots import new_axes
    >>> days = {"days": ["2026-11-16", "2026-11-17"], "tenant": [0, 1], "app": [2, 0]}
    >>> new_networks(days, zone="Asia/Shanghai", ax=new_axes(400, 160)).get_title(loc="left")
    'First contacts with a network, a day (Asia/Shanghai)'
    """
    if isinstance(networks, pd.DataFrame):
        networks = _count_contacts(networks, zone)
    skip = SETTLE_DAYS if len(networks["days"]) > 2 * SETTLE_DAYS else 0
    days = pd.DatetimeIndex(pd.to_datetime(list(networks["days"][skip:])))
    tenant, app = (np.array(networks[key][skip:], dtype="int64") for key in ("tenant", "app"))
    place = np.arange(len(days))
    ax = get_axes(ax, 520, 230)
    style: dict[str, Any] = {"width": 0.8, "linewidth": 0}
    ax.bar(place, tenant, color=COLOURS["mark"], label=_("new to the tenant"), **style)
    ax.bar(place, app, bottom=tenant, color=COLOURS["bar"], label=_("new to an app only"), **style)
    ticks = [i for i in place if days[i].day_of_week == 0] if len(days) > 10 else list(place)
    ax.set_xticks(ticks, [say_date(days[i], DATE if len(days) > 10 else SHORT_DAY) for i in ticks])
    ax.set_xlim(-0.6, max(len(days), 1) - 0.4)
    ax.set_ylim(0, 1.1 * max((tenant + app).max(initial=0), 4))
    ax.locator_params(axis="y", nbins=4, integer=True)
    ax.yaxis.set_major_formatter(write_number)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    ax.set_title(_("First contacts with a network, a day ({zone})", zone=zone), pad=26)
    if len(days):
        draw_legend(ax, 2)
    return ax


def _count_contacts(pairs: pd.DataFrame, zone: str) -> dict[str, Any]:
    pairs = pairs[~pairs["network"].isin(schema.NO_PLACE)].sort_values("first_at", kind="stable")
    day = pairs["first_at"].dt.tz_convert(zone).dt.strftime("%Y-%m-%d")
    if day.empty:
        return {"days": [], "tenant": [], "app": []}
    first = ~pairs["network"].astype("str").duplicated()
    days = pd.date_range(day.min(), day.max(), freq="D").strftime("%Y-%m-%d")
    return {
        "days": days.tolist(),
        "tenant": day[first].value_counts().reindex(days, fill_value=0).tolist(),
        "app": day[~first].value_counts().reindex(days, fill_value=0).tolist(),
    }


@use_style()
def first_seen_timeline(
    first_seen: pd.DataFrame,
    *,
    by: str = "app_id",
    since: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
    limit: int = 15,
    zone: str = "UTC",
    ax: Axes | None = None,
) -> Axes:
    """Plot when each app (or other kind of name) met something for the first time.

    Parameters
    ----------
    first_seen : pandas.DataFrame
        One row a first contact: ``first_at`` (UTC) and the column `by`, such as
        ``features.first_seen(events)["apis"]``.
    by : str, default="app_id"
        Column whose values make the rows of the plot.
    since, until : pandas.Timestamp, optional
        First and last instant shown. Without `since`, the first seven days of a log of more than
        fourteen, in which nearly everything is new, are left out.
    limit : int, default=15
        Most rows shown: those with the most first contacts.
    zone : str
        IANA time zone of the axis.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; without it a new pyplot figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, x in days since the start, one row a value of `by` with its count.

    Examples
    --------
    >>> import pandas as pd
    >>> from audit_analytics.plots import new_axes
    >>> at = pd.to_datetime(["2026-11-16T02:00Z", "2026-11-18T02:00Z"])
    >>> pairs = pd.DataFrame({"app_id": ["cli_a", "cli_a"], "first_at": at})
    >>> first_seen_timeline(pairs, ax=new_axes(400, 120)).get_title(loc="left")
    'Seen for the first time (UTC)'
    """
    at = first_seen["first_at"].dt.tz_convert(zone)
    end = at.max() if until is None else until.tz_convert(zone)
    start = _choose_start(at, end) if since is None else since.tz_convert(zone)
    shown = (at >= start) & (at <= end)
    lane, at = first_seen.loc[shown, by].astype("str"), at[shown]
    counts = lane.value_counts().rename_axis("name").reset_index(name="size")
    counts = counts.sort_values(["size", "name"], ascending=[False, True]).head(limit)
    ax = get_axes(ax, 760, 70 + 26 * max(len(counts), 1))
    day = pd.Timedelta(days=1)
    begin = pd.Timestamp(0, tz=zone)
    if len(at) or since is not None:
        midnight = start.tz_localize(None).normalize()
        # where clocks change at midnight there is a day that has none, or two
        begin = midnight.tz_localize(zone, nonexistent="shift_forward", ambiguous=True)
    for i, name in enumerate(counts["name"]):
        ax.axhline(i, color=COLOURS["grid"], linewidth=0.8, zorder=0)
        moments = ((at[lane == name] - begin) / day).to_numpy()
        # a tick for each: many at one time stay one mark, and the count stands beside
        ax.plot(moments, np.full(len(moments), i), "|", color=COLOURS["calls"], markersize=11,
                markeredgewidth=1.6, clip_on=False)  # fmt: skip
        ax.annotate(
            write_number(len(moments)), (1, i), xycoords=("axes fraction", "data"), xytext=(8, 0),
            textcoords="offset points", va="center_baseline", fontsize=9, annotation_clip=False,
        )  # fmt: skip
    days = max(int(np.ceil((end - begin) / day)), 1) if len(at) or since is not None else 1
    step = 1 if days <= 10 else 7
    places = list(range(0, days, step))
    form = DAY if step == 1 else DATE
    ax.set_xticks(
        places, [say_date(begin + pd.DateOffset(days=n), form) for n in places], ha="left"
    )
    draw_midnights(ax, places)
    ax.set_xlim(0, days)
    ax.set_ylim(max(len(counts), 1) - 0.4, -0.6)
    ax.set_yticks(
        range(len(counts)), [write_label(name, 30) for name in counts["name"]], fontsize=9
    )
    ax.set_title(_("Seen for the first time ({zone})", zone=zone), pad=8)
    return ax


def _choose_start(at: pd.Series, end: Any) -> Any:  # noqa: ANN401 - NaT of an empty column
    first = at.min()
    long = end - first > pd.Timedelta(days=2 * SETTLE_DAYS)
    return first + pd.Timedelta(days=SETTLE_DAYS) if long else first
