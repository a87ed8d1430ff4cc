"""A figure as SVG that stands inside an HTML page."""

import io
import re
import warnings
from collections import Counter
from itertools import pairwise
from typing import Final

from matplotlib import rc_context
from matplotlib.figure import Figure, SubFigure

from audit_analytics.plots._style import COLOURS, STYLE, write_label

_VARIABLES: Final = {value: f"var(--plot-{name},{value})" for name, value in COLOURS.items()}

TOLERANCE: Final = 2.5
"""How far a drawn line may miss a point, in tenths of a CSS pixel."""

MAX_DROPPED: Final = 40
_PLAIN: Final = {
    ("stroke-linecap", "butt"),
    ("stroke-linecap", "square"),
    ("stroke-linejoin", "round"),
    ("stroke-linejoin", "miter"),
    ("stroke-dashoffset", "0"),
    ("text-anchor", "start"),
}
"""What a browser does anyway, or the page says once for all plots."""


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
        An ``<svg>`` element with colours as CSS variables, text as text and no inline style; the
        same bytes for the same figure.

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
    svg = re.sub(r"<[^/>][^>]*>", lambda tag: _compact_tag(tag[0], used), svg)
    svg = _drop_idle(re.sub(r">\s+<", "><", svg).strip())
    view = re.search(r'viewBox="[^"]*"', svg)
    shared, body = _share_text_style(svg[svg.index(">") + 1 :])
    return (
        f'<svg role="img" aria-label="{_attribute(label)}" {view[0] if view else ""}{shared}>{body}'
    )


def _attribute(text: str) -> str:
    inert = {ord(c): f"&#{ord(c)};" for c in "&<>\"'"}
    return write_label(text, 400).translate(inert)


def _share_text_style(body: str) -> tuple[str, str]:
    """Say once what most texts say: their size and colour."""
    shared = ""
    for name in ("font-size", "fill"):
        found = Counter(re.findall(rf'<text[^>]* ({name}="[^"]*")', body)).most_common(1)
        if found:
            shared += f" {found[0][0]}"
            body = re.sub(rf"(<text[^>]*) {re.escape(found[0][0])}", r"\1", body)
    return shared, body


def _drop_idle(svg: str) -> str:
    """Drop groups that group nothing and shapes that draw nothing."""
    svg = re.sub(r'<path d="[^"]*" fill="none"/>|<g/>|<defs></defs>', "", svg)
    stack: list[bool] = []

    def keep(tag: re.Match[str]) -> str:
        if tag[0] == "</g>":
            return "" if stack.pop() else tag[0]
        stack.append(tag[0] == "<g>")
        return "" if stack[-1] else tag[0]

    return re.sub(r"</?g(?: [^>]*[^/])?>", keep, svg)


def _compact_tag(tag: str, used: set[str]) -> str:
    tag = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", tag)
    tag = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), tag)
    tag = re.sub(r"\s+", " ", tag).replace(' xml:space="preserve"', "")
    if " transform=" in tag:
        tag = re.sub(r' transform="rotate\(-?0 [^"]*\)"', "", tag)
    if " d=" in tag:
        tag = re.sub(r' d="([^"]*)"', lambda found: f' d="{_compact_path(found[1])}"', tag)
    if " style=" in tag:
        tag = re.sub(r' style="([^"]*)"', _as_attributes, tag)
    return re.sub(r"#[0-9a-f]{6}\b", lambda found: _VARIABLES.get(found[0], found[0]), tag)


def _as_attributes(found: re.Match[str]) -> str:
    """Write a style as attributes: a content security policy may forbid inline styles."""
    pairs = [rule.split(":", 1) for rule in found[1].split(";") if ":" in rule]
    rules = {name.strip(): value.strip() for name, value in pairs}
    rules.pop("font-family", None)
    font = re.search(r"((?:bold|\d{3}) )?([\d.]+px)", rules.pop("font", ""))
    if font:
        rules |= {"font-size": font[2]} | ({"font-weight": "bold"} if font[1] else {})
    return "".join(
        f' {name}="{value}"' for name, value in rules.items() if (name, value) not in _PLAIN
    )


def _compact_path(path: str) -> str:
    """Write straight lines with steps instead of places, without the points on the way."""
    if not re.fullmatch(r"(?:[ML] ?-?[\d.]+ -?[\d.]+ ?|[zZ] ?)+", path):
        return re.sub(r"\s*([MLCQZz])\s*", r"\1", path)
    written = ""
    for part in re.findall(r"M[^M]*", path):
        numbers = [round(10 * float(number)) for number in re.findall(r"-?[\d.]+", part)]
        points = _drop_midpoints(list(zip(numbers[::2], numbers[1::2], strict=True)))
        steps = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(points)]
        line = "".join(_write_tenths(n) for step in steps for n in step).lstrip()
        written += f"M{_write_tenths(points[0][0]).lstrip()}{_write_tenths(points[0][1])}"
        written += (f"l{line}" if line else "") + ("z" if "z" in part.lower() else "")
    return written


def _drop_midpoints(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Keep the points that a line through the others would miss by more than `TOLERANCE`."""
    kept, between = points[:1], []
    for here, after in pairwise(points[1:]):
        between.append(here)
        if len(between) > MAX_DROPPED or _misses(kept[-1], between, after):
            kept.append(here)
            between = []
    return [*kept, *points[1:][-1:]]


def _misses(start: tuple[int, int], points: list[tuple[int, int]], end: tuple[int, int]) -> bool:
    """Tell whether a line would miss one of the points."""
    x, y = start
    wide, high = end[0] - x, end[1] - y
    length = (wide**2 + high**2) ** 0.5
    whole, near = length**2, TOLERANCE * length
    # the latest is missed first, mostly; a point behind either end is a turn, not on the way
    return any(
        not 0 <= (right - x) * wide + (up - y) * high <= whole
        or abs((right - x) * high - (up - y) * wide) > near
        for right, up in reversed(points)
    )


def _write_tenths(number: int) -> str:
    text = f"{number / 10:.1f}".removesuffix(".0")
    return text if number < 0 else f" {text}"
