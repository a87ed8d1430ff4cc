"""Spans and instants as people write them: ``28d``, ``2h``, ``2026-03-01``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from audit_analytics.dates.buckets import load_zone
from audit_analytics.errors import ConfigError

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_since(text: str, now: datetime, *, zone: str = "UTC") -> datetime:
    """Read where a sync begins.

    Parameters
    ----------
    text : str
        A span before `now` such as ``28d``, ``12h`` or ``2w``, or a date or time in ISO 8601.
    now : datetime.datetime
        The time.
    zone : str, default 'UTC'
        IANA zone of a date or time that names none.

    Returns
    -------
    datetime.datetime
        The instant, in UTC.

    Raises
    ------
    ConfigError
        The text is neither.

    Examples
    --------
    >>> str(read_since("2d", datetime(2026, 3, 3, tzinfo=UTC)))
    '2026-03-01 00:00:00+00:00'
    """
    try:
        return now.astimezone(UTC) - read_span(text)
    except ConfigError:
        pass
    try:
        at = datetime.fromisoformat(text)
        return (
            at if at.utcoffset() is not None else at.replace(tzinfo=load_zone(zone))
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{text[:40]!r} is neither a span such as 28d or 12h nor a date such as 2026-03-01"
        ) from None


def read_span(text: str) -> timedelta:
    """Read a length of time.

    Parameters
    ----------
    text : str
        A whole number with ``m``, ``h``, ``d`` or ``w``.

    Returns
    -------
    datetime.timedelta
        The length.

    Raises
    ------
    ConfigError
        The text is something else, or nothing, or longer than ten years.

    Examples
    --------
    >>> read_span("28d")
    datetime.timedelta(days=28)
    """
    found = re.fullmatch(r"([1-9]\d{0,6})([mhdw])", text.strip())
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < span <= timedelta(days=3653):
        raise ConfigError(
            f"{text[:40]!r} is no span of up to ten years; write one such as 28d or 12h"
        )
    return span
