"""Fetch the log into a store: the due windows, several at once, at the quota and not above it.

What is stored already is all a sync remembers, so stopping one at any moment costs no more than the
windows it was reading.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

import audit_analytics
from audit_analytics.catalogue import load_catalogue
from audit_analytics.errors import AuditAnalyticsError, ConfigError, RemoteError
from audit_analytics.feishu.client import (
    AuditLogClient,
    CredentialsRefused,
    PaginationBroken,
    Query,
    QuotaExhausted,
    WindowTooLong,
    split_filters,
)
from audit_analytics.feishu.connect import Stopped, open_client
from audit_analytics.feishu.ratelimit import PERIOD_SECONDS, REQUESTS_PER_PERIOD
from audit_analytics.source.files import read_log
from audit_analytics.store import (
    ALL,
    Manifest,
    Redaction,
    Rollups,
    Store,
    WindowWriter,
    lock_store,
)
from audit_analytics.store.redaction import say_changes
from audit_analytics.sync.result import Progress, SyncResult
from audit_analytics.sync.windows import Reading, Window, plan_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from audit_analytics.settings import Settings
    from audit_analytics.source.flatten import Log

BATCH_ROWS: Final = 10_000
"""Rows held in memory a window; they become one row group of its file."""

BATCH_BYTES: Final = 16 * 2**20
"""Bytes of answers held in memory a window."""

READINGS_MAX: Final = 3
"""How often a window is begun whose pages break off, before it is cut in half."""

FAILURES_MAX: Final = 10
"""Failed windows in a row after which a sync gives up: more than single windows are at fault."""

_log = logging.getLogger(__name__)


def sync(
    settings: Settings,
    folder: Path,
    *,
    since: datetime,
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
    since : datetime.datetime
        Where to begin; moved back to the beginning of a window.
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
    keep_days = settings.sync.keep_days
    now = datetime.fromtimestamp(clock(), UTC)
    oldest = now - timedelta(days=keep_days) if keep_days else None
    if oldest and since < oldest:
        raise ConfigError(
            f"sync since {since:%Y-%m-%d} would fetch what is removed after {keep_days} days; "
            "begin later, or keep more"
        )
    stop = threading.Event()
    store = Store(folder)
    context = nullcontext(client) if client else open_client(settings, stop)
    with context as source:
        store.create()
        with lock_store(folder, wait_seconds=wait_seconds):
            now = datetime.fromtimestamp(clock(), UTC)
            store.repair(since)
            run = _Run(
                settings,
                store,
                source,
                sensitive_only=sensitive_only,
                clock=clock,
                progress=progress,
                stop=stop,
            )
            run.say_changes()
            run.read_windows(run.plan(since, now, until), workers or settings.sync.workers)
            if oldest:
                run.result.removed_count = store.remove_before(oldest)
                run.remove_counts()
    return run.result


class _Run:
    """One sync: its windows, its threads and what came of them."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        client: AuditLogClient,
        *,
        sensitive_only: bool,
        clock: Callable[[], float],
        progress: Callable[[Progress], object] | None,
        stop: threading.Event,
    ) -> None:
        self.result = SyncResult([])
        self._settings = settings
        self._store = store
        self._client = client
        self._clock = clock
        self._progress = progress
        self._stop = stop
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._rollups = Rollups(store, load_catalogue(settings.catalogue))
        self._filters: list[tuple[str, ...]] = [()]
        self._scope = ALL
        if sensitive_only:
            apis = self._rollups.catalogue.sensitive_apis()
            self._filters = split_filters(apis)
            self._scope = f"sensitive-{hashlib.sha256(' '.join(apis).encode()).hexdigest()[:8]}"
        key = settings.read_hash_key()
        self._redaction = Redaction.from_settings(
            settings.redaction, key.get_secret_value() if key else store.read_key()
        )
        self._done = self._rows = self._pages = self._pages_done = 0
        self._requests_before = client.counts["requests"]

    def plan(self, since: datetime, now: datetime, until: datetime | None) -> list[Window]:
        length, settle, reread = (
            timedelta(minutes=minutes)
            for minutes in (
                self._settings.sync.window_minutes,
                self._settings.sync.settle_minutes,
                self._settings.sync.reread_minutes,
            )
        )
        # A filter must not replace a window that was read without one, however old that is.
        never = datetime.max.replace(tzinfo=UTC)
        readings = [
            Reading(Window(m.start, m.end), m.read_at if m.scope == self._scope else never)
            for m in self._store.scan(since - length).manifests
            if m.covers(self._scope)
        ]
        return plan_windows(
            since, now, readings, until=until, length=length, settle=settle, reread=reread
        )

    def say_changes(self) -> None:
        if said := say_changes(self._store.scan().manifests, self._redaction):
            _log.warning("%s: %s", self._store.folder, said)

    def read_windows(self, windows: list[Window], workers: int) -> None:
        self.result.planned = windows
        before = dict(self._client.counts)
        done: set[Window] = set()
        self._report()
        with ThreadPoolExecutor(workers, thread_name_prefix="window") as pool:
            # The newest first: a long sync is of use long before its end.
            futures = {pool.submit(self._read_window, window): window for window in windows[::-1]}
            waiting = dict(futures)
            failures = 0
            try:
                for future in as_completed(futures):
                    window = waiting.pop(future)
                    if self._note(window, future):
                        done.add(window)
                        failures = 0
                    else:
                        failures += 1
                    self._done = len(done)
                    self._report(str(window))
                    if failures >= FAILURES_MAX:
                        self._give_up(failures, window)
                    if self.result.stopped:
                        break
            finally:
                # Those that wait are never begun, those that run leave at their next page.
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
        done |= {w for f, w in waiting.items() if not f.cancelled() and self._note(w, f)}
        self.result.missing = [window for window in windows if window not in done]
        self.result.counts = {
            name: number - before.get(name, 0) for name, number in self._client.counts.items()
        }

    def remove_counts(self) -> None:
        """Remove the counts of what was removed."""
        self._rollups.remove_days({start.date() for start in self._store.list_starts()})

    def _give_up(self, failures: int, window: Window) -> None:
        reason = self.result.failed.get(window, "")
        self.result.stopped = self.result.stopped or RemoteError(
            f"{failures} windows in a row failed, the last one: {reason}"
        )

    def _note(self, window: Window, future: Future[None]) -> bool:
        """Take in how a window ended; return whether it is stored."""
        try:
            future.result()
        except Stopped:
            return False
        except RemoteError as error:
            if isinstance(error, CredentialsRefused | QuotaExhausted):
                self.result.stopped = self.result.stopped or error
                return False
            _log.warning("failed: %s", error)
            self.result.failed[window] = str(error)
            return False
        except AuditAnalyticsError as error:
            # A full disk, for one, would fail every other window too.
            self.result.stopped = self.result.stopped or error
            return False
        return True

    def _read_window(self, window: Window) -> None:
        for _ in range(READINGS_MAX):
            try:
                self._store_window(window)
            except PaginationBroken as error:
                _log.warning("read again: %s", error)
                broken: RemoteError = error
            except WindowTooLong as error:
                broken = error
                break
            else:
                return
        halves = window.halve()
        if halves is None:
            raise broken
        _log.warning("halved: %s", broken)
        # The earlier half replaces what is stored of the whole window, so it comes last.
        for half in reversed(halves):
            self._read_window(half)

    def _store_window(self, window: Window) -> None:
        draft = Manifest(
            start=window.start,
            end=window.end,
            read_at=datetime.fromtimestamp(self._clock(), UTC),
            scope=self._scope,
            version=audit_analytics.__version__,
            catalogue=self._rollups.catalogue.digest(),
        )
        with WindowWriter(self._store, draft, self._redaction) as writer:
            for items, pages in self._read_batches(window):
                log = self._flatten(items, str(window))
                writer.add(log.events, log.rejects, pages=pages)
            manifest = writer.commit()
        with self._counting:
            self._rollups.refresh_window(manifest)
        with self._lock:
            self.result.stored.append(manifest)
            self._rows += manifest.rows_count
            self._pages_done += manifest.pages_count

    def _read_batches(self, window: Window) -> Iterator[tuple[list[Any], int]]:
        items: list[Any] = []
        size = pages = 0
        for api_keys in self._filters:
            for page in self._client.iter_pages(Query(window.start, window.end, api_keys=api_keys)):
                if self._stop.is_set():
                    raise Stopped
                items += page.items
                size += len(page.body)
                pages += 1
                self._report(pages=1)
                if len(items) >= BATCH_ROWS or size >= BATCH_BYTES:
                    yield items, pages
                    items, size, pages = [], 0, 0
        yield items, pages

    def _flatten(self, items: list[Any], source: str) -> Log:
        """Flatten the items of a window, whatever they are."""
        # A list of texts would be taken for paths.
        rows = [item if isinstance(item, dict) else {"item": item} for item in items]
        keeps_texts = self._redaction.rejects == "masked"
        log = read_log(rows, catalogue=self._rollups.catalogue, keeps_texts=keeps_texts)
        for frame in (log.events, log.rejects):
            codes = np.zeros(len(frame), int)
            frame["source"] = pd.Categorical.from_codes(codes, pd.Index([source]))
        return log

    def _report(self, window: str = "", *, pages: int = 0) -> None:
        with self._lock:
            self._pages += pages
            if self._progress is None:
                return
            count = len(self.result.planned)
            left = None
            if self._done:
                expected = self._pages_done / self._done * count
                left = max(expected - self._pages, 0) / REQUESTS_PER_PERIOD * PERIOD_SECONDS / 60
            self._progress(
                Progress(
                    windows_count=count,
                    done_count=self._done,
                    failed_count=len(self.result.failed),
                    rows_count=self._rows,
                    requests_count=self._client.counts["requests"] - self._requests_before,
                    minutes_left=left,
                    window=window,
                )
            )
