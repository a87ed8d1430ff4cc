"""ISO weeks, hours and working-time slots; the only module that knows the tenant's zone.

Everything else counts in UTC. An analyst's week, a night shift and a holiday exist only in the
zone of the tenant, and are worked out here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from audit_analytics.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

HOURS_PER_DAY: Final = 24
SLOTS_COUNT: Final = 2 * HOURS_PER_DAY
"""Number of hour slots: {working day, weekend or holiday} x 24 hours."""

_MOST_DAYS: Final = 4
_SETTLED: Final = pd.Timedelta(hours=3)


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

    Examples
    --------
    >>> parse_week("2026-W46", zone="Asia/Shanghai").start_at
    Timestamp('2026-11-08 16:00:00+0000', tz='UTC')
    """

    iso: str
    start_at: pd.Timestamp
    end_at: pd.Timestamp
    zone: str
    since_at: pd.Timestamp | None = None

    @property
    def hours(self) -> pd.DatetimeIndex:
        """Return the start of every hour of the week.

        Returns
        -------
        pandas.DatetimeIndex of shape (168,)
            UTC; 167 or 169 long where the zone changes its clocks. Where its clocks differ from
            UTC by a half hour, an hour belongs to the week it begins in.
        """
        return pd.date_range(self.start_at.ceil("h"), self.end_at, freq="h", inclusive="left")

    def shifted(self, weeks: int) -> Week:
        """Return the week that lies `weeks` later.

        Parameters
        ----------
        weeks : int
            How many weeks later; negative for earlier.

        Returns
        -------
        Week
            That week, in the same zone.
        """
        monday = self.start_at.tz_convert(self.zone).date() + timedelta(weeks=weeks)
        return _make_week(monday, self.zone)


def load_zone(zone: str) -> ZoneInfo:
    """Return the time zone of an IANA name.

    Parameters
    ----------
    zone : str
        IANA name.

    Returns
    -------
    zoneinfo.ZoneInfo
        The zone.

    Raises
    ------
    ConfigError
        There is no such zone.
    """
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"tenant_zone: there is no time zone {zone!r}; use an IANA name such as Asia/Shanghai"
        ) from error


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

    Examples
    --------
    >>> week_of(pd.Timestamp("2026-11-08T16:00Z"), zone="Asia/Shanghai").iso
    '2026-W46'
    """
    load_zone(zone)
    day = at.tz_convert(zone).date()
    return _make_week(day - timedelta(days=day.weekday()), zone)


def _make_week(monday: date, zone: str) -> Week:
    year, week, _ = monday.isocalendar()
    days = pd.DatetimeIndex([monday, monday + timedelta(weeks=1)], dtype="datetime64[us]")
    start, end = _start_days(days, zone)
    return Week(f"{year:04d}-W{week:02d}", start, end, zone)


def _start_days(days: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Return when days begin, in UTC; some zones change their clocks at midnight."""
    after = np.ones(len(days), dtype=bool)
    local = days.tz_localize(zone, nonexistent="shift_forward", ambiguous=after)
    return local.tz_convert("UTC")


def parse_week(text: str, *, zone: str) -> Week:
    """Read an ISO week.

    Parameters
    ----------
    text : str
        ISO 8601 week, for example ``2026-W46``.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    Week
        The week.

    Raises
    ------
    ConfigError
        The text is no ISO week.
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


def choose_week(first_at: pd.Timestamp, last_at: pd.Timestamp, *, zone: str) -> Week:
    """Return the last complete week of a log, or its last week if none is complete.

    A week counts as complete when the log begins on its first day or before, and reaches into
    its last three hours: a quiet Sunday night must not push the report back by a week.

    Parameters
    ----------
    first_at, last_at : pandas.Timestamp
        First and last event of the log, UTC.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    Week
        The week to report on.

    Examples
    --------
    >>> first, last = pd.Timestamp("2026-10-11T16:00Z"), pd.Timestamp("2026-11-15T15:40Z")
    >>> choose_week(first, last, zone="Asia/Shanghai").iso
    '2026-W46'
    """
    last = week_of(last_at, zone=zone)
    if last_at >= last.end_at - _SETTLED:
        return last
    previous = last.shifted(-1)
    return previous if first_at < previous.start_at + pd.Timedelta(days=1) else last


def find_end(at: pd.Series) -> pd.Timestamp:
    """Return the end of the last hour that the log really reaches.

    Parameters
    ----------
    at : pandas.Series of datetime64[us, UTC]
        Instants of all events, at least one.

    Returns
    -------
    pandas.Timestamp
        A whole hour, UTC. Stray events with a date far in the future do not count.

    Examples
    --------
    >>> hours = pd.date_range("2026-11-01T00:00Z", "2026-11-15T15:00Z", freq="h")
    >>> find_end(pd.Series([*hours, pd.Timestamp("2099-01-01T00:00Z")]))
    Timestamp('2026-11-15 16:00:00+0000', tz='UTC')
    """
    hours = pd.Series(at.dt.floor("h").unique()).sort_values()
    part = (hours.diff() > pd.Timedelta(weeks=1)).cumsum()
    size = part.map(part.value_counts())
    solid = hours[size >= HOURS_PER_DAY]
    return (hours if solid.empty else solid).max() + pd.Timedelta(hours=1)


def choose_report_week(at: pd.Series, *, zone: str) -> Week:
    """Return the week a report is about: the last complete one that the log really covers.

    A stray event with a date in the future must not move the report to an empty week, so a week
    counts only with events on most of its days; a log that has no such week is judged as it is.

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

    Examples
    --------
    >>> hours = pd.date_range("2026-10-12T00:00Z", "2026-11-15T15:00Z", freq="h")
    >>> stray = pd.Timestamp("2099-01-01T00:00Z")
    >>> choose_report_week(pd.Series([*hours, stray]), zone="Asia/Shanghai").iso
    '2026-W46'
    """
    hours = pd.DatetimeIndex(at.dt.floor("h").unique()).sort_values()
    days = hours.tz_convert(zone).tz_localize(None).normalize().unique()
    mondays = (days - pd.to_timedelta(days.day_of_week, unit="D")).value_counts()
    covered = mondays[mondays >= _MOST_DAYS].index
    if covered.empty:
        return choose_week(at.min(), at.max(), zone=zone)
    last = week_of(covered.max().tz_localize(zone), zone=zone)
    near = at[at < last.end_at + pd.Timedelta(weeks=1)]
    week = choose_week(at.min(), near.max(), zone=zone)
    return min(week, last, key=lambda w: w.start_at)


def slot_of(
    hours: pd.DatetimeIndex,
    *,
    zone: str,
    holidays: Collection[date] = (),
    working_days: Collection[date] = (),
) -> NDArray[np.intp]:
    """Return the slot of each hour: 0-23 on working days, 24-47 on weekends and holidays.

    Parameters
    ----------
    hours : pandas.DatetimeIndex of shape (n,)
        Starts of hours, UTC.
    zone : str
        IANA name of the tenant's zone.
    holidays : collection of date
        Days off that fall on a weekday.
    working_days : collection of date
        Weekend days that are worked.

    Returns
    -------
    numpy.ndarray of shape (n,)
        Slot numbers, 0 to 47.

    Examples
    --------
    >>> slot_of(pd.DatetimeIndex(["2026-11-13T01:00Z", "2026-11-14T01:00Z"]), zone="Asia/Shanghai")
    array([ 9, 33])
    """
    local = hours.tz_convert(zone)
    days = local.tz_localize(None).normalize()
    off = (days.day_of_week >= 5) | days.isin(pd.to_datetime(sorted(holidays)))
    off &= ~days.isin(pd.to_datetime(sorted(working_days)))
    return np.asarray(local.hour + HOURS_PER_DAY * off, dtype=np.intp)


def day_of(hours: pd.DatetimeIndex, *, zone: str) -> NDArray[np.intp]:
    """Return the day each hour falls on, counted from the first.

    Parameters
    ----------
    hours : pandas.DatetimeIndex of shape (n,)
        Starts of hours, UTC, rising.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    numpy.ndarray of shape (n,)
        Days since the first hour's day.
    """
    days = hours.tz_convert(zone).tz_localize(None).normalize()
    return np.asarray((days - days[0]).days, dtype=np.intp)


def bucket_width(bucket: str) -> pd.Timedelta:
    """Read the width of a bucket.

    Parameters
    ----------
    bucket : str
        Width from a second up to a day such as ``15min``, ``1h`` or ``1D``.

    Returns
    -------
    pandas.Timedelta
        The width.

    Raises
    ------
    ConfigError
        `bucket` is no width, or a day is not a whole number of it.

    Examples
    --------
    >>> bucket_width("15min")
    Timedelta('0 days 00:15:00')
    """
    day = pd.Timedelta(days=1)
    try:
        width = pd.Timedelta(bucket)
    except ValueError:
        width = pd.Timedelta(0)
    if not pd.Timedelta(seconds=1) <= width <= day or day % width:
        raise ConfigError(
            f"bucket: {bucket!r} is no bucket; use a part of a day such as 15min, 1h or 1D"
        )
    return width


def floor_at(at: pd.Series, bucket: str, *, zone: str) -> pd.Series:
    """Return the start of the bucket each instant falls into.

    Parameters
    ----------
    at : pandas.Series of datetime64[us, UTC]
        Instants.
    bucket : str
        pandas frequency such as ``15min``, ``1h`` or ``1D``; days begin at midnight of `zone`.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    pandas.Series of datetime64[us, UTC]
        Starts of the buckets, UTC.

    Raises
    ------
    ConfigError
        `bucket` is no fixed frequency.
    """
    width = bucket_width(bucket)
    if width < pd.Timedelta(days=1):
        return pd.Series(at.dt.floor(width))
    days = at.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    position, unique = pd.factorize(days)
    starts = _start_days(pd.DatetimeIndex(unique), zone).astype(at.dtype)
    return pd.Series(starts[position], index=at.index, name=at.name)


def list_buckets(
    first_at: pd.Timestamp, last_at: pd.Timestamp, bucket: str, *, zone: str
) -> pd.DatetimeIndex:
    """Return every bucket from one to another.

    Parameters
    ----------
    first_at, last_at : pandas.Timestamp
        Starts of the first and the last bucket, UTC.
    bucket : str
        Width of the buckets.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    pandas.DatetimeIndex
        Starts, UTC; a day is not always 24 hours after the one before.

    Examples
    --------
    >>> first, last = pd.Timestamp("2026-10-31T04:00Z"), pd.Timestamp("2026-11-02T05:00Z")
    >>> list_buckets(first, last, "1D", zone="America/New_York").hour
    Index([4, 4, 5], dtype='int32')
    """
    width = bucket_width(bucket)
    if width < pd.Timedelta(days=1):
        return pd.date_range(first_at, last_at, freq=width)
    first, last = (at.tz_convert(zone).tz_localize(None) for at in (first_at, last_at))
    return _start_days(pd.date_range(first.normalize(), last.normalize(), freq="D"), zone)


def format_local(at: pd.Timestamp, zone: str) -> str:
    """Write an instant the way the tenant's clocks show it.

    Parameters
    ----------
    at : pandas.Timestamp
        An instant with a time zone.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    str
        For example ``2026-11-10 02:00``.
    """
    return str(at.tz_convert(zone).strftime("%Y-%m-%d %H:%M"))


def format_utc(at: pd.Timestamp) -> str:
    """Write an instant as ISO 8601 in UTC.

    Parameters
    ----------
    at : pandas.Timestamp
        An instant with a time zone.

    Returns
    -------
    str
        For example ``2026-11-09T18:00:00Z``.
    """
    return str(at.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"))
