"""Parts that the sentences of several detectors share: times, counts, names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from audit_analytics.language import _, ngettext, say_day, say_number, say_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from audit_analytics.cases import Hit

MAX_NAMES: Final = 3


def format_span(start: pd.Timestamp, end: pd.Timestamp, zone: str) -> str:
    """Say a time span on the tenant's clocks.

    Parameters
    ----------
    start, end : pandas.Timestamp
        Begin and end, UTC.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    str
        For example ``between 02:00 and 05:00 on Tue 10 Nov`` or ``on Tue 10 Nov``.
    """
    begin, finish = start.tz_convert(zone), end.tz_convert(zone)
    day = say_day(begin)
    # the day that begins where the span ends is none of it
    last = say_day(finish - timedelta(seconds=1))
    if _begins_day(begin) and _begins_day(finish):
        if finish.date() - begin.date() == timedelta(days=1):
            return _("on {day}", day=day)
        return _("from {day} to {last_day}", day=day, last_day=last)
    times = {"time": say_time(begin), "end_time": _say_end(finish)}
    if begin.date() == (finish - timedelta(seconds=1)).date():
        return _("between {time} and {end_time} on {day}", day=day, **times)
    return _(
        "between {time} on {day} and {end_time} on {last_day}", day=day, last_day=last, **times
    )


def _say_end(at: pd.Timestamp) -> str:
    """Say what clocks show where a span ends, were they not set forward or back just then."""
    shown = (at - timedelta(seconds=1)).tz_localize(None) + timedelta(seconds=1)
    # a day ends at 24:00; at 00:00 it begins
    return "24:00" if shown == shown.normalize() else say_time(shown)


def _begins_day(at: pd.Timestamp) -> bool:
    """Return whether a day begins; some zones change their clocks at midnight."""
    return bool(at.date() != (at - timedelta(seconds=1)).date())


def format_start(start: pd.Timestamp, zone: str) -> str:
    """Say an instant on the tenant's clocks.

    Parameters
    ----------
    start : pandas.Timestamp
        An instant, UTC.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    str
        For example ``on Tue 10 Nov at 02:00``.
    """
    begin = start.tz_convert(zone)
    return _("on {day} at {time}", day=say_day(begin), time=say_time(begin))


def list_names(names: Sequence[str]) -> str:
    """Name the first few of many.

    Parameters
    ----------
    names : sequence of str
        Names, the most telling first.

    Returns
    -------
    str
        At most three names, and how many more.
    """
    shown, more = _(", ").join(names[:MAX_NAMES]), len(names) - MAX_NAMES
    if more <= 0:
        return shown
    return ngettext("{names} and {n} more", "{names} and {n} more", more, names=shown)


def show_api(api: str) -> str:
    """Write an API the way people do, with a space after the method.

    Parameters
    ----------
    api : str
        Canonical API.

    Returns
    -------
    str
        For example ``GET contact/v3/users/:user_id``.
    """
    method, slash, path = api.partition("/")
    return f"{method} {path.removeprefix('open-apis/') or slash}" if slash else api


def say_when(hit: Hit, zone: str) -> str:
    """Say when a hit was, on the tenant's clocks.

    Parameters
    ----------
    hit : Hit
        What a detector found.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    str
        A phrase such as ``on Tue 10 Nov``, with the busiest hours where they are known.
    """
    when, busy = format_span(hit.start_at, hit.end_at, zone), hit.facts.get("busy")
    if not busy:
        return when
    first, last = (at.tz_convert(zone) for at in busy)
    return _(
        "{when}, mostly between {time} and {end_time}",
        when=when,
        time=say_time(first),
        end_time=_say_end(last),
    )


def say_apis(names: Sequence[str]) -> str:
    """Name the first few of many APIs.

    Parameters
    ----------
    names : sequence of str
        Canonical APIs, the most telling first.

    Returns
    -------
    str
        At most three names, and how many more.
    """
    return list_names([show_api(name) for name in names])


def say_times(count: float) -> str:
    """Say how many times.

    Parameters
    ----------
    count : float
        How many.

    Returns
    -------
    str
        For example ``4,312 times``.
    """
    return ngettext("{n} time", "{n} times", count)


def say_calls(count: float) -> str:
    """Say how many calls.

    Parameters
    ----------
    count : float
        How many.

    Returns
    -------
    str
        For example ``1 call``.
    """
    return ngettext("{n} call", "{n} calls", count)


def say_apps(count: float) -> str:
    """Say how many apps.

    Parameters
    ----------
    count : float
        How many.

    Returns
    -------
    str
        For example ``12 apps``.
    """
    return ngettext("{n} app", "{n} apps", count)


def say_expected(hit: Hit) -> str:
    """Say how many were expected, from the ends of the interval.

    Parameters
    ----------
    hit : Hit
        What a detector found.

    Returns
    -------
    str
        A clause such as ``0 to 6 were expected``.
    """
    low, high = round(hit.low or 0), round(hit.high or 0)
    if not high:
        return _("none were expected")
    if low == high:
        return ngettext("{n} was expected", "{n} were expected", high)
    return _("{low} to {high} were expected", low=say_number(low), high=say_number(high))


def say_outcome(outcome: str) -> str:
    """Say a class of errors.

    Parameters
    ----------
    outcome : str
        One of :data:`audit_analytics.schema.OUTCOMES`.

    Returns
    -------
    str
        An adjective such as ``not-found``.
    """
    names = {
        "auth": _("authentication"),
        "permission": _("permission"),
        "not_found": _("not-found"),
        "rate_limit": _("rate-limit"),
        "param": _("parameter"),
        "server": _("server"),
        "other": _("unknown-code"),
    }
    return names[outcome]


def say_errors(count: float, outcome: str) -> str:
    """Say how many errors of a class.

    Parameters
    ----------
    count : float
        How many.
    outcome : str
        One of :data:`audit_analytics.schema.OUTCOMES`.

    Returns
    -------
    str
        For example ``10 authentication errors``.
    """
    return ngettext(
        "{n} {outcome} error", "{n} {outcome} errors", count, outcome=say_outcome(outcome)
    )


def say_beat(sentence: str, gap: float | None) -> str:
    """Add to a sentence that its calls keep a beat.

    Parameters
    ----------
    sentence : str
        What is told.
    gap : float or None
        Seconds between two calls; None if they are not even.

    Returns
    -------
    str
        The sentence, and a second one where there is a beat.
    """
    if not gap:
        return sentence
    return _(
        "{sentence} The calls come every {gap}, like a clock.", sentence=sentence, gap=_say_gap(gap)
    )


def _say_gap(seconds: float) -> str:
    if seconds >= 0.95 * 3600:
        return _decimal(seconds / 3600, _("hour"), _("{number} hours"))
    if seconds >= 1.95 * 60:
        return _decimal(seconds / 60, _("minute"), _("{number} minutes"))
    return ngettext("{n} second", "{n} seconds", seconds)


def _decimal(value: float, one: str, many: str) -> str:
    number = say_number(value, digits=0 if abs(value - round(value)) < 0.05 else 1)
    return one if number == "1" else many.format(number=number)
