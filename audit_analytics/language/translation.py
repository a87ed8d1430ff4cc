"""The language of a report: translated texts, numbers and dates in its form.

Source texts are English; a catalogue ``<language>.po`` beside this module holds every other
language, and is read as it is, so that no compiled file can lag behind it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final

from babel.dates import format_date, format_datetime, format_time, get_day_names
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations

from audit_analytics.errors import ConfigError

LANGUAGES: Final = {"en": "English", "zh": "中文"}
"""Languages a report can be written in."""

HTML_CODES: Final = {"en": "en", "zh": "zh-Hans"}
"""Their codes for the ``lang`` attribute of a page."""

_SENTENCE_SPACES: Final = {"en": " ", "zh": ""}

_chosen: ContextVar[str] = ContextVar("language", default="en")


@contextmanager
def use_language(language: str) -> Iterator[None]:
    """Speak a language inside a ``with`` block.

    Parameters
    ----------
    language : str
        A key of :data:`LANGUAGES`; else a ConfigError.

    Yields
    ------
    None
        The former language is back after the block.

    Raises
    ------
    ConfigError
        There is no catalogue of that language.

    Examples
    --------
    >>> with use_language("zh"):
    ...     current_language()
    'zh'
    """
    if language not in LANGUAGES:
        known = ", ".join(f"{code} ({name})" for code, name in LANGUAGES.items())
        raise ConfigError(f"there is no report in the language {language!r}; choose one of {known}")
    token = _chosen.set(language)
    try:
        yield
    finally:
        _chosen.reset(token)


def current_language() -> str:
    """Return the language that is spoken now.

    Returns
    -------
    str
        A key of :data:`LANGUAGES`; ``en`` outside :func:`use_language`.
    """
    return _chosen.get()


def _(text: str, /, **values: object) -> str:
    """Translate a text and fill its placeholders.

    >>> _("on {day} at {time}", day="Tue 10 Nov", time="02:00")
    'on Tue 10 Nov at 02:00'
    """
    translated: str = translations().gettext(text)
    return translated.format(**values) if values else translated


def mark(text: str, /) -> str:
    """Mark a text for the catalogue that is translated where it is shown.

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


def ngettext(singular: str, plural: str, count: float, /, **values: object) -> str:
    """Translate a text that counts something.

    Parameters
    ----------
    singular, plural : str
        English texts; ``{n}`` stands for the number.
    count : float
        How many, rounded to a whole number.
    **values : object
        Values of further placeholders.

    Returns
    -------
    str
        The text in the current language.

    Examples
    --------
    >>> ngettext("{n} call", "{n} calls", 4312)
    '4,312 calls'
    """
    whole = round(count)
    translated: str = translations().ngettext(singular, plural, whole)
    return translated.format(n=say_number(whole), **values)


def join_sentences(sentences: Iterable[str]) -> str:
    """Put whole sentences one after the other, without a space in Chinese.

    Parameters
    ----------
    sentences : iterable of str
        Each with its full stop.

    Returns
    -------
    str
        A paragraph.

    Examples
    --------
    >>> join_sentences(["Nothing stood out.", "All is told."])
    'Nothing stood out. All is told.'
    """
    return _SENTENCE_SPACES[current_language()].join(sentences)


def say_number(value: float, *, digits: int = 0) -> str:
    """Write a number with the separators of the language.

    Parameters
    ----------
    value : float
        Any finite number.
    digits : int, default=0
        Digits after the decimal point.

    Returns
    -------
    str
        The number.

    Examples
    --------
    >>> say_number(1234567), say_number(0.5, digits=2)
    ('1,234,567', '0.50')
    """
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return str(format_decimal(value, format=pattern, locale=current_language()))


def say_day(day: date) -> str:
    """Write a day with its weekday.

    Parameters
    ----------
    day : datetime.date
        A day, or an instant on the clocks of the reader.

    Returns
    -------
    str
        For example ``Tue 10 Nov``.

    Examples
    --------
    >>> from datetime import date
    >>> with use_language("zh"):
    ...     say_day(date(2026, 11, 10))
    '11月10日周二'
    """
    # translators: a date pattern of Unicode CLDR, with the weekday in short
    return str(format_date(day, _("EEE d MMM"), locale=current_language()))


def say_date(day: date, pattern: str) -> str:
    """Write a date after a pattern of the catalogue.

    Parameters
    ----------
    day : datetime.date
        A day, or an instant on the clocks of the reader.
    pattern : str
        English date pattern of Unicode CLDR, marked for the catalogue with :func:`mark`.

    Returns
    -------
    str
        For example ``10 Nov`` of ``d MMM``.

    Examples
    --------
    >>> from datetime import date
    >>> say_date(date(2026, 11, 10), mark("d MMM"))
    '10 Nov'
    """
    return str(format_date(day, _(pattern), locale=current_language()))


def say_moment(at: datetime) -> str:
    """Write a day with its weekday, its year and the time.

    Parameters
    ----------
    at : datetime.datetime
        An instant on the clocks of the reader, with or without its zone.

    Returns
    -------
    str
        For example ``Mon 16 Nov 2026, 10:00``.

    Examples
    --------
    >>> from datetime import datetime
    >>> say_moment(datetime(2026, 11, 16, 10))
    'Mon 16 Nov 2026, 10:00'
    """
    # translators: a date pattern of Unicode CLDR
    pattern = _("EEE d MMM y, HH:mm")
    return str(format_datetime(at, pattern, locale=current_language(), tzinfo=at.tzinfo))


def list_weekdays() -> list[str]:
    """Name the days of the week, from Monday on.

    Returns
    -------
    list of str
        Their short names.

    Examples
    --------
    >>> with use_language("zh"):
    ...     list_weekdays()[:2]
    ['周一', '周二']
    """
    names = get_day_names("abbreviated", locale=current_language())
    return [str(names[day]) for day in range(7)]


def say_time(at: datetime) -> str:
    """Write the time of day.

    Parameters
    ----------
    at : datetime.datetime
        An instant on the clocks of the reader.

    Returns
    -------
    str
        Hours and minutes, for example ``02:00``.
    """
    return str(format_time(at, "HH:mm", locale=current_language(), tzinfo=at.tzinfo))


def translations() -> NullTranslations:
    """Return the catalogue of the current language, for Jinja's i18n extension as well.

    Returns
    -------
    babel.support.NullTranslations
        With ``gettext`` and ``ngettext``.
    """
    return _load(current_language())


@cache
def _load(language: str) -> NullTranslations:
    if language == "en":
        return NullTranslations()
    text = files("audit_analytics.language").joinpath(f"{language}.po").read_bytes()
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(text), locale=language))
    compiled.seek(0)
    return Translations(compiled)
