"""report.html: one page, no script, no request; and the fragment a notebook shows.

The template escapes everything by default, and every text passes :func:`escape.clean` on its way
out, so that a template cannot forget it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from audit_analytics.findings.wording import show_api
from audit_analytics.report import escape, wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LIMIT_BYTES: Final = 500 * 1024
"""Largest report.html."""


class Detail(NamedTuple):
    """How much of each finding the page shows.

    Parameters
    ----------
    cards : int
        Findings told in full; the others stand in the overview alone.
    plots : int
        Findings with a plot.
    evidence : int
        Evidence rows a finding.
    """

    cards: int
    plots: int
    evidence: int


DETAILS: Final = (
    Detail(60, 30, 20),
    Detail(60, 30, 10),
    Detail(60, 20, 5),
    Detail(60, 10, 3),
    Detail(60, 10, 0),
    Detail(30, 10, 0),
    Detail(10, 5, 0),
)
"""From all to least; the page takes the first that keeps it under :data:`LIMIT_BYTES`."""


def render_html(report: dict[str, Any]) -> str:
    """Render the report as one HTML page.

    Parameters
    ----------
    report : dict
        The report.

    Returns
    -------
    str
        The page, under :data:`LIMIT_BYTES`: with many findings, the lower ranks show less
        evidence, and say so.

    Notes
    -----
    Needs matplotlib, imported here: a report without plots would hide what it knows.
    """
    template = _environment().get_template("report.html.j2")
    plots = _draw(report)
    small = _draw_findings(report, max(detail.plots for detail in DETAILS))
    page = ""
    for detail in DETAILS:
        page = template.render(r=report, plots=plots, small=small[: detail.plots], detail=detail)
        if len(page.encode()) <= LIMIT_BYTES:
            break
    return page


def render_notebook(report: dict[str, Any]) -> str:
    """Render verdict, coverage and findings as a fragment for a notebook.

    Parameters
    ----------
    report : dict
        The report.

    Returns
    -------
    str
        One ``<div>`` whose styles touch nothing outside it, for light and dark notebooks.
    """
    return _environment().get_template("notebook.html.j2").render(r=report)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("audit_analytics.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    environment.filters |= {
        "api": show_api,
        "chance": wording.chance,
        "interval": lambda pair: wording.interval(*pair),
        "lines": _escape_lines,
        "moment": wording.moment,
        "name": lambda text, limit=escape.NAME_LIMIT: escape.shorten(text, limit) or escape.EMPTY,
        "number": wording.number,
        "percent": wording.percent,
        "plural": wording.plural,
        "rarity": wording.rarity,
        "runs": find_runs,
        "span": lambda window: wording.span(*window),
    }
    environment.globals |= {"SHAPES": wording.SHAPES, "STATUS": wording.STATUS}
    return environment


def _clean(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return escape.clean(value, escape.TEXT_LIMIT)
    return value


def _escape_lines(text: str) -> Markup:
    """Keep the line breaks of a text that is meant to have them."""
    return Markup("\n").join(escape.clean(line, escape.TEXT_LIMIT) for line in text.split("\n"))


def find_runs(hours: Iterable[int]) -> list[tuple[int, int]]:
    """Join neighbouring hours.

    Parameters
    ----------
    hours : iterable of int
        Positions of hours.

    Returns
    -------
    list of tuple of int
        First position and length of every run.

    Examples
    --------
    >>> find_runs([3, 4, 5, 9])
    [(3, 3), (9, 1)]
    """
    runs: list[tuple[int, int]] = []
    for hour in sorted(hours):
        if runs and hour == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((hour, 1))
    return runs


def _draw(report: dict[str, Any]) -> dict[str, Markup]:
    """Draw the week; nothing where there is no data to draw."""
    if report["coverage"]["week_status"] == "empty":
        return {}
    from audit_analytics import plots  # noqa: PLC0415 - matplotlib only where it draws

    zone = report["tenant_zone"]
    ax = plots.new_axes(1040, 290, margins=(52, 14, 76, 28))
    plots.timeline(report["series"], findings=report["findings"], zone=zone, ax=ax)
    label = "Calls and errors an hour over the week, with gaps in the log and findings marked"
    drawn = {"timeline": Markup(plots.to_svg(ax.figure, name="timeline", label=label))}  # noqa: S704
    grid = {**report["heatmap"], "missing": report["series"]["missing"]}
    for value in ("calls", "errors"):
        ax = plots.new_axes(510, 232, margins=(38, 8, 30, 66))
        plots.week_heatmap(grid, value=value, zone=zone, ax=ax)
        label = f"{value.capitalize()} by day of the week and hour of the day"
        drawn[f"heat_{value}"] = Markup(  # noqa: S704
            plots.to_svg(ax.figure, name=f"heat-{value}", label=label)
        )
    for key, title in (("apps", "Apps"), ("ips", "IP addresses"), ("apis", "APIs")):
        rows = [{**row, "name": show_api(row["name"])} for row in report["top"][key]]
        ax = plots.new_axes(340, 30 + 36 * max(len(rows), 1), margins=(1, 1, 28, 2))
        plots.top_bars(rows, title=title, ax=ax)
        label = f"{title} with the most calls in the week, and the share that failed"
        drawn[f"top_{key}"] = Markup(plots.to_svg(ax.figure, name=f"top-{key}", label=label))  # noqa: S704
    return drawn


def _draw_findings(report: dict[str, Any], count: int) -> list[Markup]:
    """Draw the small plot of the first findings; an empty text where a finding has no series."""
    return [_draw_finding(f, report["tenant_zone"]) for f in report["findings"][:count]]


def _draw_finding(finding: Mapping[str, Any], zone: str) -> Markup:
    if not finding["series"]:
        return Markup("")
    from audit_analytics import plots  # noqa: PLC0415 - matplotlib only where it draws

    ax = plots.new_axes(430, 160, margins=(44, 8, 26, 24))
    window = (finding["start_at"], finding["end_at"])
    plots.finding_series(finding["series"], window=window, zone=zone, ax=ax)
    label = f"Observed and expected, hour by hour, for finding {finding['rank']}"
    return Markup(plots.to_svg(ax.figure, name=f"finding-{finding['rank']}", label=label))  # noqa: S704
