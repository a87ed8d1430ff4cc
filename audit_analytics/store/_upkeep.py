"""Upkeep of a store: join small windows into files that read fast, check all by their manifests."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audit_analytics.dates.buckets import floor_at
from audit_analytics.errors import InputError
from audit_analytics.files import open_private
from audit_analytics.schema import EVENTS
from audit_analytics.store._counting import Hours, sort_into_hours
from audit_analytics.store._failure import explains_failure, note_damage
from audit_analytics.store._folder import PARTIAL, Store, list_files, put_window
from audit_analytics.store._manifest import (
    MANIFEST_KEY,
    REJECTS_KEY,
    SCHEMA,
    Manifest,
    find_needless,
    list_readings,
    read_manifest,
    read_rejects,
)
from audit_analytics.store._redaction import Redaction
from audit_analytics.store._rollups import KINDS, Rollups, find_fresh, list_days, read_day
from audit_analytics.store._window import WindowUnreadable, read_window

FILE_ROWS: Final = 1_000_000
"""Windows are joined up to so many rows, and never beyond a day."""

GROUP_ROWS: Final = 122_880
"""Rows of a row group: what DuckDB reads at once."""

REREAD: Final = timedelta(minutes=60)
"""How long after its end a window is read once more, unless set: until then it is none to join."""

SETTLED_AFTER: Final = timedelta(days=2)
"""Age at which no sync reads a day again of its own accord."""


@dataclass
class Compaction:
    """What a compaction did."""

    before_count: int = 0  # files of the days that were looked at, before and after
    after_count: int = 0
    rows_count: int = 0


def compact_store(
    store: Store, now: datetime, *, redaction: Redaction | None = None, reread: timedelta = REREAD
) -> Compaction:
    """Join the small windows of each settled day. Hold the lock.

    Rows, counts, rejects and the time each was read stay as they are, and so do the hourly counts.

    Parameters
    ----------
    store : Store
        The store.
    now : datetime.datetime
        The time, UTC; days that ended less than two days ago are left alone.
    redaction : Redaction, optional
        What may be kept by now: windows that keep more are redacted again.
    reread : datetime.timedelta, default 1 hour
        A window that was read sooner than this after its end is none to join.

    Returns
    -------
    Compaction
        What was done; StoreUnusable if the store cannot be written, which stays readable.

    Raises
    ------
    StoreUnusable
        The store cannot be written; what is stored stays readable.
    """
    done = Compaction()
    windows = store.scan(end=now - SETTLED_AFTER).manifests
    for group in _group(windows, now, reread):
        done.before_count += len(group)
        tighter = redaction if redaction and redaction.tightens(group[0].redaction) else None
        is_due = len(group) > 1 or tighter is not None or _has_small_groups(store, group[0])
        written = _join(store, group, tighter) if is_due else None
        done.rows_count += written or 0
        done.after_count += len(group) if written is None else 1
    return done


def _group(windows: list[Manifest], now: datetime, reread: timedelta) -> Iterator[list[Manifest]]:
    """Cut the windows into runs that may become one file."""
    group: list[Manifest] = []
    # one scope after the other: windows of two scopes may lie side by side, and are never joined
    for window in sorted(windows, key=lambda w: (w.scope, w.start)):
        if window.end > now - SETTLED_AFTER or window.read_at < window.end + reread:
            continue  # a sync reads it again, and would have to read all that it was joined with
        if group and not _may_join(group, window):
            yield group
            group = []
        group.append(window)
    if group:
        yield group


def _may_join(group: list[Manifest], window: Manifest) -> bool:
    first, last = group[0], group[-1]
    midnight = first.start.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    return (
        window.start == last.end
        and window.end <= midnight
        and (window.scope, window.redaction) == (first.scope, first.redaction)
        and sum(w.rows_count for w in group) + window.rows_count <= FILE_ROWS
    )


def _has_small_groups(store: Store, window: Manifest) -> bool:
    groups = pq.read_metadata(store.file_of(window)).num_row_groups
    return bool(groups > 2 * -(-window.rows_count // GROUP_ROWS))


def _join(store: Store, group: list[Manifest], redaction: Redaction | None) -> int | None:
    tables, rejects = [SCHEMA.empty_table()], []
    try:
        for window in group:
            tables.append(read_window(store, window).cast(SCHEMA))
            rejects += read_rejects(store.file_of(window))
    except WindowUnreadable:
        return None  # the next sync fetches it again
    table = pa.concat_tables(tables)
    table = table.take(pc.sort_indices(table, [("at", "ascending"), ("id", "ascending")]))
    manifest = _describe(group, table)
    if redaction:
        stored = EVENTS.coerce(table.to_pandas())
        # their objects are hashed with the key already
        again = redaction.apply(stored).assign(object=stored["object"])
        table = pa.Table.from_pandas(again, schema=SCHEMA, preserve_index=False)
        manifest = msgspec.structs.replace(manifest, redaction=redaction.describe())
    beside = (
        store.folder / PARTIAL / f"compact-{manifest.start:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    )
    footer = {
        **SCHEMA.metadata,
        MANIFEST_KEY: msgspec.json.encode(manifest),
        REJECTS_KEY: msgspec.json.encode(rejects),
    }
    with explains_failure(store.folder):
        try:
            with open_private(beside) as file:
                pq.write_table(
                    table.replace_schema_metadata(footer),
                    file,
                    compression="zstd",
                    row_group_size=GROUP_ROWS,
                    write_page_checksum=True,
                )
                put_window(store, file, beside, manifest, group)
        finally:
            beside.unlink(missing_ok=True)
    return len(table)


def _describe(group: list[Manifest], table: pa.Table) -> Manifest:
    reasons: Counter[str] = Counter()
    for window in group:
        reasons.update(window.reject_reasons)
    catalogues = {window.catalogue for window in group}
    span = pc.min_max(table["at"]).as_py()
    return msgspec.structs.replace(
        group[0],
        end=group[-1].end,
        # each was settled when it was read, and so is the whole at the time the last one was
        read_at=max(window.read_at for window in group),
        serial=max(window.serial for window in group),
        rows_count=len(table),
        duplicates_count=sum(window.duplicates_count for window in group),
        rejects_count=sum(window.rejects_count for window in group),
        pages_count=sum(window.pages_count for window in group),
        reject_reasons=dict(reasons),
        first_at=span["min"],
        last_at=span["max"],
        windows=group[-1].windows,
        catalogue=catalogues.pop() if len(catalogues) == 1 else "",
        parts=[part for window in group for part in list_readings(window)],
    )


@dataclass
class Verification:
    """What a check found."""

    windows_count: int = 0  # what was checked
    rows_count: int = 0
    # hours whose kept counts were checked; those that are not up to date are left out, as they are
    # counted again before they are used
    hours_count: int = 0
    # what is wrong: which file, what, and what to do
    problems: list[str] = field(default_factory=list)


def verify_store(rollups: Rollups) -> Verification:
    """Read every row of a store and compare it with what its manifests say; fails as read_store does.

    Parameters
    ----------
    rollups : Rollups
        The store with its counts.

    Returns
    -------
    Verification
        What was checked and what is wrong.

    Raises
    ------
    StoreUnusable
        There is no store, or it is empty.
    StoreTooNew
        It was written by a later version.
    """
    store = rollups.store
    store.check()
    found = Verification()
    windows: list[Manifest] = []
    rows_per_hour: dict[datetime, int] = {}
    before: pa.Array | None = None
    open_ids: list[tuple[datetime, pa.Array]] = []
    for start, path in list_files(store.folder):
        name = path.relative_to(store.folder).as_posix()
        try:
            window = msgspec.structs.replace(read_manifest(path), file=path.name)
            # every column: a checksum guards each of its pages
            with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
                table = parquet.read()
        except InputError as error:
            found.problems.append(str(error))
            continue
        except (OSError, pa.ArrowException):
            note_damage(store.folder, path)
            found.problems.append(
                f"{name}: its rows cannot be read; the next sync fetches them again"
            )
            continue
        found.windows_count += 1
        found.rows_count += len(table)
        missing = set(SCHEMA.names) - set(table.column_names)
        if missing:
            found.problems.append(f"{name}: lacks the columns {', '.join(sorted(missing))}")
            table = SCHEMA.empty_table()
        earlier = before if windows and windows[-1].end <= window.start else None
        windows.append(window)
        if not missing:
            wrong = [*_check_window(start, window, table), *_check_again(table, earlier)]
            found.problems += [f"{name}: {text}" for text in wrong]
        before = table["id"].combine_chunks()
        # a row that two windows hold is one row
        open_ids = [(end, ids) for end, ids in open_ids if end > window.start]
        for _, ids in open_ids:
            table = table.filter(pc.invert(pc.is_in(table["id"], ids)))
        open_ids.append((window.end, before))
        hours = floor_at(table["at"].to_pandas(), "1h", zone=rollups.zone).value_counts()
        for hour, count in hours.items():
            rows_per_hour[hour] = rows_per_hour.get(hour, 0) + count
    found.problems += [
        f"the window of {window.start} to {window.end} is in later ones; the next sync removes it"
        for window in find_needless(windows)
    ]
    found.problems += _check_counts(rollups, windows, rows_per_hour, found)
    return found


def _check_window(start: datetime, window: Manifest, table: pa.Table) -> Iterator[str]:
    if window.start != start:
        yield f"its manifest says it begins at {window.start}, its name says {start}"
    if len(table) != window.rows_count:
        yield f"holds {len(table):,} rows, its manifest says {window.rows_count:,}"
    ids = table["id"]
    empty = ids.null_count + pc.sum(pc.equal(ids, "")).as_py() if len(ids) else 0
    if empty:
        yield f"{empty:,} rows have no id"
    distinct = pc.count_distinct(ids, mode="all").as_py()
    if distinct != len(ids):
        yield f"{len(ids) - distinct:,} ids are there twice"
    span: dict[str, Any] = pc.min_max(table["at"]).as_py()
    if span["min"] and (span["min"] < window.start or span["max"] >= window.end):
        yield f"has rows from {span['min']} to {span['max']}, outside its range"
    if (span["min"], span["max"]) != (window.first_at, window.last_at):
        yield f"its manifest says {window.first_at} to {window.last_at}, its rows are of another time"


def _check_again(table: pa.Table, before: pa.Array | None) -> Iterator[str]:
    again = pc.sum(pc.is_in(table["id"], before)).as_py() if before is not None else 0
    if again:
        yield f"{again:,} ids are in the window before it, too"


def _check_counts(
    rollups: Rollups,
    windows: list[Manifest],
    rows_per_hour: dict[datetime, int],
    found: Verification,
) -> Iterator[str]:
    stored, store_folder = sort_into_hours(windows, rollups.zone), rollups.store.folder
    yield from _check_lost(rollups, stored)
    for day, hours in stored.items():
        for kind in KINDS:
            manifest, table = read_day(store_folder, kind, day)
            fresh = find_fresh(hours, [manifest], rollups.version)
            if table is None or not fresh:
                continue
            found.hours_count += len(fresh) if kind == "calls_by_api" else 0
            totals = table.group_by("bucket_at").aggregate([("calls_count", "sum")]).to_pylist()
            counted = {total["bucket_at"]: total["calls_count_sum"] for total in totals}
            for hour, _ in fresh:
                if counted.get(hour, 0) != rows_per_hour.get(hour, 0):
                    yield (
                        f"{kind} of {hour}: counts {counted.get(hour, 0):,} calls, the events are "
                        f"{rows_per_hour.get(hour, 0):,}; remove the folder .rollup and run: rollup"
                    )


def _check_lost(rollups: Rollups, stored: dict[date, Hours]) -> Iterator[str]:
    """Find hours that were counted and are no longer there: a window must have been deleted."""
    folder = rollups.store.folder
    for day in list_days(folder):
        manifest, _ = read_day(folder, "calls_by_api", day)
        kept = {hour.name for hour in stored.get(day, {})}
        lost = sorted(set(manifest.hours) - kept)
        if lost:
            yield (
                f"{day}: events that were counted are gone, of {len(lost)} of its hours, "
                f"{lost[0]} the first; run: sync"
            )
