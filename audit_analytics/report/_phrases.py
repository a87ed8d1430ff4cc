"""What the templates of every format share: filters, and sentences in the current language.

Values are escaped for the format on their way into a sentence, so that no template can forget it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from markupsafe import Markup

from audit_analytics.language import translations
from audit_analytics.language.wording import show_api
from audit_analytics.report import _wording as wording
from audit_analytics.report._names import name_code, say_decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2.runtime import Context


def make_environment(
    finalize: Callable[[object], object], escape: Callable[[object], object], *, autoescape: bool
) -> Environment:
    """Make the environment of one format's templates.

    It has the filters that all formats have, and ``{% trans %}``, ``_`` and ``ngettext`` in the
    language of each rendering. `finalize` makes fit for the format what a template prints; `escape`
    does so for a value within a sentence, and leaves Markup as it is.
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
