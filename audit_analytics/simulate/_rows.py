"""The hours and the calls of a simulated log: columns, before they become JSON items."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from audit_analytics.dates import buckets

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


COLUMNS: Final = ("time", "app_id", "api", "ip", "object", "status", "code")
"""Columns of a table of calls: epoch seconds, app, canonical API, address, number of the object
called, HTTP status (0 = not logged) and business code."""

TOKEN_API: Final = "POST/open-apis/auth/v3/tenant_access_token/internal"  # noqa: S105 a route
USER_API: Final = "GET/open-apis/contact/v3/users/:user_id"

UNKNOWN_OBJECTS: Final = 1_000_000
"""Object numbers from here on name objects that do not exist."""

_ANSWERS: Final = {
    "ok": (200, 0),
    "auth": (400, 99991663),
    "permission": (400, 99991672),
    "ip_denied": (400, 99991401),
    "not_found": (404, 99991201),
    "param": (400, 99992402),
    "rate_limit": (429, 99991400),
    "server": (500, 1780001),
}
_SERVICE_ANSWERS: Final = {
    ("not_found", "contact"): (400, 99992351),
    ("not_found", "bitable"): (200, 1254043),
    ("not_found", "docx"): (404, 1770002),
    ("not_found", "drive"): (404, 1061007),
    ("not_found", "calendar"): (404, 195100),
    ("not_found", "wiki"): (400, 131005),
    ("not_found", "im"): (400, 230019),
    ("permission", "docx"): (403, 1770032),
    ("permission", "drive"): (403, 1061004),
    ("permission", "wiki"): (400, 131006),
    ("auth", "auth"): (200, 10015),
    ("param", "auth"): (200, 10003),
}


def make_rows(
    *,
    time: ArrayLike,
    app_id: ArrayLike,
    api: ArrayLike,
    ip: ArrayLike,
    obj: ArrayLike = 0,
    outcome: str = "ok",
) -> pd.DataFrame:
    """Make a table of calls, with :data:`COLUMNS`; fractions of seconds are cut off, as in the log.

    `app_id`, `api` and `ip` are one for all calls or one a call; `obj` numbers the object called.

    >>> make_rows(time=[60.9], app_id="cli_a", api=USER_API, ip="10.0.0.1")["time"].tolist()
    [60]
    """
    seconds = np.asarray(time).astype("int64")
    columns = dict(zip(COLUMNS[1:], (app_id, api, ip, obj, 200, 0), strict=True))
    spread = {name: np.broadcast_to(np.asarray(v), len(seconds)) for name, v in columns.items()}
    rows = pd.DataFrame({"time": seconds, **spread})
    return rows if outcome == "ok" else fail_rows(rows, np.ones(len(rows), dtype=bool), outcome)


def fail_rows(rows: pd.DataFrame, failing: ArrayLike, outcome: str) -> pd.DataFrame:
    """Give some calls the answer of an outcome, as the service of their API would word it.

    >>> rows = make_rows(time=[0, 1], app_id="cli_a", api=USER_API, ip="10.0.0.1")
    >>> fail_rows(rows, [False, True], "not_found")["code"].tolist()
    [0, 99992351]
    """
    failing = np.asarray(failing, dtype=bool)
    if not failing.any():
        return rows
    status, code = rows["status"].to_numpy(copy=True), rows["code"].to_numpy(copy=True)
    which, names = pd.factorize(rows["api"][failing])
    answers = [_SERVICE_ANSWERS.get((outcome, service_of(n)), _ANSWERS[outcome]) for n in names]
    status[failing], code[failing] = np.array(answers)[which].T
    return rows.assign(status=status, code=code)


def service_of(api: str) -> str:
    """Return the service an API belongs to: the first part of its path that names one.

    >>> service_of(USER_API), service_of("POST/approval/openapi/v2/approval/get")
    ('contact', 'approval')
    """
    return api.split("/", 3)[2 if "/open-apis/" in api else 1]


def categorise(rows: pd.DataFrame) -> pd.DataFrame:
    """Hold repeated strings once: two million calls then take 70 MB, not ten times as much."""
    names = ("app_id", "api", "ip")
    return rows.assign(**{c: rows[c].astype("str").astype("category") for c in names})
