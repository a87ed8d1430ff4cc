"""Hours of stored windows: the unit in which events are counted, and the engine that does it."""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from audit_analytics import schema
from audit_analytics.catalogue import Catalogue
from audit_analytics.dates.buckets import end_bucket, floor_hour, list_buckets
from audit_analytics.rollup import COLUMNS, connect_duckdb, count_calls
from audit_analytics.store._folder import Store
from audit_analytics.store._manifest import SCHEMA, Manifest, list_readings
from audit_analytics.store._window import WindowUnreadable, read_window


class Hour(NamedTuple):
    """An hour on the tenant's clocks."""

    start: datetime  # UTC
    end: datetime

    @property
    def name(self) -> str:
        """Name the hour as a file of counts does: by what it spans, whatever the zone is called.

        >>> from datetime import UTC, datetime
        >>> nine = datetime(2026, 3, 2, 9, tzinfo=UTC)
        >>> Hour(nine, nine.replace(hour=10)).name, Hour(nine, nine.replace(minute=30)).name
        ('2026-03-02T09', '2026-03-02T09:00/09:30')
        """
        whole = self.start.minute == 0 and (self.end - self.start).total_seconds() == 3600
        return (
            f"{self.start:%Y-%m-%dT%H}"
            if whole
            else f"{self.start:%Y-%m-%dT%H:%M}/{self.end:%H:%M}"
        )


Hours = dict[Hour, "list[Manifest]"]


def sort_into_hours(manifests: Iterable[Manifest], zone: str) -> dict[date, Hours]:
    """Sort windows into the days and hours they overlap; hours are cut on the clocks of `zone`.

    A day is one of UTC, and has the hours that begin on it.
    """
    windows = list(manifests)
    if not windows:
        return {}
    first = floor_hour(pd.Timestamp(min(window.start for window in windows)), zone)
    last = floor_hour(pd.Timestamp(max(window.end for window in windows)), zone)
    edges = list(
        list_buckets(first, end_bucket(last, "1h", zone=zone), "1h", zone=zone).to_pydatetime()
    )
    every = [Hour(*ends) for ends in pairwise(edges)]
    hours: Hours = defaultdict(list)
    for window in windows:
        touched = slice(bisect_right(edges, window.start) - 1, bisect_left(edges, window.end))
        for hour in every[touched]:
            hours[hour].append(window)
    days: dict[date, Hours] = defaultdict(dict)
    for hour in sorted(hours):
        days[hour.start.date()][hour] = hours[hour]
    return days


def fingerprint_windows(hour: Hour, windows: list[Manifest]) -> str:
    """Return what tells whether an hour has to be counted again: windows that are joined change nothing."""
    text = "\n".join(
        sorted(
            # what was redacted again has other words to count by
            f"{part.start}|{part.end}|{part.read_at}|{part.rows_count}|{sorted(kept.items())}"
            for window in windows
            for kept in [window.redaction]
            for part in list_readings(window)
            if part.start < hour.end and part.end > hour.start
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_day(stem: str) -> date | None:
    """Read of which day a file of counts is; None for a file of another origin.

    >>> parse_day("day=2026-03-02"), parse_day("notes")
    (datetime.date(2026, 3, 2), None)
    """
    with suppress(ValueError):
        return date.fromisoformat(stem.removeprefix("day="))
    return None


BATCH_ROWS: Final = 1_000_000
"""Rows counted at once, at least one hour; the densest hour the API can give has 600,000."""

_local = threading.local()
"""The connection of each thread; it ends with the thread."""

_WORDS: Final = [c.name for c in schema.EVENTS.columns if c.dtype == "category"]
_WORD: Final = pa.dictionary(pa.int32(), pa.string())
_NO_EVENTS: Final = pa.schema(
    [(n, _WORD if n in _WORDS else SCHEMA.field(n).type) for n in (*COLUMNS, "id")]
).empty_table()


@dataclass(frozen=True)
class HourCounts:
    """The counts of some hours."""

    by_api: pa.Table  # ``schema.CALLS_BY_API``, and ``CALLS_BY_IP``
    by_ip: pa.Table
    damaged: list[datetime]  # where the windows begin whose events cannot be read


class Engine(ABC):
    """What counts events."""

    batch_rows: int = BATCH_ROWS
    workers: int = 2
    """Batches counted at once."""

    @abstractmethod
    def count(
        self, store: Store, windows: Sequence[Manifest], hours: Sequence[Hour], catalogue: Catalogue
    ) -> HourCounts:
        """Count the events of hours that follow each other, as today's catalogue has their APIs.

        `windows` are all that overlap the hours, in order of time.
        """


class DuckEngine(Engine):
    """Counts with DuckDB in this process."""

    def count(
        self, store: Store, windows: Sequence[Manifest], hours: Sequence[Hour], catalogue: Catalogue
    ) -> HourCounts:
        digest, start, end = catalogue.digest(), hours[0].start, hours[-1].end
        overlapping = any(later.start < earlier.end for earlier, later in pairwise(windows))
        columns = [*COLUMNS, *(["id"] if overlapping else [])]
        tables, damaged = [_NO_EVENTS.select(columns)], []
        for window in windows:
            try:
                table = _read(store, window, columns, start, end)
            except WindowUnreadable:
                damaged.append(window.start)
                continue
            tables.append(table if window.catalogue == digest else _match_again(table, catalogue))
        events = pa.concat_tables(tables, promote_options="permissive")
        if overlapping:
            events = events.filter(pa.array(~pd.Series(events["id"].to_pandas()).duplicated()))
        events = events.append_column("bucket_at", _floor_hours(events["at"], hours))
        if not hasattr(_local, "connection"):
            _local.connection = connect_duckdb(threads=1)
        return HourCounts(*count_calls(events, connection=_local.connection), damaged)


def _floor_hours(at: pa.ChunkedArray, hours: Sequence[Hour]) -> pa.Array:
    """Cut instants down to their hour; pc.floor_temporal takes ten times as long."""
    starts = pd.DatetimeIndex([hour.start for hour in hours]).as_unit("us").asi8
    place = np.searchsorted(starts, at.cast(pa.int64()).to_numpy(), side="right") - 1
    return pa.array(starts[place], pa.int64()).cast(at.type)


def _read(
    store: Store, window: Manifest, columns: list[str], start: datetime, end: datetime
) -> pa.Table:
    table = read_window(store, window, columns, [name for name in _WORDS if name in columns])
    # a row outside its window is in another one too
    start, end = max(start, window.start), min(end, window.end)
    first, last = window.first_at or start, window.last_at or start
    if first < start or last >= end:
        at = table["at"]
        from_start = pc.greater_equal(at, pa.scalar(start, at.type))
        table = table.filter(pc.and_(from_start, pc.less(at, pa.scalar(end, at.type))))
    return table.replace_schema_metadata(None)


def describe_apis(names: list[str], catalogue: Catalogue) -> dict[str, list[str]]:
    """Say ``api``, ``category`` and ``severity`` by today's catalogue of APIs matched with another.

    An API outside the catalogue keeps its name.

    >>> from audit_analytics.catalogue import Catalogue
    >>> describe_apis(["GET/open-apis/contact/v3/users/:id"], Catalogue.default())["api"]
    ['GET/open-apis/contact/v3/users/:user_id']
    """
    matches = [catalogue.match(name) for name in names]
    return {
        "api": [m.api if m.known else name for m, name in zip(matches, names, strict=True)],
        "category": [match.category for match in matches],
        "severity": [match.severity for match in matches],
    }


def _match_again(events: pa.Table, catalogue: Catalogue) -> pa.Table:
    apis = events["api"].unify_dictionaries()
    if not apis.num_chunks:
        return events
    said = describe_apis(apis.chunk(0).dictionary.to_pylist(), catalogue)
    for name, values in said.items():
        texts = pa.array(values, pa.string())
        column = pa.chunked_array([texts.take(chunk.indices) for chunk in apis.chunks], pa.string())
        events = events.set_column(
            events.column_names.index(name), name, column.dictionary_encode()
        )
    return events


def join_hours(parts: list[pa.Table]) -> pa.Table:
    """Join counts of different hours in order of time, with one dictionary a column."""
    table = pa.concat_tables(parts, promote_options="permissive").unify_dictionaries()
    if len(parts) == 1:
        return table
    return table.take(pc.sort_indices(table["bucket_at"]))
