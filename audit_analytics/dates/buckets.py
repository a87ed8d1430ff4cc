"""Hours, days and working-time slots on the tenant's clocks.

Instants are in UTC everywhere: what an hour, a day and a week are to an analyst, this module and
:mod:`audit_analytics.dates.weeks` alone say. Every count is cut by them once.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, date
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit_analytics.errors import ConfigError

HOURS_PER_DAY: Final = 24
SLOTS_COUNT: Final = 2 * HOURS_PER_DAY
"""Number of hour slots: {working day, weekend or holiday} x 24 hours."""


def load_zone(zone: str) -> ZoneInfo:
    """Return the time zone of an IANA name; a ConfigError if there is none.

    Parameters
    ----------
    zone : str
        IANA name.

    Returns
    -------
    zoneinfo.ZoneInfo
        The zone.
    """
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"tenant_zone: there is no time zone {zone!r}; use an IANA name such as Asia/Shanghai"
        ) from error


def read_clocks(wall: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Return when clocks show something.

    Parameters
    ----------
    wall : pandas.DatetimeIndex of shape (n,)
        What they show, without a zone.
    zone : str
        IANA name.

    Returns
    -------
    pandas.DatetimeIndex of shape (n,)
        UTC: the first time of two, and when they go on where they leave it out.
    """
    first = np.ones(len(wall), dtype=bool)
    at = wall.tz_localize(zone, nonexistent="NaT", ambiguous=first).tz_convert("UTC")
    if at.hasnans:
        # pandas' "shift_forward" goes too far where clocks change by half an hour
        told = zip(at, wall, strict=True)
        at = pd.DatetimeIndex([_end_gap(w, zone) if pd.isna(one) else one for one, w in told])
        at = at.as_unit(wall.unit)
    return at


def _end_gap(wall: pd.Timestamp, zone: str) -> pd.Timestamp:
    """Return when clocks first show this or more, which they leave out."""
    skipped = wall.to_pydatetime(warn=False).replace(tzinfo=load_zone(zone))
    every = pd.date_range(
        *(skipped.replace(fold=fold).astimezone(UTC) for fold in (1, 0)), freq="min"
    )
    return every[every.tz_convert(zone).tz_localize(None) >= wall][0]


def end_bucket(start: pd.Timestamp, bucket: str, *, zone: str) -> pd.Timestamp:
    """Return when a bucket ends, whatever the clocks do within it.

    Parameters
    ----------
    start : pandas.Timestamp
        Its first instant, UTC.
    bucket, zone : str
        Its width on the clocks, such as ``1h`` or ``1D``, and their IANA name.

    Returns
    -------
    pandas.Timestamp
        The first instant of the next bucket, UTC.
    """
    return list_buckets(start, start + 2 * bucket_width(bucket), bucket, zone=zone)[1]


def find_runs(positions: Iterable[int]) -> list[tuple[int, int]]:
    """Join neighbouring hours.

    Parameters
    ----------
    positions : iterable of int
        Positions of hours.

    Returns
    -------
    list of tuple of int
        First position and length of every run.
    """
    runs: list[tuple[int, int]] = []
    for place in sorted(map(int, positions)):
        if runs and place == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((place, 1))
    return runs


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
    holidays, working_days : collection of date
        Days off that fall on a weekday, and weekend days that are worked.

    Returns
    -------
    numpy.ndarray of shape (n,)
        Slot numbers, 0 to 47.
    """
    days = local_days(hours, zone=zone)
    off = (days.day_of_week >= 5) | days.isin(pd.to_datetime(sorted(holidays)))
    off &= ~days.isin(pd.to_datetime(sorted(working_days)))
    return np.asarray(hours.tz_convert(zone).hour + HOURS_PER_DAY * off, dtype=np.intp)


def local_days(at: pd.DatetimeIndex, *, zone: str) -> pd.DatetimeIndex:
    """Return the day each instant falls on.

    Parameters
    ----------
    at : pandas.DatetimeIndex of shape (n,)
        Instants, UTC.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    pandas.DatetimeIndex of shape (n,)
        Without a zone: where clocks change at midnight there is a day that has none.
    """
    return at.tz_convert(zone).tz_localize(None).normalize()


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
    days = local_days(hours, zone=zone)
    return np.asarray((days - days[0]).days, dtype=np.intp)


def bucket_width(bucket: str) -> pd.Timedelta:
    """Read the width of a bucket; a ConfigError if it is none.

    Parameters
    ----------
    bucket : str
        From a second up to a day, of which it is a part, such as ``15min``, ``1h`` or ``1D``.

    Returns
    -------
    pandas.Timedelta
        The width.
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
    """Return the start of the bucket each instant falls into, cut on the tenant's clocks.

    Parameters
    ----------
    at : pandas.Series of datetime64[us, UTC]
        Instants.
    bucket, zone : str
        Width of the buckets such as ``15min``, ``1h`` or ``1D``, and the IANA name of the clocks.

    Returns
    -------
    pandas.Series of datetime64[us, UTC]
        Starts of the buckets, UTC: when the clocks first show it, or leave it out. An hour they
        show twice is two.

    Examples
    --------
    >>> at = pd.Series([pd.Timestamp("2026-11-09T18:29Z"), pd.Timestamp("2026-11-09T18:31Z")])
    >>> [format_utc(start) for start in floor_at(at, "1h", zone="Asia/Kolkata")]
    ['2026-11-09T17:30:00Z', '2026-11-09T18:30:00Z']
    """
    width = bucket_width(bucket)
    if at.empty:
        return at
    wall, offset = _show_clocks(at, zone)
    begun = wall.dt.floor(width)
    start = (begun - offset).dt.tz_localize("UTC")
    if width > pd.Timedelta(hours=1):
        moved = np.ones(len(at), dtype=bool)
    else:
        # the clocks were set otherwise when the bucket began
        moved = (_show_clocks(start, zone)[1] != offset).to_numpy()
    if moved.any():
        position, unique = pd.factorize(begun[moved])
        start[moved] = read_clocks(pd.DatetimeIndex(unique), zone).astype(at.dtype)[position]
    return pd.Series(start)


def floor_hour(at: pd.Timestamp, zone: str) -> pd.Timestamp:
    """Return the start of the hour an instant falls into, as :func:`floor_at` of one.

    Parameters
    ----------
    at : pandas.Timestamp
        An instant with a time zone.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    pandas.Timestamp
        UTC.
    """
    local = at.tz_convert(zone)
    wall = local.tz_localize(None)
    start = local - (wall - wall.floor("h"))
    if start.utcoffset() != local.utcoffset():
        [start] = floor_at(pd.Series([at.tz_convert("UTC")]), "1h", zone=zone)
    return start.tz_convert("UTC")


def _show_clocks(at: pd.Series, zone: str) -> tuple[pd.Series, pd.Series]:
    """Return what the clocks show, and how far they are ahead of UTC."""
    wall = at.dt.tz_convert(zone).dt.tz_localize(None)
    return wall, wall - at.dt.tz_localize(None)


def list_buckets(
    first_at: pd.Timestamp, last_at: pd.Timestamp, bucket: str, *, zone: str
) -> pd.DatetimeIndex:
    """Return every bucket from one to another.

    Parameters
    ----------
    first_at, last_at : pandas.Timestamp
        Starts of the first and the last bucket, UTC.
    bucket, zone : str
        Width of the buckets, and IANA name of the tenant's zone.

    Returns
    -------
    pandas.DatetimeIndex
        Starts, UTC; a day is not always 24 hours after the one before.
    """
    # where clocks change by half an hour, an hour is left that is as short
    step = min(bucket_width(bucket), pd.Timedelta(minutes=30))
    every = pd.Series(pd.date_range(first_at, last_at, freq=step))
    return pd.DatetimeIndex(floor_at(every, bucket, zone=zone).unique())


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
