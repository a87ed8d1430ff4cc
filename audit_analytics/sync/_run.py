"""Fetch the log into a store: the due windows, several at once, at the quota and not above it.

What is stored already is all a sync remembers, so stopping one at any moment costs no more than the
windows it was reading.
"""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from audit_analytics.errors import ConfigError
from audit_analytics.feishu.connect import open_client
from audit_analytics.store import Store, lock_store
from audit_analytics.sync._clocks import compare_clocks
from audit_analytics.sync._fetching import Fetching
from audit_analytics.sync._windows import floor_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from audit_analytics.feishu.client import AuditLogClient
    from audit_analytics.settings import Settings
    from audit_analytics.sync._result import Progress, SyncResult


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
    StoreLocked
        Another sync holds the store.
    StoreUnusable
        The store cannot be written.
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
