"""report.md, and what the templates of every format share: filters, and sentences in the language.

Values are escaped for the format on their way out and into a sentence, so that no template can
forget it; what is Markdown on purpose (code spans) is marked as such.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from audit_analytics.language import label_entity, translations
from audit_analytics.language.wording import show_api
from audit_analytics.report import _escape as escape
from audit_analytics.report import _wording as wording
from audit_analytics.report._names import name_code, say_decision, speak_as


def make_environment(
    finalize: Callable[[object], object], escape: Callable[[object], object], *, autoescape: bool
) -> Environment:
    """Make the environment of one format's templates, with the filters and the language of all.

    `finalize` makes fit for the format what a template prints; `escape` a value within a sentence.
    """

    def fill(text: str, values: dict[str, Any]) -> Markup:
        shown = {name: escape(value) for name, value in values.items()}
        return Markup(text % shown)  # noqa: S704 - the text is ours, the values are escaped

    def gettext(text: str, /, **values: object) -> Markup:
        return fill(translations().gettext(text), values)

    def ngettext(one: str, many: str, num: float, /, **values: object) -> Markup:
        whole = int(num) if num == int(num) else 2  # 1.5 days: a part is no singular
        return fill(translations().ngettext(one, many, whole), {"num": num, **values})

    # else what a filter makes of a constant is worked out once, in the language of the first page:
    # by the optimizer, and where a constant is put out, unless that depends on the context
    @pass_context
    def finalize_now(_context: Context, value: object) -> object:
        return finalize(value)

    environment = Environment(
        loader=PackageLoader("audit_analytics.report", "templates"),
        autoescape=autoescape,  # noqa: S701 - finalize escapes for Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize_now,
        optimized=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.filters |= {
        "amount": lambda pair: wording.amount(*pair),
        "api": show_api,
        "brief_span": lambda window: wording.brief_span(*window),
        "decision": say_decision,
        "expected": wording.expected,
        "named": name_code,
        "number": wording.number,
        "percent": wording.percent,
        "rarity": wording.rarity,
        "span": lambda window: wording.span(*window),
    }
    environment.policies["ext.i18n.trimmed"] = True
    # the callables fill in the values themselves, escaped: Jinja's "new style"
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.globals |= {"_": gettext, "gettext": gettext, "ngettext": ngettext}
    environment.globals |= {
        name: getattr(wording, name)
        for name in ("SHAPES", "STATUS", "STATUS_SHAPES", "STATUS_SINCE")
    }
    return environment


LIMIT_BYTES: Final = 8000
"""Largest report.md of a week with a dozen findings."""

FULL: Final = (30, 15, 12, 10, 8, 6, 4)
"""Findings told in full, from most to least; the first that keeps the limit."""


def render_markdown(report: dict[str, Any]) -> str:
    """Render the report as GitHub-flavoured Markdown, of :data:`LIMIT_BYTES` at most."""
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
