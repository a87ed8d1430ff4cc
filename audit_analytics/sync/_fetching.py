"""One sync: its windows, the threads that read them, and what came of it."""

from __future__ import annotations

import hashlib
import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import audit_analytics
from audit_analytics.catalogue import load_catalogue
from audit_analytics.errors import AuditAnalyticsError, RemoteError
from audit_analytics.feishu import (
    PAGE_SIZE_MAX,
    PERIOD_SECONDS,
    REQUESTS_PER_PERIOD,
    SMALL_PAGE,
    AddressRefused,
    AnswerTooLong,
    AuditLogClient,
    Budget,
    CredentialsRefused,
    PaginationBroken,
    Query,
    QuotaExhausted,
    ScopeMissing,
    Stopped,
    WindowTooLong,
    split_filters,
)
from audit_analytics.store import (
    ALL,
    Manifest,
    Rollups,
    Store,
    WindowWriter,
    read_redaction,
    say_changes,
)
from audit_analytics.sync._progress import Progress, SyncResult, flatten_items
from audit_analytics.sync._windows import (
    Reading,
    Window,
    is_covered,
    look_for_late,
    plan_windows,
    say_other_windows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from audit_analytics.settings import Settings

READINGS_MAX: Final = 3
"""How often a window is begun whose pages break off, before it is cut in half."""

STOP_SECONDS: Final = 3.0
"""How long an interrupted sync waits for its threads; they may hang in the operating system."""

BATCH_ROWS: Final = 10_000
"""Rows held in memory a window; they become one row group of its file."""

BATCH_BYTES: Final = 16 * 2**20
"""Bytes of answers held in memory a window."""

THREADS: Final = "window"
"""How the names of the threads begin that read windows."""

FAILURES_MAX: Final = 10
"""Failed windows in a row after which a sync gives up: more than single windows are at fault."""

_HOPELESS: Final = (AddressRefused, CredentialsRefused, QuotaExhausted, ScopeMissing)
"""What fails every other window too."""

_log = logging.getLogger(__name__)


class Fetching:
    """One sync: its windows, its threads and what came of them. The lock of the store is held.

    `stop` is set when the threads are to leave.
    """

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
        self._rollups = Rollups(
            store, load_catalogue(settings.catalogue), zone=settings.tenant_zone
        )
        self._filters: list[tuple[str, ...]] = [()]
        self._scope = ALL
        if sensitive_only:
            apis = self._rollups.catalogue.sensitive_apis()
            self._filters = split_filters(apis)
            self._scope = f"sensitive-{hashlib.sha256(' '.join(apis).encode()).hexdigest()[:8]}"
        self._redaction = read_redaction(settings.redaction, store.folder)
        self._noted = settings.sync.model_dump(include={"window_minutes", "settle_minutes"})
        self._done = self._rows = self._pages = self._pages_done = 0
        self._counts_before = dict(client.counts)

    def say_changes(self) -> None:
        """Say which settings differ from those of the stored windows."""
        windows = self._store.scan().manifests
        said = [say_changes(windows, self._redaction), say_other_windows(windows, self._noted)]
        for sentence in filter(None, said):
            _log.warning("%s: %s", self._store.folder, sentence)

    def plan(self, since: datetime, now: datetime, until: datetime | None) -> list[Window]:
        """List the windows that are due, in order of time."""
        sync = self._settings.sync
        length = timedelta(minutes=sync.window_minutes)
        # A filter must not replace a window that was read without one, however old that is.
        readings = [
            Reading(Window(m.start, m.end), m.read_at, is_kept=m.scope != self._scope)
            for m in self._store.scan(since - length).manifests
            if m.covers(self._scope)
        ]
        return plan_windows(
            since,
            now,
            readings,
            until=until,
            length=length,
            settle=timedelta(minutes=sync.settle_minutes),
            reread=timedelta(minutes=sync.reread_minutes),
        )

    def add_late(self, windows: list[Window], since: datetime, now: datetime) -> list[Window]:
        """Add the windows into which rows came late, once a day."""
        self.result.late |= look_for_late(
            self._store,
            windows,
            self._read_again,
            scope=self._scope,
            since=since,
            now=now,
            settled_after=timedelta(minutes=self._settings.sync.reread_minutes),
            hopeless=_HOPELESS,
        )
        return sorted([*windows, *self.result.late])

    def _read_again(self, whole: Window) -> Iterator[pd.DataFrame]:
        for items, _ in self._read_batches(whole, Budget.for_filters(self._filters)):
            yield flatten_items(items, str(whole), self._rollups.catalogue).events

    def read_windows(self, windows: list[Window], workers: int) -> None:
        """Read windows, some at once, and store them; what fails is in the result."""
        self.result.planned = windows
        self._report()
        pool = ThreadPoolExecutor(workers, thread_name_prefix=THREADS)
        # The newest first: a long sync is of use long before its end.
        futures = {pool.submit(self._read_window, window): window for window in windows[::-1]}
        waiting = dict(futures)
        failures = 0
        patience = None
        try:
            for future in as_completed(futures):
                window = waiting.pop(future)
                is_stored = self._note(window, future)
                failures = 0 if is_stored else failures + 1
                self._done += is_stored
                self._report(str(window))
                if failures >= FAILURES_MAX and not self.result.stopped:
                    reason = f"the last one: {self.result.failed.get(window, '')}"
                    self.result.stopped = RemoteError(
                        f"{failures} windows in a row failed, {reason}"
                    )
                if self.result.stopped:
                    break
        except BaseException:
            # Whoever interrupts a sync does not wait for answers.
            self._client.stop()
            patience = STOP_SECONDS
            raise
        finally:
            # Those that wait are never begun, those that run leave at their next page.
            self._stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            wait([f for f in waiting if not f.cancelled()], timeout=patience)
        for future, window in waiting.items():
            if not future.cancelled():
                self._note(window, future)
        # What counts is what is there: a window may be stored, and something after it fail.
        stored = [Window(m.start, m.end) for m in self.result.stored]
        self.result.missing = [window for window in windows if not is_covered(window, stored)]
        self.result.counts = {
            name: number - self._counts_before.get(name, 0)
            for name, number in self._client.counts.items()
        }

    def remove_counts(self) -> None:
        """Remove the counts of what was removed."""
        self._rollups.remove_days()

    def _note(self, window: Window, future: Future[None]) -> bool:
        """Take in how a window ended; return whether it is stored."""
        try:
            future.result()
        except Stopped:
            return False
        except RemoteError as error:
            if isinstance(error, _HOPELESS):
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

    def _read_window(self, window: Window, budget: Budget | None = None) -> None:
        budget = budget or Budget.for_filters(self._filters)
        page_size = PAGE_SIZE_MAX
        broken: RemoteError
        for _ in range(READINGS_MAX):
            try:
                self._store_window(window, budget, page_size)
            except AnswerTooLong as error:
                if page_size == SMALL_PAGE:
                    raise
                _log.warning("read again in pages of %d rows: %s", SMALL_PAGE, error)
                # its frames hold the answer
                page_size, broken = SMALL_PAGE, error.with_traceback(None)
            except PaginationBroken as error:
                _log.warning("read again: %s", error)
                broken = error
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
            self._read_window(half, budget)

    def _store_window(self, window: Window, budget: Budget, page_size: int) -> None:
        began_at = self._clock()
        served: list[float] = []
        batches = self._read_batches(window, budget, served, page_size=page_size)
        first = next(batches)
        # The earlier of two clocks: what seems to be read later than it was is never read again.
        read_at = min([began_at, *served[:1]])
        draft = Manifest(
            start=window.start,
            end=window.end,
            read_at=datetime.fromtimestamp(read_at, UTC),
            scope=self._scope,
            version=audit_analytics.__version__,
            catalogue=self._rollups.catalogue.digest(),
            windows=self._noted,
        )
        with WindowWriter(self._store, draft, self._redaction) as writer:
            for items, pages in chain([first], batches):
                log = flatten_items(
                    items,
                    str(window),
                    self._rollups.catalogue,
                    keeps_texts=self._redaction.rejects == "masked",
                )
                writer.add(log.events, log.rejects, pages=pages)
            manifest = writer.commit()
        with self._lock:
            self.result.stored.append(manifest)
            self._rows += manifest.rows_count
            self._pages_done += manifest.pages_count
        with self._counting:
            self._rollups.refresh_window(manifest)

    def _read_batches(
        self,
        window: Window,
        budget: Budget,
        served: list[float] | None = None,
        *,
        page_size: int = PAGE_SIZE_MAX,
    ) -> Iterator[tuple[list[Any], int]]:
        """Read the pages of a window, once for each filter: batches of items, each with its pages.

        At least one batch is yielded; `served` takes the platform's times.
        """
        items: list[Any] = []
        size = pages = 0
        for api_keys in self._filters:
            query = Query(window.start, window.end, api_keys=api_keys, page_size=page_size)
            for page in self._client.iter_pages(query, budget):
                if self._stop.is_set():
                    raise Stopped
                if served is not None and page.served_at is not None:
                    served.append(page.served_at)
                self._report(new_pages=1)
                items += page.items
                size += len(page.body)
                pages += 1
                if len(items) >= BATCH_ROWS or size >= BATCH_BYTES:
                    yield items, pages
                    items, size, pages = [], 0, 0
        yield items, pages

    def _report(self, window: str = "", *, new_pages: int = 0) -> None:
        with self._lock:
            self._pages += new_pages
            if self._progress is None:
                return
            count, left = len(self.result.planned), None
            if self._done:
                pages = max(self._pages_done / self._done * count - self._pages, 0)
                left = pages / REQUESTS_PER_PERIOD * PERIOD_SECONDS / 60
            self._progress(
                Progress(
                    windows_count=count,
                    done_count=self._done,
                    failed_count=len(self.result.failed),
                    rows_count=self._rows,
                    requests_count=self._client.counts["requests"]
                    - self._counts_before.get("requests", 0),
                    minutes_left=left,
                    window=window,
                )
            )
