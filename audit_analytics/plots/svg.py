"""A figure as SVG that stands inside an HTML page."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Final

from matplotlib import rc_context

from audit_analytics.plots._style import COLOURS, STYLE, write_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

_VARIABLES: Final = {value: f"var(--plot-{name},{value})" for name, value in COLOURS.items()}


def to_svg(figure: Figure | SubFigure, *, name: str = "plot", label: str = "") -> str:
    """Write a figure as SVG to stand inside an HTML page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure; its size in points becomes the view box.
    name : str
        Name that no other plot on the page has: it makes the ids in the SVG unique.
    label : str
        What the picture shows, for readers who do not see it.

    Returns
    -------
    str
        An ``<svg>`` element with colours as CSS variables and text as text; the same bytes for
        the same figure.

    Examples
    --------
    >>> from audit_analytics.plots import new_axes
    >>> svg = to_svg(new_axes(180, 90).figure, label="An empty plot")
    >>> svg[:41]
    '<svg role="img" aria-label="An empty plot'
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the browser has the font
        figure.figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->|<defs>\s*</defs>",
        "",
        svg,
        flags=re.DOTALL,
    )
    used = set(re.findall(r"[#]([\w-]+)", svg))
    svg = re.sub(r"<[^>]+>", lambda tag: _compact_tag(tag[0], used), svg)
    svg = re.sub(r">\s+<", "><", svg).strip()
    view = re.search(r'viewBox="[^"]*"', svg)
    opening = f'<svg role="img" aria-label="{_attribute(label)}" {view[0] if view else ""}>'
    return opening + svg[svg.index(">") + 1 :]


def _attribute(text: str) -> str:
    inert = {ord(c): f"&#{ord(c)};" for c in "&<>\"'"}
    return write_label(text, 400).translate(inert)


def _compact_tag(tag: str, used: set[str]) -> str:
    tag = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", tag)
    tag = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), tag)
    tag = re.sub(r"\s*([MLCQZz])\s+(?=[\d-]|\"|M)", r"\1", re.sub(r"\s+", " ", tag))
    tag = re.sub(r"font: ((?:bold|\d{3}) )?([\d.]+px)[^;\"]*", _font, tag)
    return re.sub(r"#[0-9a-f]{6}\b", lambda found: _VARIABLES.get(found[0], found[0]), tag)


def _font(found: re.Match[str]) -> str:
    weight = "font-weight: bold; " if found[1] else ""
    return f"{weight}font-size: {found[2]}"
