"""Check a store against its own manifests: counts, ids, ranges, and the counts of its hours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audit_analytics.dates.buckets import floor_at
from audit_analytics.errors import InputError
from audit_analytics.store._counting import Hours, sort_into_hours
from audit_analytics.store._manifest import SCHEMA, Manifest, find_needless, read_manifest
from audit_analytics.store._rollups import KINDS, Rollups


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
    """Read every row of a store and compare it with what its manifests say.

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
    for start, path in store.list_files():
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
            store.note_damage(window)
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
    stored = sort_into_hours(windows, rollups.zone)
    yield from _check_lost(rollups, stored)
    for day, hours in stored.items():
        for kind in KINDS:
            manifest, table = rollups.read_day(kind, day)
            fresh = rollups.find_fresh(hours, [manifest])
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
    for day in rollups.list_days():
        manifest, _ = rollups.read_day("calls_by_api", day)
        kept = {hour.name for hour in stored.get(day, {})}
        lost = sorted(set(manifest.hours) - kept)
        if lost:
            yield (
                f"{day}: events that were counted are gone, of {len(lost)} of its hours, "
                f"{lost[0]} the first; run: sync"
            )
