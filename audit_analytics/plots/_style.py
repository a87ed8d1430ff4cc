"""Colours, fonts and axes that every plot shares."""

import logging
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from matplotlib import font_manager, rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audit_analytics.language import mark, say_date

_CALLS: Final = ("#f0f4f8", "#d5e2ee", "#aac6e0", "#74a0cc", "#437bb3", "#1f5289")
CLASSES: Final = {
    "auth": "#7b2d8b",
    "permission": "#c2452e",
    "not_found": "#d9920a",
    "rate_limit": "#2a7f9f",
    "param": "#87975a",
    "server": "#33475c",
    "other": "#a9b3be",
}
"""Colour of every error class, in the order in which they are stacked."""

CLASS_NAMES: Final = {
    "auth": mark("auth"),
    "permission": mark("permission"),
    "not_found": mark("not found"),
    "rate_limit": mark("rate limit"),
    "param": mark("param"),
    "server": mark("server"),
    "other": mark("other"),
}
"""What a legend calls them."""

DAY: Final = mark("EEE d MMM")
SHORT_DAY: Final = mark("EEE d")
DATE: Final = mark("d MMM")
"""Date patterns of axes, Unicode CLDR."""

_ERRORS: Final = ("#f6f2f1", "#f3d9d3", "#e8b0a5", "#d67e6e", "#bb4c3b", "#8a2417")
COLOURS: Final = {
    "ink": "#1c2733",
    "muted": "#566371",
    "grid": "#dfe4ea",
    "calls": "#2a5f96",
    "bar": "#8fb0d1",
    "band": "#e3eaf1",
    "errors": "#b5402f",
    "expected": "#7b8794",
    "mark": "#8c1d2f",
    "gap": "#98a3af",
    "window": "#fbeee6",
    "onmark": "#fffffe",
    **CLASSES,
    **{f"calls{i}": c for i, c in enumerate(_CALLS)},
    **{f"errors{i}": c for i, c in enumerate(_ERRORS)},
}
"""Name and light-mode value of every colour; in SVG ``var(--plot-NAME,VALUE)``."""

Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
"""Array of float64."""

_FONTS: Final = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
)


# many a Chinese font has one weight: its titles are drawn in it, which is no news for a terminal
logging.getLogger("matplotlib.font_manager").addFilter(
    lambda record: "font weight" not in record.getMessage()
)


def _choose_fonts() -> list[str]:
    """Name those of the fonts that are installed."""
    known = font_manager.fontManager
    if not {font.name for font in known.ttflist}.intersection(_FONTS[1:]):
        # matplotlib keeps its list from its first run on: a Chinese font may have come later
        for path in {*font_manager.findSystemFonts()} - {font.fname for font in known.ttflist}:
            with suppress(OSError, RuntimeError):
                known.addfont(path)
    installed = {font.name for font in known.ttflist}
    return [name for name in _FONTS if name in installed]


STYLE: Final[Any] = {
    "text.parse_math": False,  # an app called $\foo$ is a name, not a formula
    "svg.fonttype": "none",
    "font.family": _choose_fonts(),
    "font.size": 10,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.edgecolor": COLOURS["grid"],
    "axes.linewidth": 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # where it is anyway: matplotlib would measure every label to find out
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.8,
    "hatch.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 10,
}
"""matplotlib settings of every plot, used within a context."""


@contextmanager
def use_style() -> Iterator[None]:
    """Draw with :data:`STYLE`, and put back what that changed alone: not a notebook's backend."""
    before = {name: rcParams[name] for name in STYLE}
    rcParams.update(STYLE)
    try:
        yield
    finally:
        rcParams.update(before)


def new_axes(
    width: float, height: float, *, margins: tuple[float, float, float, float] = (44, 12, 44, 26)
) -> Axes:
    """Make axes on a figure of its own that pyplot does not know.

    Parameters
    ----------
    width, height : float
        Size of the figure in points (CSS pixels of the SVG).
    margins : tuple of float
        Left, right, top and bottom margin in points.

    Returns
    -------
    matplotlib.axes.Axes
        Empty axes.

    Examples
    --------
    >>> new_axes(360, 144).figure.get_size_inches().tolist()
    [5.0, 2.0]
    """
    left, right, top, bottom = margins
    with rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72))
        box = (
            left / width,
            bottom / height,
            1 - (left + right) / width,
            1 - (top + bottom) / height,
        )
        return figure.add_axes(box)


def get_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return `ax`, or axes on a new pyplot figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt  # noqa: PLC0415 - pyplot is for notebooks only

    return plt.subplots(figsize=(width / 72, height / 72), layout="constrained")[1]


def write_label(text: object, limit: int = 44) -> str:
    """Make a name printable and at most `limit` columns wide."""
    name = str(text) or "(empty)"
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in name)
    limit = limit * len(name) // (len(name) + wide) if wide else limit
    if len(name) > limit:
        name = f"{name[: limit - 13]}…{name[-12:]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def write_number(value: float, _position: object = None) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def read_instant(at: str | datetime) -> datetime:
    """Read an ISO 8601 text; an instant stays one."""
    return at if isinstance(at, datetime) else datetime.fromisoformat(at)


def count_hours(start: datetime, at: str | datetime) -> float:
    return (read_instant(at) - start) / timedelta(hours=1)


def read_numbers(values: Iterable[float | None]) -> Numbers:
    """Read numbers, None as NaN."""
    return np.array([np.nan if value is None else value for value in values], dtype="float64")


def show_days(ax: Axes, start: datetime, hours: int, zone: str, *, form: str = DAY) -> None:
    """Mark midnights of the zone on an axis of hours; Mondays alone where days are many."""
    tz = ZoneInfo(zone)
    local = [(start + timedelta(hours=i)).astimezone(tz) for i in range(hours)]
    days = [i for i, at in enumerate(local) if at.hour == 0]
    if len(days) > 10:
        days = [i for i in days if local[i].weekday() == 0]
    ax.set_xticks(days, [say_date(local[i], form) for i in days], ha="left")
    ax.tick_params(axis="x", pad=5)
    draw_midnights(ax, days)
    ax.set_xlim(0, max(hours - 1, 1))


def draw_midnights(ax: Axes, places: Iterable[float]) -> None:
    """Draw a vertical line at every place, all of them one path: small as SVG."""
    x = [value for place in places for value in (place, place, np.nan)]
    y = [0, 1, np.nan] * (len(x) // 3)
    style: dict[str, Any] = {
        "color": COLOURS["grid"],
        "linewidth": 0.8,
        "zorder": 0,
        "clip_on": False,
    }
    ax.plot(x, y, transform=ax.get_xaxis_transform(), **style)


def draw_legend(ax: Axes, columns: int) -> None:
    """Say above the axes what each colour stands for."""
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        handlelength=0.9,
        handletextpad=0.4,
        columnspacing=1.1,
        labelcolor=COLOURS["muted"],
        fontsize=9,
    )
