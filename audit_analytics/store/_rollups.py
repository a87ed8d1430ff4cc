"""Keep the hourly counts of a store beside its events, and bring them up to date.

::

    STORE/.rollup/calls_by_api/day=2026-03-02.parquet
    STORE/.rollup/calls_by_ip/day=2026-03-02.parquet

An hour is counted again when a window of it is read again, and every hour when the SQL or the
catalogue changes: each file says in its footer what its hours were counted from.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audit_analytics import schema
from audit_analytics.dates.buckets import floor_hour
from audit_analytics.files import make_private, move_into_place, open_private
from audit_analytics.rollup import SQL
from audit_analytics.store._counting import (
    DuckEngine,
    Engine,
    Hour,
    HourCounts,
    Hours,
    fingerprint_windows,
    join_hours,
    parse_day,
    sort_into_hours,
)
from audit_analytics.store._failure import StoreUnusable, explains_failure
from audit_analytics.store._folder import PARTIAL, Store, list_files
from audit_analytics.store._lock import StoreLocked, lock_store

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

    from audit_analytics.catalogue import Catalogue
    from audit_analytics.store._manifest import Manifest

    Saving = Literal["wait", "try", "held"]

KINDS: Final = {"calls_by_api": schema.CALLS_BY_API, "calls_by_ip": schema.CALLS_BY_IP}
"""The two tables by the name of their folder."""

ROLLUP_KEY: Final = b"audit_analytics.rollup"
FORMAT: Final = 1
WAIT_SECONDS: Final = 60.0

_FOLDER: Final = ".rollup"
_log = logging.getLogger(__name__)
_WORDS: Final = ["app_id", "api", "category", "severity", "ip", "network"]
_FORMAT: Final = {"compression": "zstd", "write_statistics": False, "write_page_checksum": True}
"""Nobody asks for the least and the most of a column; of its columns only words repeat."""


class RollupManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of counts was counted from."""

    version: str = ""  # fingerprint of form, SQL and catalogue
    hours: dict[str, str] = {}  # fingerprint of the windows of each hour, by :attr:`Hour.name`


@dataclass(frozen=True)
class DayCounts:
    """The counts of one day."""

    day: date
    tables: dict[str, pa.Table]  # both tables of ``KINDS``, ordered by their keys
    counted: list[datetime]  # hours that were not up to date and were counted now
    # where the windows begin whose events cannot be read; tried again next time
    damaged: list[datetime]


@dataclass(frozen=True)
class _BegunDay:
    """A day whose hours are being counted; `parts` are the counts that are up to date."""

    day: date
    hours: Hours
    stale: list[Hour]
    parts: dict[str, list[pa.Table]]
    counted: Iterator[HourCounts]
    is_due: bool


@dataclass(frozen=True)
class Rollups:
    """The hourly counts of a store.

    StoreUnusable if they cannot be written, StoreLocked if another process keeps the lock for a minute.

    Parameters
    ----------
    store : Store
        The store.
    catalogue : Catalogue
        The APIs and their sensitivity, as they stand now.
    engine : Engine, optional
        Counts events; DuckDB unless given.
    zone : str, default 'UTC'
        IANA name of the tenant's zone, on whose clocks hours are cut. Most begin when one of UTC
        does, so counts of one zone are mostly those of another.
    """

    store: Store
    catalogue: Catalogue
    engine: Engine = field(default_factory=DuckEngine)
    zone: str = "UTC"

    @cached_property
    def version(self) -> str:
        """Return the fingerprint of form, SQL and catalogue: 16 hexadecimal digits."""
        text = f"{FORMAT}\n{SQL.template}\n{self.catalogue.digest()}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def refresh(
        self,
        manifests: Iterable[Manifest],
        *,
        days: Container[date] | None = None,
        saving: Saving = "wait",
    ) -> Iterator[DayCounts]:
        """Bring the counts up to date and yield them, a day at a time.

        Parameters
        ----------
        manifests : iterable of Manifest
            All windows of the days in question, in order of time.
        days : container of datetime.date, optional
            Only these days; all days of the windows unless given.
        saving : {'wait', 'try', 'held'}, default 'wait'
            Whether to wait for the lock of the store before a day is written, to leave it
            unwritten where another process has the lock or nothing can be written, or that the
            caller holds the lock.

        Yields
        ------
        DayCounts
            Both tables of one day.

        Raises
        ------
        StoreLocked
            Another process kept the lock for a minute.
        StoreUnusable
            The counts cannot be written.
        """
        before: _BegunDay | None = None
        with ThreadPoolExecutor(self.engine.workers, thread_name_prefix="rollup") as pool:
            try:
                for day, hours in sort_into_hours(manifests, self.zone).items():
                    if days is None or day in days:
                        # the workers count the next day while this thread writes the last one
                        begun = self._begin_day(day, hours, pool)
                        if before:
                            yield self._end_day(before, saving)
                        before = begun
                if before:
                    yield self._end_day(before, saving)
            finally:
                pool.shutdown(cancel_futures=True)

    def refresh_window(self, window: Manifest) -> None:
        """Count the hours of a window that was just stored. Hold the lock.

        Parameters
        ----------
        window : Manifest
            The window.

        Raises
        ------
        StoreUnusable
            The counts cannot be written.
        """
        days = sort_into_hours([window], self.zone)
        start = datetime.combine(min(days), time(), UTC)
        # the last hour of a day may reach into the next one
        end = datetime.combine(max(days), time(), UTC) + timedelta(days=1, hours=2)
        stored = self.store.scan(start, end)
        for _ in self.refresh(stored.manifests, days=days, saving="held"):
            pass

    def remove_days(self) -> int:
        """Remove the counts of days whose events are gone. Hold the lock.

        Returns
        -------
        int
            Days removed.

        Raises
        ------
        StoreUnusable
            They cannot be removed.
        """
        names = {
            f"day={day}.parquet"
            for start, _ in list_files(self.store.folder)
            for day in {start.date(), floor_hour(pd.Timestamp(start), self.zone).date()}
        }
        found = (self.store.folder / _FOLDER).glob("*/day=*.parquet")
        gone = [path for path in found if path.name not in names]
        with explains_failure(self.store.folder):
            for path in gone:
                path.unlink()
        return len({path.name for path in gone})

    def _begin_day(self, day: date, hours: Hours, pool: ThreadPoolExecutor) -> _BegunDay:
        stored = {kind: read_day(self.store.folder, kind, day) for kind in KINDS}
        manifests = [manifest for manifest, _ in stored.values()]
        fresh = find_fresh(hours, manifests, self.version)
        stale = sorted(hours.keys() - set(fresh))
        parts: dict[str, list[pa.Table]] = {kind: [] for kind in KINDS}
        for kind, (_, table) in stored.items():
            if fresh and table is not None:
                at = table["bucket_at"]
                starts = pa.array([hour.start for hour in fresh], at.type)
                parts[kind].append(table.filter(pc.is_in(at, starts)))
        names = {hour.name for hour in hours}
        is_due = bool(stale) or any(m.hours.keys() - names for m in manifests)
        counted = pool.map(lambda batch: self._count(batch, hours), self._batch(stale, hours))
        return _BegunDay(day, hours, stale, parts, counted, is_due)

    def _end_day(self, begun: _BegunDay, saving: Saving) -> DayCounts:
        parts, hours = begun.parts, begun.hours
        damaged: list[datetime] = []
        for counted in begun.counted:
            damaged += counted.damaged
            parts["calls_by_api"].append(counted.by_api)
            parts["calls_by_ip"].append(counted.by_ip)
        tables = {kind: join_hours(parts[kind]) for kind in KINDS}
        counts = DayCounts(begun.day, tables, [hour.start for hour in begun.stale], damaged)
        if begun.is_due:
            sound = [h for h in hours if not any(w.start in damaged for w in hours[h])]
            noted = {h.name: fingerprint_windows(h, hours[h]) for h in sound}
            self._save(counts, RollupManifest(version=self.version, hours=noted), saving)
        return counts

    def _batch(self, stale: list[Hour], hours: Hours) -> Iterator[list[Hour]]:
        """Cut the hours into stretches that fit into memory together."""
        batch: list[Hour] = []
        rows = 0
        for hour in stale:
            more = sum(window.rows_count for window in hours[hour])
            if batch and (rows + more > self.engine.batch_rows or hour.start != batch[-1].end):
                yield batch
                batch, rows = [], 0
            batch.append(hour)
            rows += more
        if batch:
            yield batch

    def _count(self, batch: list[Hour], hours: Hours) -> HourCounts:
        windows = {(w.start, w.file): w for hour in batch for w in hours[hour]}
        in_order = [windows[place] for place in sorted(windows)]
        return self.engine.count(self.store, in_order, batch, self.catalogue)

    def _save(self, counts: DayCounts, manifest: RollupManifest, saving: Saving) -> None:
        folder = self.store.folder
        wait = WAIT_SECONDS if saving == "wait" else 0.0
        try:
            with nullcontext() if saving == "held" else lock_store(folder, wait_seconds=wait):
                for kind, table in counts.tables.items():
                    self._write(path_of(folder, kind, counts.day), table, manifest)
        except (StoreLocked, StoreUnusable) as error:
            if saving != "try":
                raise
            _log.info("counts of %s are not kept: %s", counts.day, error)

    def _write(self, path: Path, table: pa.Table, manifest: RollupManifest) -> None:
        folder = self.store.folder
        noted = table.replace_schema_metadata({ROLLUP_KEY: msgspec.json.encode(manifest)})
        words = [name for name in _WORDS if name in noted.column_names]
        beside = folder / PARTIAL / f"{path.parent.name}-{path.stem}-{secrets.token_hex(4)}"
        with explains_failure(folder):
            make_private(path.parent.parent)
            try:
                with open_private(beside) as file:
                    pq.write_table(noted, file, use_dictionary=words, **_FORMAT)
                    move_into_place(file, beside, path)
            finally:
                beside.unlink(missing_ok=True)


def path_of(folder: Path, kind: str, day: date) -> Path:
    """Return where the counts of a day of UTC are kept; `kind` is one of :data:`KINDS`."""
    return folder / _FOLDER / kind / f"day={day}.parquet"


def list_days(folder: Path) -> list[date]:
    """List the days that have counts, in order."""
    found = (folder / _FOLDER / "calls_by_api").glob("day=*.parquet")
    return sorted(day for path in found if (day := parse_day(path.stem)))


def read_day(folder: Path, kind: str, day: date) -> tuple[RollupManifest, pa.Table | None]:
    """Read the counts of a day; no hours and None if there is no such file or it is damaged."""
    words = [name for name in _WORDS if name in KINDS[kind].names]
    try:
        with path_of(folder, kind, day).open("rb") as file:
            parquet = pq.ParquetFile(file, read_dictionary=words, page_checksum_verification=True)
            note = (parquet.metadata.metadata or {})[ROLLUP_KEY]
            manifest = msgspec.json.decode(note, type=RollupManifest)
            return manifest, parquet.read().replace_schema_metadata(None)
    except (OSError, KeyError, pa.ArrowException, msgspec.MsgspecError):
        return RollupManifest(), None


def find_fresh(hours: Hours, manifests: list[RollupManifest], version: str) -> list[Hour]:
    """List the hours whose counts are up to date in all of the files of counts."""
    known = [m.hours if m.version == version else {} for m in manifests]
    return [
        hour
        for hour, windows in hours.items()
        if all(noted.get(hour.name) == fingerprint_windows(hour, windows) for noted in known)
    ]
