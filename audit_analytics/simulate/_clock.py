"""The hours a simulated log covers, and what an hour means to the people of the tenant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.dates import buckets

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

HOUR: Final = 3600
DAY: Final = 24 * HOUR

HOLIDAYS: Final = frozenset({*(date(2026, 10, day) for day in range(1, 8)), date(2026, 10, 23)})
"""Days off around the default range: National Day, and the company's own anniversary."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The hours of a simulated log."""

    start: int  # first second of the log and the second after its last, epoch
    end: int
    starts: NDArray[np.int64]  # start of every hour, epoch seconds
    hour: NDArray[np.intp]  # hour of the day in the tenant's zone, 0 to 23
    off: NDArray[np.bool_]  # whether the hour lies on a weekend or a holiday

    @property
    def week(self) -> NDArray[np.int64]:
        """Return the week of every hour, since the start of the log: int64 of shape (hours,)."""
        return (self.starts - self.start) // (7 * DAY)


def make_clock(
    *,
    end: date,
    weeks: int,
    zone: str,
    holidays: Collection[date],
    working_days: Collection[date] = (),
) -> Clock:
    """Lay out the hours of a log that covers some weeks up to the day `end`, in the tenant's zone.

    `holidays` are weekdays that are days off, `working_days` weekend days that are worked.

    Examples
    --------
    >>> clock = make_clock(end=date(2026, 11, 15), weeks=1, zone="Asia/Shanghai", holidays=())
    >>> len(clock.starts), clock.hour[:2].tolist()
    (168, [0, 1])
    """
    buckets.load_zone(zone)
    first, last = (
        pd.Timestamp(day).tz_localize(zone).tz_convert("UTC")
        for day in (end - timedelta(days=7 * weeks - 1), end + timedelta(days=1))
    )
    hours = pd.date_range(first, last, freq="h", inclusive="left")
    slot = buckets.slot_of(hours, zone=zone, holidays=holidays, working_days=working_days)
    return Clock(
        start=int(first.timestamp()),
        end=int(last.timestamp()),
        starts=np.array([int(h.timestamp()) for h in hours]),
        hour=slot % buckets.HOURS_PER_DAY,
        off=slot >= buckets.HOURS_PER_DAY,
    )
