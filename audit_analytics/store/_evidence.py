"""Find the rows behind hits in a store: only the hours and the entity they speak about."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
import pandas as pd
import pyarrow as pa

from audit_analytics.cases import EVIDENCE_GROUPS, Evidence, EvidenceSource, Hit, find_covered
from audit_analytics.catalogue import Catalogue
from audit_analytics.rollup import connect_duckdb
from audit_analytics.schema import AT, EVENTS, SEVERITIES, rank_severity
from audit_analytics.store._counting import describe_apis
from audit_analytics.store._folder import Store
from audit_analytics.store._manifest import SCHEMA, Manifest
from audit_analytics.store._reader import RETRIES
from audit_analytics.store._window import WindowGone, WindowUnreadable, check_window

Read = TypeVar("Read")

_QUARTER: Final = "time_bucket(INTERVAL 15 MINUTES, events.at) AS quarter_at"
_GROUPS: Final = ", ".join(f"events.{name}" for name in EVIDENCE_GROUPS[1:])
_COUNT: Final = f"SELECT {_QUARTER}, {_GROUPS}, COUNT(*) AS calls_count, MIN(events.at) AS first_at, MAX(events.at) AS last_at FROM events WHERE "  # noqa: S608 - names from our own tables
_OBJECTS: Final = "SELECT COUNT(DISTINCT object) AS every, COUNT(DISTINCT object) FILTER (outcome = 'ok') AS ok FROM events WHERE "
_SHOW: Final = f"SELECT {', '.join(f'events.{name}' for name in EVENTS.names)} FROM events WHERE "  # noqa: S608 - as above
_SHARED: Final = f"""
WITH opened AS (SELECT * FROM events WHERE events.at >= ? AND events.at < ? AND outcome = 'ok'
    AND object IS NOT NULL),
shared AS (SELECT object, list_sort(list(DISTINCT app_id)) AS apps FROM opened GROUP BY object
    HAVING len(apps) <= ? AND COUNT(DISTINCT app_id) FILTER (app_id IN (SELECT unnest(?))) > 1),
chosen AS (SELECT object FROM shared
    QUALIFY row_number() OVER (PARTITION BY apps ORDER BY object) <= ?)
SELECT {", ".join(f"opened.{name}" for name in EVENTS.names)} FROM opened
WHERE object IN (SELECT object FROM chosen) ORDER BY opened.at, opened.id LIMIT ?"""  # noqa: S608 - names from our own tables
_ORDER: Final = (
    "events.at < ? OR events.at >= ?, outcome IS DISTINCT FROM 'ok', "
    f"-coalesce(list_position({list(SEVERITIES)}, severity), {SEVERITIES.index('medium') + 1}), "
    "events.at, id"
)
_ONE_BY_ONE: Final = 8
"""Values a row is compared with one after another; more of them are looked up in a table."""

_AT: Final = SCHEMA.field("at").type
_COUNTS: Final = pa.schema(
    [
        ("quarter_at", _AT),
        *(SCHEMA.field(name) for name in EVIDENCE_GROUPS[1:]),
        ("calls_count", pa.int64()),
        ("first_at", _AT),
        ("last_at", _AT),
    ],
    metadata=SCHEMA.metadata,
)
_DISTINCT: Final = pa.schema([("every", pa.int64()), ("ok", pa.int64())])


@dataclass(frozen=True)
class StoreEvidence(EvidenceSource):
    """Fetches the rows behind hits from a store.

    Parameters
    ----------
    store : Store
        The store.
    windows : list of Manifest
        Its windows, in order of time; brought up to date where another process replaced some.
    catalogue : Catalogue
        The APIs and their sensitivity, as they stand now.
    damaged : list of str, optional
        Takes the windows that could not be read, with the reason; their rows are missing in what
        was fetched.
    """

    store: Store
    windows: list[Manifest]
    catalogue: Catalogue
    damaged: list[str] = field(default_factory=list)
    _checked: dict[Path, os.stat_result] = field(default_factory=dict, init=False, repr=False)

    def fetch(
        self,
        hits: Sequence[Hit],
        *,
        start: pd.Timestamp,
        end: pd.Timestamp,
        rows_max: int,
        beside: Sequence[Hit] = (),
    ) -> Evidence:
        """Fetch the rows behind the hits of one entity.

        Of a window that cannot be read there are none, and it is among the `damaged`. WindowGone
        if other processes replace windows faster than they can be read.
        """
        return self._retry(
            lambda: self._fetch(hits, beside, start=start, end=end, rows_max=rows_max)
        )

    def fetch_shared(
        self,
        apps: Collection[str],
        *,
        start: pd.Timestamp,
        end: pd.Timestamp,
        apps_max: int,
        objects_max: int,
        rows_max: int,
    ) -> pd.DataFrame:
        """Fetch the calls of objects that some apps share with each other and few others."""
        values = [start.to_pydatetime(), end.to_pydatetime(), apps_max, [*apps]]
        values += [objects_max, rows_max]
        found = self._retry(
            lambda: self._query(_SHARED, values, self._find_sound([(start, end)]), SCHEMA)
        )
        return EVENTS.coerce(found.to_pandas())

    def _retry(self, read: Callable[[], Read]) -> Read:
        for _ in range(RETRIES):
            try:
                return read()
            except WindowGone:
                # joined or read again meanwhile: the rows are in other files now
                self.windows[:] = self.store.scan().manifests
        return read()

    def _fetch(
        self,
        hits: Sequence[Hit],
        beside: Sequence[Hit],
        *,
        start: pd.Timestamp,
        end: pd.Timestamp,
        rows_max: int,
    ) -> Evidence:
        spans = [(max(h.start_at, start), min(h.end_at, end)) for h in (*hits, *beside)]
        tests = [_test(hit, *span) for hit, span in zip((*hits, *beside), spans, strict=True)]
        windows = self._find_sound(spans)
        every, values = _join_tests(tests)
        counted = self._query(f"{_COUNT}{every} GROUP BY ALL", values, windows, _COUNTS)
        # of a few words, many times: everything that is asked of them is faster by their numbers
        words = [field.name for field in counted.schema if pa.types.is_string(field.type)]
        groups = counted.to_pandas(categories=words)
        for name in ("quarter_at", "first_at", "last_at"):
            groups[name] = groups[name].astype(AT)
        own, values = _join_tests(tests[: len(hits)])
        mine = groups[find_covered(hits, groups)]
        held = _find_held(mine["quarter_at"], windows)
        distinct = self._query(f"{_OBJECTS}{own}", values, held, _DISTINCT).to_pydict()
        lead = [at.to_pydatetime() for at in (hits[0].start_at, hits[0].end_at)]
        inside = _find_first(mine, held, lead, rows_max)
        order = f"{_SHOW}({own}) ORDER BY {_ORDER} LIMIT {rows_max}"
        rows = self._query(order, values + lead, inside, SCHEMA)
        return Evidence(
            rows=EVENTS.coerce(rows.to_pandas()),
            groups=groups,
            objects_count=sum(distinct["every"]),
            ok_objects_count=sum(distinct["ok"]),
        )

    def _find_sound(self, spans: list[tuple[pd.Timestamp, pd.Timestamp]]) -> list[Manifest]:
        """List the windows of some spans; every page of each was checked, once."""
        found = []
        # pandas' instants take ten times as long to compare
        sought = [(start.to_pydatetime(), end.to_pydatetime()) for start, end in spans]
        for window in self.windows.copy():
            if not any(window.start < end and window.end > start for start, end in sought):
                continue
            path = self.store.file_of(window)
            try:
                if path not in self._checked or self._is_changed(path):
                    if path in self._checked:
                        vars(self).pop("_connection", None)  # it knows the footer of another file
                    check_window(self.store, window)
                    self._checked[path] = path.stat()
            except WindowGone:
                raise
            except WindowUnreadable as error:
                self.damaged.append(str(error))
                self.windows.remove(window)
            else:
                found.append(window)
        return found

    def _is_changed(self, path: Path) -> bool:
        try:
            now, then = path.stat(), self._checked[path]
        except OSError:
            return True
        return (now.st_ino, now.st_mtime_ns) != (then.st_ino, then.st_mtime_ns)

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        connection = connect_duckdb(threads=2)
        # a finding is looked for in the windows of a week: their footers are read once for all
        connection.execute("SET parquet_metadata_cache = true")
        return connection

    def _query(
        self, text: str, values: list[Any], windows: list[Manifest], schema: pa.Schema
    ) -> pa.Table:
        """Query windows together; a window that is replaced meanwhile makes it void."""
        if not windows:
            return schema.empty_table()
        paths = [self.store.file_of(window) for window in windows]
        digest = self.catalogue.digest()
        connection = self._connection
        try:
            connection.read_parquet([str(path) for path in paths]).create_view("stored")
            source = "stored"
            if any(window.catalogue != digest for window in windows):
                source = self._match_again(connection)
            # a row that two windows hold is one row
            overlapping = any(later.start < earlier.end for earlier, later in pairwise(windows))
            once = "QUALIFY row_number() OVER (PARTITION BY id) = 1" if overlapping else ""
            connection.execute(f"CREATE OR REPLACE VIEW events AS FROM {source} {once}")
            found = connection.sql(text, params=values).to_arrow_table().cast(schema)
        except duckdb.Error as error:
            if any(map(self._is_changed, paths)):
                raise WindowGone(f"{self.store.folder}: was written to while it was read") from None
            raise WindowUnreadable(
                f"{self.store.folder}: the rows behind the findings cannot be read "
                f"({type(error).__name__}); run: store verify"
            ) from None
        if any(map(self._is_changed, paths)):
            raise WindowGone(f"{self.store.folder}: was written to while it was read")
        return found

    def _match_again(self, connection: duckdb.DuckDBPyConnection) -> str:
        """Let the events say of their APIs what today's catalogue says, as the counts do."""
        found = connection.sql("SELECT DISTINCT api FROM stored WHERE api IS NOT NULL").fetchall()
        names = [name for (name,) in found]
        said = describe_apis(names, self.catalogue)
        connection.register("names", pa.table({"name": pa.array(names, pa.string()), **said}))
        connection.execute(
            "CREATE OR REPLACE VIEW matched AS SELECT stored.* REPLACE (coalesce(names.api, stored.api) AS api, "
            "coalesce(names.category, stored.category) AS category, "
            "coalesce(names.severity, stored.severity) AS severity) "
            "FROM stored LEFT JOIN names ON stored.api = names.name"
        )
        return "matched"


def _test(hit: Hit, start: pd.Timestamp, end: pd.Timestamp) -> tuple[str, list[Any]]:
    """Return the condition of a hit's rows; what an attacker could write is a parameter of it."""
    conditions = ["events.at >= ? AND events.at < ?"]
    values: list[Any] = [start.to_pydatetime(), end.to_pydatetime()]
    for column, wanted in hit.where.items():
        if len(wanted) > _ONE_BY_ONE:
            conditions.append(f"{column} IN (SELECT unnest(?))")
            values.append([*wanted])
        else:
            conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values += wanted
    return " AND ".join(conditions), values


def _join_tests(tests: Sequence[tuple[str, list[Any]]]) -> tuple[str, list[Any]]:
    return " OR ".join(f"({text})" for text, _ in tests), [v for _, own in tests for v in own]


def _find_held(quarters: pd.Series, windows: list[Manifest]) -> list[Manifest]:
    """List the windows that hold counted rows: opening a file costs more than reading it."""
    known = pd.DatetimeIndex(quarters.unique()).sort_values()
    start, end = (
        pd.to_datetime([getattr(w, n) for w in windows], utc=True) for n in ("start", "end")
    )
    first = known.searchsorted(start - pd.Timedelta(minutes=15), side="right")
    held = first < known.searchsorted(end)
    return [window for window, one in zip(windows, held, strict=True) if one]


def _find_first(
    groups: pd.DataFrame, windows: list[Manifest], lead: list[Any], rows_max: int
) -> list[Manifest]:
    """List the windows that hold the first rows to show; mostly a few, and no other is read."""
    key = pd.DataFrame(
        {
            "beside": (groups["last_at"] < lead[0]) | (groups["first_at"] >= lead[1]),
            "failed": groups["outcome"] != "ok",
            "harmless": -rank_severity(groups["severity"]),
            "first_at": groups["first_at"],
        }
    )
    order = key.sort_values(list(key.columns)).index
    # of an hour that is only in part in the time of the first hit, some rows come much later
    whole = (groups["first_at"] >= lead[0]) == (groups["last_at"] < lead[1])
    counts = groups["calls_count"].where(key["beside"] | whole, 0)
    before = counts[order].cumsum().shift(fill_value=0)
    chosen = groups.loc[before[before < rows_max].index]
    spans = list(zip(chosen["first_at"], chosen["last_at"], strict=True))
    # within an hour rows are shown by time, whatever group they are of
    return [w for w in windows if any(w.start <= last and w.end > first for first, last in spans)]
