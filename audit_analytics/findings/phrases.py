"""Put values into texts, numbers and days into words.

Every text a finding says is a template that stands whole in the source, with named placeholders;
counted things have a template for one and for many. Nothing is glued from parts of sentences, so
that a translation can put every part where its language wants it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime


def _(text: str, /, **values: object) -> str:
    """Fill the placeholders of a text.

    Parameters
    ----------
    text : str
        The template.
    **values : object
        Values of its ``{name}`` placeholders, formatted already.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> _("on {day} at {time}", day="Tue 10 Nov", time="02:00")
    'on Tue 10 Nov at 02:00'
    """
    return text.format(**values) if values else text


def ngettext(singular: str, plural: str, count: float, /, **values: object) -> str:
    """Fill the placeholders of a text that counts something.

    Parameters
    ----------
    singular, plural : str
        Templates; ``{n}`` stands for the number.
    count : float
        How many, rounded to a whole number.
    **values : object
        Values of further placeholders.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> ngettext("{n} call", "{n} calls", 4312), ngettext("{n} call", "{n} calls", 1)
    ('4,312 calls', '1 call')
    """
    whole = round(count)
    return (singular if whole == 1 else plural).format(n=say_number(whole), **values)


def say_number(value: float, *, digits: int = 0) -> str:
    """Write a number with separators.

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
    return f"{value:,.{digits}f}"


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
    >>> say_day(date(2026, 11, 10))
    'Tue 10 Nov'
    """
    return f"{day:%a} {day.day} {day:%b}"


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
    return f"{at:%H:%M}"
