"""Translated sentences in templates: Jinja's ``{% trans %}`` and ``_()``.

Values are escaped for the format on their way into a sentence, so that no template can forget it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import pass_context
from markupsafe import Markup

from audit_analytics.language import translations

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment
    from jinja2.runtime import Context


def install_phrases(environment: Environment, escape: Callable[[object], object]) -> None:
    """Give templates ``{% trans %}``, ``_`` and ``ngettext``, in the language of each rendering.

    Parameters
    ----------
    environment : jinja2.Environment
        Where the templates live; none of them was loaded yet.
    escape : callable
        Makes one value fit to stand in the format; leaves Markup as it is.
    """

    def fill(text: str, values: dict[str, Any]) -> Markup:
        shown = {name: escape(value) for name, value in values.items()}
        return Markup(text % shown)  # noqa: S704 - the text is ours, the values are escaped

    def gettext(text: str, /, **values: object) -> Markup:
        return fill(translations().gettext(text), values)

    def ngettext(one: str, many: str, num: float, /, **values: object) -> Markup:
        whole = int(num) if num == int(num) else 2  # 1.5 days: a part is no singular
        return fill(translations().ngettext(one, many, whole), {"num": num, **values})

    finalize = environment.finalize or (lambda value: value)

    @pass_context
    def finalize_now(_context: Context, value: object) -> object:
        return finalize(value)

    # else what a filter makes of a constant is worked out once, in the language of the first page:
    # by the optimizer, and where a constant is put out, unless that depends on the context
    environment.optimized = False
    environment.finalize = finalize_now
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    # the callables fill in the values themselves, escaped: Jinja's "new style"
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.globals |= {"_": gettext, "gettext": gettext, "ngettext": ngettext}
