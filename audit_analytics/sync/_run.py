"""Fetch the log into a store: the due windows, several at once, at the quota and not above it.

What is stored already is all a sync remembers, so stopping one at any moment costs no more than the
windows it was reading.

Of two clocks, this machine's and the platform's, one may be wrong, and nobody can tell which. So a
sync goes by the earlier of the two: a window read too early is read
again, while one that seems to have been read later than it was would never be.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from audit_analytics.errors import ConfigError, RemoteError
from audit_analytics.feishu import AuditLogClient, open_client
from audit_analytics.settings import Settings
from audit_analytics.store import Store, lock_store
from audit_analytics.sync._fetching import Fetching
from audit_analytics.sync._progress import Progress, SyncResult
from audit_analytics.sync._windows import floor_to


def sync(
    settings: Settings,
    folder: Path,
    *,
    since: datetime | timedelta,
    until: datetime | None = None,
    sensitive_only: bool = False,
    workers: int | None = None,
    wait_seconds: float = 0.0,
    progress: Callable[[Progress], object] | None = None,
    clock: Callable[[], float] = time.time,
    client: AuditLogClient | None = None,
) -> SyncResult:
    """Fetch what a store lacks.

    Parameters
    ----------
    settings : Settings
        Credentials, lengths of time and redaction.
    folder : pathlib.Path
        The store; made if it is not there.
    since : datetime.datetime or datetime.timedelta
        Where to begin, or how long before now; moved back to the beginning of a window.
    until : datetime.datetime, optional
        Where to end; now unless given.
    sensitive_only : bool, default False
        Fetch only calls of the catalogue's critical and high APIs.
    workers : int, optional
        Windows read at once; as set unless given.
    wait_seconds : float, default 0
        How long to wait for another sync of the same store.
    progress : callable, optional
        Called with a :class:`Progress` after each page and each window, by any thread, one at a
        time.
    clock : callable, default time.time
        Returns seconds since the epoch.
    client : AuditLogClient, optional
        Made from the settings unless given.

    Returns
    -------
    SyncResult
        What was stored and what is missing; failures of single windows are in it, not raised.

    Raises
    ------
    ConfigError
        The credentials are missing, or what is fetched would be removed again at once.
    StoreLocked, StoreUnusable
        Another sync holds the store, or it cannot be written.
    """
    _check_keeping(settings, since, datetime.fromtimestamp(clock(), UTC))
    stop = threading.Event()
    store = Store(folder)
    context = nullcontext(client) if client else open_client(settings, stop)
    with context as source:
        store.create()
        with lock_store(folder, wait_seconds=wait_seconds):
            run = Fetching(
                settings,
                store,
                source,
                sensitive_only=sensitive_only,
                clock=clock,
                progress=progress,
                stop=stop,
            )
            run.say_changes()
            now, run.result.clock = compare_clocks(source, clock)
            begin = now - since if isinstance(since, timedelta) else since
            store.repair(begin)
            run.result.is_open = until is None or until > now
            windows = run.plan(begin, now, until)
            if run.result.is_open:
                windows = run.add_late(windows, begin, now)
            run.read_windows(windows, workers or settings.sync.workers)
            run.result.clock = compare_clocks(source, clock)[1] or run.result.clock
            if settings.sync.keep_days:
                oldest = now - timedelta(days=settings.sync.keep_days)
                run.result.removed_count = store.remove_before(oldest)
                run.remove_counts()
    return run.result


def _check_keeping(settings: Settings, since: datetime | timedelta, now: datetime) -> None:
    """Refuse to fetch a window that is removed as soon as it is there."""
    keep_days = settings.sync.keep_days
    if not keep_days:
        return
    begin = now - since if isinstance(since, timedelta) else since
    length = timedelta(minutes=settings.sync.window_minutes)
    if floor_to(begin, length) + length <= now - timedelta(days=keep_days):
        raise ConfigError(
            f"sync since {begin:%Y-%m-%d} would fetch what is removed after {keep_days} days; "
            "begin later, or keep more"
        )


TOLERANCE_SECONDS: Final = 60.0
"""Difference that is nothing to speak of; rows are given ten times as long to show."""


_log = logging.getLogger(__name__)


def compare_clocks(client: AuditLogClient, clock: Callable[[], float]) -> tuple[datetime, str]:
    """Compare this machine's clock with the platform's: the earlier time, and what to say of it.

    The sentence has no full stop, and is empty if they agree.
    """
    try:
        ahead = client.measure_skew() or 0.0
    except RemoteError as error:
        # the windows fail for the same reason, and say so
        _log.info("the clocks were not compared: %s", error)
        ahead = 0.0
    return datetime.fromtimestamp(clock() - max(ahead, 0.0), UTC), _describe_skew(ahead)


def _describe_skew(seconds: float) -> str:
    """Say that the clocks disagree, in a sentence without its full stop; empty if they agree."""
    if abs(seconds) <= TOLERANCE_SECONDS:
        return ""
    way = "ahead of" if seconds > 0 else "behind"
    return (
        f"this machine's clock is {_show(abs(seconds))} {way} the platform's; one of them is wrong. "
        "The log is read up to the earlier one, and what may have come later is read again; set this "
        "machine's clock by NTP"
    )


def _show(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < 72 else f"{round(seconds / 86400):,} days"
