"""Sentences of the report, whole, with named placeholders, so that they can be translated.

Templates say them with Jinja's ``{% trans %}`` and ``_()``, modules with :func:`translate`. Values
are escaped for the format on their way into a sentence, so that no template can forget it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment


def mark(text: str) -> str:
    """Mark a text that is translated where it is shown.

    Parameters
    ----------
    text : str
        English text; a literal.

    Returns
    -------
    str
        The same text.
    """
    return text


def translate(text: str, /, **values: object) -> str:
    """Say a text in the language of the report.

    Parameters
    ----------
    text : str
        English text; a literal.
    **values : object
        Values of ``{name}`` placeholders, formatted already.

    Returns
    -------
    str
        The text with its values.

    Examples
    --------
    >>> translate("up to {number}", number=5)
    'up to 5'
    """
    return text.format(**values) if values else text


def install_phrases(environment: Environment, escape: Callable[[object], object]) -> None:
    """Give templates ``{% trans %}``, ``_`` and ``ngettext``.

    Parameters
    ----------
    environment : jinja2.Environment
        Where the templates live.
    escape : callable
        Makes one value fit to stand in the format; leaves Markup as it is.
    """

    def fill(text: str, values: dict[str, Any]) -> Markup:
        shown = {name: escape(value) for name, value in values.items()}
        return Markup(text % shown)  # noqa: S704 - the text is ours, the values are escaped

    def gettext(text: str, /, **values: object) -> Markup:
        return fill(translate(text), values)

    def ngettext(one: str, many: str, num: int, /, **values: object) -> Markup:
        return fill(translate(one if num == 1 else many), {"num": num, **values})

    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    # the callables fill in the values themselves, escaped: Jinja's "new style"
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.globals |= {"_": gettext, "gettext": gettext, "ngettext": ngettext}
