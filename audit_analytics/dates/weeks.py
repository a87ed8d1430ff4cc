"""ISO weeks on the tenant's clocks; spans and instants as people write them, such as ``28d``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

import pandas as pd

from audit_analytics.dates.buckets import (
    HOURS_PER_DAY,
    end_bucket,
    floor_at,
    list_buckets,
    load_zone,
    local_days,
    read_clocks,
)
from audit_analytics.errors import ConfigError

_MOST_DAYS: Final = 4
_SETTLED: Final = pd.Timedelta(hours=3)
_EARLIER: Final = pd.Timedelta(hours=6)
_DAY: Final = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Week:
    """One ISO week in a tenant's zone.

    Parameters
    ----------
    iso : str
        ISO 8601 week, for example ``2026-W46``.
    start_at, end_at : pandas.Timestamp
        Monday 00:00 and the next Monday 00:00 of the tenant's zone, in UTC.
    zone : str
        IANA name of the tenant's zone.
    since_at : pandas.Timestamp, optional
        Only what went on after this instant is asked for, UTC; the whole week if not given.
    """

    iso: str
    start_at: pd.Timestamp
    end_at: pd.Timestamp
    zone: str
    since_at: pd.Timestamp | None = None

    @property
    def hours(self) -> pd.DatetimeIndex:
        """Return the start of every hour of the week, UTC; 167 or 169 where the clocks are changed."""
        return list_buckets(self.start_at, self.end_at, "1h", zone=self.zone)[:-1]

    def shifted(self, weeks: int) -> Week:
        """Return the week of the same zone that lies `weeks` later.

        Parameters
        ----------
        weeks : int
            How many weeks later; negative for earlier.

        Returns
        -------
        Week
            That week.
        """
        monday = self.start_at.tz_convert(self.zone).date() + timedelta(weeks=weeks)
        return _make_week(monday, self.zone)


def week_of(at: pd.Timestamp, *, zone: str) -> Week:
    """Return the ISO week that an instant falls into.

    Parameters
    ----------
    at : pandas.Timestamp
        An instant with a time zone.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    Week
        The week.
    """
    load_zone(zone)
    day = at.tz_convert(zone).date()
    return _make_week(day - timedelta(days=day.weekday()), zone)


@lru_cache(maxsize=256)
def _make_week(monday: date, zone: str) -> Week:
    year, week, _ = monday.isocalendar()
    days = pd.DatetimeIndex([monday, monday + timedelta(weeks=1)], dtype="datetime64[us]")
    start, end = read_clocks(days, zone)
    return Week(f"{year:04d}-W{week:02d}", start, end, zone)


def parse_week(text: str, *, zone: str) -> Week:
    """Read an ISO week; a ConfigError if it is none.

    Parameters
    ----------
    text, zone : str
        ISO 8601 week, for example ``2026-W46``, and IANA name of the tenant's zone.

    Returns
    -------
    Week
        The week.
    """
    # a log of another century is a slip of the hand, and no Timestamp reaches past the year 9999
    match = re.fullmatch(r"((?:19|20|21)\d\d)-?W(\d{2})", text.strip().upper())
    year, number = (int(match[1]), int(match[2])) if match else (0, 0)
    try:
        monday = date.fromisocalendar(year, number, 1)
    except ValueError as error:
        raise ConfigError(
            f"week: {text!r} is no ISO week; write it like 2026-W46 (year, W, week 01-53)"
        ) from error
    load_zone(zone)
    return _make_week(monday, zone)


def find_begin(at: pd.Series, *, zone: str) -> pd.Timestamp:
    """Return the start of the first hour in which the log is really there.

    Parameters
    ----------
    at : pandas.Series of datetime64[us, UTC]
        Instants of the events.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    pandas.Timestamp
        A whole hour, UTC; NaT without events. Stray events of years before do not count.
    """
    return _list_solid(at, zone).min()


def find_end(at: pd.Series, *, zone: str) -> pd.Timestamp:
    """Return the end of the last hour that the log really reaches.

    Parameters
    ----------
    at : pandas.Series of datetime64[us, UTC]
        Instants of all events, at least one.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    pandas.Timestamp
        A whole hour, UTC. Stray events with a date far in the future do not count.
    """
    return end_bucket(_list_solid(at, zone).max(), "1h", zone=zone)


def _list_solid(at: pd.Series, zone: str) -> pd.Series:
    """Return the hours with events, but for stray ones: parts of less than a day, a week apart."""
    hours = pd.Series(floor_at(pd.Series(at.unique()), "1h", zone=zone).unique()).sort_values()
    part = (hours.diff() > pd.Timedelta(weeks=1)).cumsum()
    size = part.map(part.value_counts())
    solid = hours[size >= HOURS_PER_DAY]
    return hours if solid.empty else solid


def choose_report_week(at: pd.Series, *, zone: str) -> Week:
    """Return the week a report is about: the last complete one that is worth a report.

    A week is complete when the log begins on its first day or before, and goes on into its last
    three hours, or as late into its last day as the weeks before it did, or, where most of them
    ended a day or more before Sunday did, to within six hours of that: neither a quiet Sunday night
    nor a weekend off must push the report back by a week. It is worth a report with events on four
    of its days; where no week has seven of them, on half as many as the fullest week has: neither a
    stray event in the future nor a week in which the log stopped moves the report to an empty week.
    A log without such a week is judged by the last one with half the hours of its fullest.

    Parameters
    ----------
    at : pandas.Series of datetime64[us, UTC]
        Instants of all events, at least one.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    Week
        The week to report on.
    """
    hours = pd.DatetimeIndex(floor_at(at, "1h", zone=zone).unique()).sort_values()
    days = local_days(hours, zone=zone)
    mondays = days - pd.to_timedelta(days.day_of_week, unit="D")
    hours_in = mondays.value_counts().sort_index()
    days_in = pd.Series(mondays, index=days).groupby(level=0).first().value_counts().sort_index()
    begin = find_begin(at, zone=zone)
    needed = min(_MOST_DAYS, -(-int(days_in.max()) // 2))
    full = [_make_week(monday.date(), zone) for monday in days_in.index[days_in >= needed]]
    full = [week for week in full if begin < week.start_at + _DAY]
    silences = [week.end_at - at[at < week.end_at].max() for week in full]
    for number, week in reversed([*enumerate(full)]):
        earlier = pd.Series(silences[:number], dtype="timedelta64[us]")
        usual = max([_SETTLED, *earlier[earlier < _DAY]])
        if number > 1 and earlier.median() >= _DAY:
            usual = max(usual, earlier.median() + _EARLIER)
        if at.between(week.end_at - usual, week.end_at + pd.Timedelta(weeks=1)).any():
            return week
    return _make_week(hours_in.index[hours_in * 2 >= hours_in.max()][-1].date(), zone)


_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_since(text: str, now: datetime, *, zone: str = "UTC") -> datetime:
    """Read where a sync begins; a ConfigError where the text does not say.

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
    """Read a length of time; a ConfigError if it is none.

    Parameters
    ----------
    text : str
        A whole number with ``m``, ``h``, ``d`` or ``w``, for ten years at most.

    Returns
    -------
    datetime.timedelta
        The length.
    """
    found = re.fullmatch(r"([1-9]\d{0,6})([mhdw])", text.strip())
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < span <= timedelta(days=3653):
        raise ConfigError(
            f"{text[:40]!r} is no span of up to ten years; write one such as 28d or 12h"
        )
    return span
