"""report.md: the report as GitHub-flavoured Markdown, readable raw and rendered.

Every text the template prints is escaped on its way out; what is Markdown on purpose (code spans)
is marked as such.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from audit_analytics.language import label_entity
from audit_analytics.report import _escape as escape
from audit_analytics.report import _wording as wording
from audit_analytics.report._names import speak_as
from audit_analytics.report._phrases import make_environment

if TYPE_CHECKING:
    from jinja2 import Environment

LIMIT_BYTES: Final = 8000
"""Largest report.md of a week with a dozen findings."""

FULL: Final = (30, 15, 12, 10, 8, 6, 4)
"""Findings told in full, from most to least; the first that keeps the limit."""


def render_markdown(report: dict[str, Any]) -> str:
    """Render the report as GitHub-flavoured Markdown.

    Where it would be more than :data:`LIMIT_BYTES`, lower ranks are named only, and it says so.
    """
    text, template = "", _environment().get_template("report.md.j2")
    with speak_as(report):
        for full in FULL:
            text = template.render(r=report, full=full)
            text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
            if len(text.encode("utf-8", "replace")) <= LIMIT_BYTES:
                break
    return text


@cache
def _environment() -> Environment:
    environment = make_environment(_escape, _escape_value, autoescape=False)
    environment.filters["code"] = _code
    return environment


def _escape(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return escape.markdown(value)
    return value


def _escape_value(value: object) -> object:
    return wording.number(value) if isinstance(value, int | float) else _escape(value)


def _code(text: str, limit: int = escape.NAME_LIMIT) -> Markup:
    """Write a name or, of an entity that has one, its label; that needs more room."""
    label = label_entity(text)
    limit = limit if label == text else escape.NAME_LIMIT
    return Markup(escape.markdown_code(label, limit))  # noqa: S704
