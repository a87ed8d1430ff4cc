"""Calls as a matrix: apps and APIs against what was expected, addresses and apps."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import show_api
from audit_analytics.plots._style import COLOURS, get_axes, use_style, write_label, write_number

MAX_SIDE: Final = 12
USUAL_RATIO: Final = 1.5
USUAL_REST: Final = 5
_KEY: Final = (
    ("calls2", mark("about as many as expected, or fewer")),
    ("errors1", mark("more than expected")),
    ("errors2", mark("none expected")),
)


@use_style()
def app_api_matrix(
    calls: pd.DataFrame | Sequence[Mapping[str, Any]],
    *,
    limit: int = MAX_SIDE,
    ax: Axes | None = None,
) -> Axes:
    """Plot how often each app called each API, against what was expected.

    Parameters
    ----------
    calls : pandas.DataFrame or sequence of mapping
        ``app_id``, ``api``, ``calls_count`` and, if known, ``expected`` (calls in the same time;
        None without history): ``report.data["sensitive_usage"]``, or
        ``features.first_seen(events)["apis"]``. Rows of one app and API are added up.
    limit : int, default=12
        Most apps, and most APIs, shown: those with the most calls.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; without it a new pyplot figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, one column an app, one row an API; a cell says calls / expected calls.

    Examples
    --------
    >>> from audit_analytics.plots import new_axes
    >>> rows = [{"app_id": "cli_a", "api": "GET/open-apis/x", "calls_count": 9, "expected": 0.0}]
    >>> ax = app_api_matrix(rows, ax=new_axes(400, 120))
    >>> ax.get_title(loc="left")
    'Calls / expected calls, by API and app'
    """
    rows = calls.to_dict("records") if isinstance(calls, pd.DataFrame) else calls
    known = any("expected" in row for row in rows)
    sums: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        usual = row.get("expected")
        cell = sums.setdefault((str(row["api"]), str(row["app_id"])), [0.0, 0.0])
        cell[0] += row["calls_count"]
        cell[1] += np.nan if usual is None else usual
    counted = {pair: cell[0] for pair, cell in sums.items()}
    apps = _rank(counted, 1, limit)
    # of the apps shown: a row of blanks would say nothing
    apis = _rank({pair: n for pair, n in counted.items() if pair[1] in apps}, 0, limit)
    cells = [[sums.get((api, app), [0.0, 0.0]) for app in apps] for api in apis]
    table = np.array(cells, dtype="float64").reshape(len(apis), len(apps), 2)
    counts, expected = table[:, :, 0], table[:, :, 1] if known else None
    shade = _shade(counts) if expected is None else _judge(counts, expected)
    text = np.full(counts.shape, "", dtype=object)
    for place in np.argwhere(counts > 0):
        i, j = place
        text[i, j] = write_number(counts[i, j])
        if expected is not None:
            usual = expected[i, j]
            text[i, j] += " / ?" if np.isnan(usual) else f" / {usual:,.0f}"
    # the key needs room, however few the apps are
    width, height = 300 + 62 * len(apps), 130 + 26 * len(apis)
    ax = get_axes(ax, max(width, 780 if known else 0), max(height, 230))
    _draw(ax, [show_api(name) for name in apis], apps, text, shade)
    titles = _("Calls, by API and app"), _("Calls / expected calls, by API and app")
    ax.set_title(titles[known])
    if known:
        _draw_key(ax)
    return ax


@use_style()
def ip_app_matrix(
    calls: pd.DataFrame | Sequence[Mapping[str, Any]],
    *,
    limit: int = MAX_SIDE,
    ax: Axes | None = None,
) -> Axes:
    """Plot which apps shared which addresses.

    Parameters
    ----------
    calls : pandas.DataFrame or sequence of mapping
        ``ip``, ``app_id`` and ``calls_count``: the ``by_ip`` table of a rollup, or
        ``report.data["charts"]["shared_ips"]``. Rows of one address and app are added up;
        addresses of a single app are left out.
    limit : int, default=12
        Most addresses, and most apps, shown: addresses by their apps, and of each up to half as
        many apps, so that one address used by everybody does not hide the others.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; without it a new pyplot figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, one column an app, one row an address with the number of its apps, darker with
        more calls.

    Examples
    --------
    >>> from audit_analytics.plots import new_axes
    >>> shared = [{"ip": "198.51.100.7", "app_id": a, "calls_count": 5} for a in ("c1", "c2")]
    >>> ip_app_matrix(shared, ax=new_axes(400, 120)).get_title(loc="left")
    'Calls from shared addresses, by address and app'
    """
    rows = calls.to_dict("records") if isinstance(calls, pd.DataFrame) else calls
    of_ip: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["ip"]:
            apps_of = of_ip.setdefault(str(row["ip"]), {})
            name = str(row["app_id"])
            apps_of[name] = apps_of.get(name, 0) + row["calls_count"]
    ips, apps = _choose_shared(of_ip, limit)
    counts = np.array([[of_ip[ip].get(app, 0) for app in apps] for ip in ips], dtype="float64")
    counts = counts.reshape(len(ips), len(apps))
    text = np.array([[write_number(n) if n else "" for n in row] for row in counts], object)
    ax = get_axes(ax, 240 + 62 * len(apps), 110 + 26 * len(ips))
    _draw(ax, ips, apps, text.reshape(counts.shape), _shade(counts))
    for i, ip in enumerate(ips):
        ax.annotate(
            ngettext("{n} app", "{n} apps", len(of_ip[ip])), (1, i + 0.5), xycoords=("axes fraction", "data"),
            xytext=(8, 0), textcoords="offset points", va="center_baseline", fontsize=9,
            color=COLOURS["muted"], annotation_clip=False,
        )  # fmt: skip
    ax.set_title(_("Calls from shared addresses, by address and app"))
    return ax


def _choose_shared(
    of_ip: Mapping[str, Mapping[str, int]], limit: int
) -> tuple[list[str], list[str]]:
    """Take the addresses of most apps, and the apps met on the way down."""
    shared = [ip for ip, apps in of_ip.items() if len(apps) > 1]
    shared.sort(key=lambda ip: (-len(of_ip[ip]), -sum(of_ip[ip].values()), ip))
    ips: list[str] = []
    apps: list[str] = []
    for ip in shared:
        own = of_ip[ip]
        fresh = sorted((a for a in own if a not in apps), key=lambda a: (-own[a], a))
        taken = fresh[: min(limit - len(apps), max(limit // 2, 2))]
        if len(ips) < limit and len(own) - len(fresh) + len(taken) > 1:
            ips.append(ip)
            apps += taken
    return ips, apps


def _rank(counts: Mapping[tuple[str, str], float], side: int, limit: int) -> list[str]:
    """Name the apps or the APIs with the most calls."""
    totals: dict[str, float] = {}
    for pair, count in counts.items():
        totals[pair[side]] = totals.get(pair[side], 0) + count
    return sorted(totals, key=lambda name: (-totals[name], name))[:limit]


def _shade(counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Name a shade for every count: pale enough for dark text on it."""
    top = counts.max(initial=0) or 1
    level = np.ceil(3 * np.sqrt(counts / top)).astype(int)
    return np.where(counts > 0, np.array(["", "calls1", "calls2", "calls3"])[level], "")


def _judge(counts: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    more = counts > np.maximum(USUAL_RATIO * expected, expected + USUAL_REST)
    kinds = [counts == 0, np.isnan(expected), expected < 0.5, more]
    return np.select(kinds, ["", "calls0", "errors2", "errors1"], "calls2")


def _draw(
    ax: Axes,
    rows: Sequence[str],
    columns: Sequence[str],
    text: np.ndarray[Any, Any],
    shade: np.ndarray[Any, Any],
) -> None:
    for i in range(len(rows)):
        ax.axhline(i + 1, color=COLOURS["grid"], linewidth=0.8, zorder=0)
        for j in range(len(columns)):
            if not shade[i, j]:
                continue
            box = (j + 0.04, i + 0.06), 0.92, 0.88
            ax.add_artist(Rectangle(*box, facecolor=COLOURS[shade[i, j]], linewidth=0))
            style: dict[str, Any] = {"fontsize": 8.5, "ha": "center", "va": "center_baseline"}
            ax.text(j + 0.5, i + 0.5, text[i, j], **style)
    ax.set_xlim(0, max(len(columns), 1))
    ax.set_ylim(max(len(rows), 1), 0)
    ax.set_yticks(np.arange(len(rows)) + 0.5, [write_label(name, 46) for name in rows], fontsize=9)
    names = [write_label(name, 22) for name in columns]
    ax.xaxis.tick_top()
    ax.set_xticks(np.arange(len(columns)) + 0.35, names, fontsize=9)
    ax.tick_params(axis="x", pad=1, labelrotation=30)
    for label in ax.get_xticklabels():
        label.set(ha="left", va="bottom", rotation_mode="anchor")
    ax.spines[["bottom", "top"]].set_visible(False)


def _draw_key(ax: Axes) -> None:
    ax.legend(
        handles=[Patch(color=COLOURS[name], linewidth=0, label=_(text)) for name, text in _KEY],
        loc="upper left",
        bbox_to_anchor=(0, 0),
        ncols=len(_KEY),
        fontsize=9,
        handlelength=1,
        handleheight=1,
        labelcolor=COLOURS["muted"],
    )
