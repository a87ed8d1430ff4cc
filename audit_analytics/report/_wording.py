"""Say numbers the way a person reads them; shared by every rendered format."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from audit_analytics.language import _, mark, ngettext, say_date, say_moment

_MIDNIGHT: Final = " 00:00"
_LONG_DAY: Final = mark("EEE d MMM y")

NONE: Final = "\N{EN DASH}"
"""What stands where there is no value."""

SHAPES: Final = {
    "critical": "◆",
    "high": "▲",
    "medium": "■",
    "low": "●",
    "none": "○",
    "unknown": "?",
}
"""A shape a severity, so that none is told by its colour alone."""

STATUS: Final = {
    "complete": (mark("Complete"), mark("every hour of the week has events")),
    "gaps": (mark("Gaps"), mark("some hours of the week have no event at all")),
    "unread": (mark("Not all read"), mark("part of the log could not be read")),
    "empty": (mark("No data"), mark("the log holds nothing for this week")),
}
"""Short and long text of a week's status."""

STATUS_SINCE: Final = {
    "complete": (mark("Complete"), mark("every hour since then has events")),
    "gaps": (mark("Gaps"), mark("some hours since then have no event at all")),
    "unread": STATUS["unread"],
    "empty": STATUS["empty"],
}
"""The same where only the last hours of a week in progress were asked for."""

STATUS_SHAPES: Final = {"complete": "●", "gaps": "◐", "unread": "◑", "empty": "○"}
"""A shape a status."""

NEXT_TO_NOTHING: Final = 0.05
"""Expected counts below this read "none": nobody waits for a thousandth of a call."""

MAX_REJECTS_SHARE: Final = 0.01
"""Share of rows that could not be read above which a log is not called complete."""


def number(value: float | None) -> str:
    """Write a number with thousands separators and no more digits than it is worth; None is a dash.

    >>> [number(v) for v in (1234567, 1234.5, 12.34, 3.0, 0.024, 0.00001)]
    ['1,234,567', '1,234', '12.3', '3', '0.02', '<0.001']
    """
    if value is None:
        return NONE
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    if size >= 1:
        return f"{value:.1f}"
    if size >= 0.01:
        return f"{value:.2f}"
    return f"{value:.3f}" if size >= 0.001 else "<0.001" if value > 0 else "0"


def expected(value: float | None) -> str:
    """Write how many were to be expected: ``none`` where it is next to nothing, a dash for None.

    >>> [expected(v) for v in (0.001, 0.4, 12.34, None)]
    ['none', '0.40', '12.3', '–']
    """  # noqa: RUF002
    if value is not None and value < NEXT_TO_NOTHING:
        return _("none")
    return number(value)


def amount(value: float, unit: str) -> str:
    """Write how many of what (in the plural) there were; one, no plural, after its unit.

    >>> amount(25, "networks in an hour"), amount(1, "networks in an hour")
    ('25 networks in an hour', 'networks in an hour: 1')
    """
    # a part of one is no singular
    whole = value if value == round(value) else 2
    return ngettext("{unit}: {count}", "{count} {unit}", whole, count=number(value), unit=unit)


def percent(share: float | None) -> str:
    """Write a share between 0 and 1 as per cent; None is a dash.

    >>> [percent(v) for v in (0, 0.0004, 0.0123, 0.42, 1)]
    ['0 %', '<0.1 %', '1.2 %', '42 %', '100 %']
    """
    if share is None:
        return NONE
    if 0 < share < 0.001:
        return _("{share} %", share="<0.1")
    digits = 1 if 0 < share < 0.1 or 0.99 < share < 1 else 0
    return _("{share} %", share=f"{100 * share:.{digits}f}")


def chance(p: float | None) -> str:
    """Write a probability as one in so many, to two digits; None is a dash.

    >>> [chance(v) for v in (0.00012, 0.05, 1e-12)]
    ['1 in 8,300', '1 in 20', 'less than 1 in a billion']
    """
    if p is None:
        return NONE
    if p < 1e-9:
        return _("less than 1 in a billion")
    return _("1 in {count}", count=f"{int(float(f'{1 / p:.2g}')):,}")


def rarity(expected_per_week: float | None) -> str:
    """Say in a clause what an E-value means: findings this extreme in an ordinary week.

    >>> rarity(0.02)
    'an ordinary week brings 0.02 as rare as this'
    """
    if expected_per_week is None:
        return _("not scored: a rule found it")
    if 0 < expected_per_week < 0.001:
        return _("an ordinary week brings fewer than 0.001 as rare as this")
    return _("an ordinary week brings {count} as rare as this", count=number(expected_per_week))


def interval(low: float | None, high: float | None) -> str:
    """Write an interval: ``low to high``, or a dash where neither is known.

    >>> interval(2, 31.4), interval(None, 5)
    ('2 to 31.4', 'up to 5')
    """
    if low is None and high is None:
        return NONE
    if low is None:
        return _("up to {high}", high=number(high))
    if high is None:
        return _("{low} or more", low=number(low))
    return _("{low} to {high}", low=number(low), high=number(high))


def _moment(local: str) -> str:
    """Write a local time with its weekday; a text that is no time comes back as it is.

    >>> _moment("2026-11-16 10:00")
    'Mon 16 Nov 2026, 10:00'
    """
    try:
        return say_moment(datetime.fromisoformat(local))
    except ValueError:
        return local


def span(start_local: str, end_local: str) -> str:
    """Write a local window, the day once where both ends share it; whole days without times.

    >>> span("2026-11-16 10:00", "2026-11-16 12:00"), span("2026-11-15 00:00", "2026-11-16 00:00")
    ('Mon 16 Nov 2026, 10:00 to 12:00', 'Sun 15 Nov 2026')
    """
    if start_local.endswith(_MIDNIGHT) and end_local.endswith(_MIDNIGHT):
        first, after = (datetime.fromisoformat(at) for at in (start_local, end_local))
        days = [say_date(day, _LONG_DAY) for day in (first, after - timedelta(days=1))]
        return days[0] if days[0] == days[1] else _("{start} to {end}", start=days[0], end=days[1])
    same_day = start_local[:10] == end_local[:10]
    end = end_local[11:] if same_day else _moment(end_local)
    return _("{start} to {end}", start=_moment(start_local), end=end)


def brief_span(start_local: str, end_local: str) -> str:
    """Write a local window as short as a table needs it: once what both ends share.

    >>> brief_span("2026-11-16 10:00", "2026-11-16 12:00")
    '2026-11-16 10:00–12:00'
    >>> brief_span("2026-11-16 00:00", "2026-11-17 00:00")
    '2026-11-16'
    >>> brief_span("2026-11-16 10:00", "2026-11-16 10:00")
    '2026-11-16 10:00'
    """  # noqa: RUF002
    if (
        start_local.endswith(_MIDNIGHT)
        and end_local.endswith(_MIDNIGHT)
        and start_local != end_local
    ):
        last = datetime.fromisoformat(end_local) - timedelta(days=1)
        start_local, end_local = start_local[:10], f"{last:%Y-%m-%d}"
    if start_local == end_local:
        return start_local
    end = end_local[11:] if start_local[:10] == end_local[:10] else end_local
    return f"{start_local}\N{EN DASH}{end}"


def local_time(at: str | None, zone: str) -> str:
    """Write an instant (ISO 8601, UTC) as day and minute on the clocks of a zone; None is a dash.

    >>> local_time("2026-11-15T16:00:00Z", "Asia/Shanghai")
    '2026-11-16 00:00'
    """
    if at is None:
        return NONE
    return f"{datetime.fromisoformat(at).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def change(count: int, previous: int | None) -> str:
    """Write how a count changed: per cent with a sign, or a dash where `previous` is None.

    >>> change(150, 100), change(5, 5), change(3, 0), change(3, None)
    ('+50 %', '±0 %', 'new', '–')
    """  # noqa: RUF002
    if previous is None:
        return NONE
    if previous == 0:
        return _("new") if count else NONE
    ratio = count / previous
    if ratio >= 10:
        return f"\N{MULTIPLICATION SIGN}{ratio:.0f}"
    share = round(100 * (ratio - 1))
    sign = "+" if share > 0 else "\N{MINUS SIGN}" if share < 0 else "±"
    return _("{share} %", share=f"{sign}{abs(share)}")


def share_of(part: float, whole: float) -> float:
    """Return a share from 0 to 1 with four decimals; 0 of nothing is 0.

    >>> share_of(1, 3), share_of(0, 0)
    (0.3333, 0.0)
    """
    return round(float(part / whole), 4) if whole else 0.0
