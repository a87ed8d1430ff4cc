"""The rate limit of an app, kept by every thread and process of this machine together."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from audit_analytics.errors import ConfigError

REQUESTS_PER_PERIOD: Final = 100
PERIOD_SECONDS: Final = 60.0
MARGIN_SECONDS: Final = 1.0
"""How much longer than the period a request is remembered.

The server counts a request when it arrives, we when it leaves. A request that took a second longer
to arrive than its hundredth successor would share a window with it; the margin covers that, and
costs 1.6 % of the quota.
"""

LONGEST_PAUSE_SECONDS: Final = 3600.0
"""A pause that ends later was noted by a clock that has been set back since."""

TOLD_FROM_SECONDS: Final = 10.0
"""A wait that is longer is said."""

_BUSY_MS = 60_000
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS request (at REAL)",
    "CREATE TABLE IF NOT EXISTS pause (ends_at REAL)",
)

_log = logging.getLogger(__name__)


class SharedLimiter:
    """Lets at most `limit` requests leave in any `period_seconds`.

    The record is a SQLite file, so threads and processes on one machine share one quota. Make one
    limiter a process: a connection to SQLite does not survive a fork.

    Parameters
    ----------
    path : pathlib.Path
        The record; created if absent, readable by its owner only.
    limit : int, default 100
        Requests a period.
    period_seconds : float, default 60
        Length of the period, in seconds.
    margin_seconds : float, default 1
        See :data:`MARGIN_SECONDS`.
    clock : callable, default time.time
        Returns seconds since the epoch; the same for all who share the file.
    sleep : callable, default time.sleep
        Waits a number of seconds of `clock`; what it raises ends the wait.

    Raises
    ------
    ConfigError
        The file cannot be created or is damaged.

    Examples
    --------
    >>> import tempfile
    >>> waits = []
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     now = 1.7e9
    ...     with SharedLimiter(
    ...         Path(folder) / "quota.sqlite", limit=2, clock=lambda: now + sum(waits), sleep=waits.append
    ...     ) as limiter:
    ...         for _ in range(3):
    ...             limiter.acquire()
    >>> [round(seconds) for seconds in waits]
    [61]
    """

    def __init__(
        self,
        path: Path,
        *,
        limit: int = REQUESTS_PER_PERIOD,
        period_seconds: float = PERIOD_SECONDS,
        margin_seconds: float = MARGIN_SECONDS,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._limit = limit
        self._clock = clock
        self._sleep = sleep
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._remembered_seconds = period_seconds + margin_seconds
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            # _transaction begins and ends transactions.
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            # A crash of the machine may lose the last minute's record, which is then over anyway.
            self._connection.execute("PRAGMA synchronous = OFF")
            for statement in _SCHEMA:
                self._connection.execute(statement)
        except sqlite3.Error as error:
            self._connection.close()
            raise self._unusable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def acquire(self) -> None:
        """Wait until a request may leave, and count it."""
        # One thread waits for the next slot, the others for their turn: no stampede at each slot.
        with self._turn:
            while wait_seconds := self._take():
                self._tell(wait_seconds)
                self._sleep(wait_seconds)

    def pause(self, seconds: float, *, limit: int | None = None) -> None:
        """Let nobody's request leave for a while, as the platform asked.

        Parameters
        ----------
        seconds : float
            How long, in seconds.
        limit : int, optional
            How many requests it allows; fewer than were thought are what this process keeps to.
        """
        with self._transaction():
            if limit is not None and limit < self._limit:
                _log.warning("the platform allows %d requests a minute, not %d", limit, self._limit)
                self._limit = limit
            ends_at = max(self._pause_ends_at(), self._clock() + seconds)
            self._connection.execute("DELETE FROM pause")
            self._connection.execute("INSERT INTO pause VALUES (?)", (ends_at,))

    def _tell(self, wait_seconds: float) -> None:
        if wait_seconds <= TOLD_FROM_SECONDS:
            return
        # Who is at the quota waits a part of every minute: of interest, and nothing is wrong.
        with self._lock:
            is_asked_for = self._pause_ends_at() > self._clock()
        level = logging.WARNING if is_asked_for else logging.INFO
        why = (
            "the platform asked for a pause" if is_asked_for else "the quota of this minute is used"
        )
        _log.log(level, "waiting %.0f s before the next request: %s", wait_seconds, why)

    def _take(self) -> float:
        """Count a request and return 0, or return the seconds to wait."""
        with self._transaction():
            # Read inside the transaction: processes then write times that never go back.
            now = self._clock()
            if (ends_at := self._pause_ends_at()) > now:
                return ends_at - now
            run, since = self._connection.execute, now - self._remembered_seconds
            # a time to come was noted by a clock that has been set back since, and means nothing
            run("DELETE FROM request WHERE at <= ? OR at > ?", (since, now))
            count, first_at = run("SELECT count(*), min(at) FROM request").fetchone()
            if count >= self._limit:
                return max(float(first_at) - since, 1e-3)
            run("INSERT INTO request VALUES (?)", (now,))
        return 0.0

    def _pause_ends_at(self) -> float:
        row = self._connection.execute("SELECT max(ends_at) FROM pause").fetchone()
        ends_at = float(row[0] or 0.0)
        return ends_at if ends_at <= self._clock() + LONGEST_PAUSE_SECONDS else 0.0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Hold SQLite's write lock, which is what keeps processes apart."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> ConfigError:
        return ConfigError(
            f"{self._path}: cannot keep the rate limit there ({error}); "
            "make room, make the folder writable, or remove a damaged file"
        )


def open_limiter(
    base_url: str, app_id: str, *, sleep: Callable[[float], None] = time.sleep
) -> SharedLimiter:
    """Open the record of one app, which belongs to one tenant, in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    name = hashlib.sha256(f"{base_url} {app_id}".encode()).hexdigest()[:16]
    path = Path(state).expanduser() / "audit-analytics" / f"quota-{name}.sqlite"
    return SharedLimiter(path, sleep=sleep)
