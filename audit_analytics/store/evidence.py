"""Find the rows behind hits in a store: only the hours and the entity they speak about."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pandas as pd
import pyarrow as pa

from audit_analytics.cases import EVIDENCE_GROUPS, Evidence
from audit_analytics.rollup import connect_duckdb
from audit_analytics.schema import EVENTS
from audit_analytics.store.counting import describe_apis
from audit_analytics.store.manifest import SCHEMA
from audit_analytics.store.reader import RETRIES
from audit_analytics.store.window_file import WindowGone, WindowUnreadable, check_window

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from audit_analytics.cases import Hit
    from audit_analytics.catalogue import Catalogue
    from audit_analytics.store.folder import Store
    from audit_analytics.store.manifest import Manifest

_COUNT: Final = f"SELECT {', '.join(EVIDENCE_GROUPS)}, COUNT(*) AS calls_count FROM events WHERE "  # noqa: S608 - names from our own tables
_SHOW: Final = f"SELECT {', '.join(f'events.{name}' for name in EVENTS.names)} FROM events WHERE "  # noqa: S608 - as above
_COUNTS: Final = pa.schema(
    [SCHEMA.field(name) for name in EVIDENCE_GROUPS] + [("calls_count", pa.int64())],
    metadata=SCHEMA.metadata,
)


@dataclass(frozen=True)
class StoreEvidence:
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
    ) -> Evidence:
        """Fetch the rows behind the hits of one entity.

        Parameters
        ----------
        hits : sequence of Hit
            The hits; whose rows are shown first comes first.
        start, end : pandas.Timestamp
            Only rows in ``[start, end)``.
        rows_max : int
            How many rows to return; all are counted.

        Returns
        -------
        Evidence
            Rows and counts; of a window that cannot be read there are none, and it is among the
            `damaged`.

        Raises
        ------
        WindowGone
            Other processes replace windows faster than they can be read.
        """
        for _ in range(RETRIES):
            try:
                return self._fetch(hits, start=start, end=end, rows_max=rows_max)
            except WindowGone:
                # joined or read again meanwhile: the rows are in other files now
                self.windows[:] = self.store.scan().manifests
        return self._fetch(hits, start=start, end=end, rows_max=rows_max)

    def _fetch(
        self, hits: Sequence[Hit], *, start: pd.Timestamp, end: pd.Timestamp, rows_max: int
    ) -> Evidence:
        spans = [(max(hit.start_at, start), min(hit.end_at, end)) for hit in hits]
        tests = [_test(hit, *span) for hit, span in zip(hits, spans, strict=True)]
        anyone = " OR ".join(f"({text})" for text, _ in tests)
        values = [value for _, own in tests for value in own]
        windows = self._find_sound(spans)
        counted = self._query(f"{_COUNT}{anyone} GROUP BY ALL", values, windows, _COUNTS)
        counts = counted.to_pandas().groupby(list(EVIDENCE_GROUPS), dropna=False, as_index=False)
        rows = SCHEMA.empty_table()
        for (text, own), (first, last) in zip(tests, spans, strict=True):
            if len(rows) < rows_max and len(counted):
                inside = [w for w in windows if w.start < last and w.end > first]
                rows = pa.concat_tables([rows, self._find_rows(text, own, inside, rows_max)])
                again = pd.Series(rows["id"].to_pandas()).duplicated()
                rows = rows.filter(pa.array(~again, pa.bool_()))
        shown = EVENTS.coerce(rows.slice(0, rows_max).to_pandas())
        return Evidence(rows=shown, groups=counts.sum())

    def _find_sound(self, spans: list[tuple[pd.Timestamp, pd.Timestamp]]) -> list[Manifest]:
        """List the windows of some spans; every page of each was checked, once."""
        found = []
        for window in self.windows.copy():
            if not any(window.start < end and window.end > start for start, end in spans):
                continue
            path = self.store.file_of(window)
            try:
                if path not in self._checked or self._is_changed(path):
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

    def _find_rows(
        self, test: str, values: list[Any], windows: list[Manifest], rows_max: int
    ) -> pa.Table:
        """Return the first rows; mostly the first day has enough, and the others are not read."""
        text = f"{_SHOW}{test} ORDER BY events.at, id LIMIT {rows_max}"
        day = windows[0].start.date() if windows else None
        count = sum(window.start.date() == day for window in windows)
        found = SCHEMA.empty_table()
        for part in (windows[:count], windows[count:]):
            if len(found) < rows_max:
                found = pa.concat_tables([found, self._query(text, values, part, SCHEMA)])
        return found.sort_by([("at", "ascending"), ("id", "ascending")]).slice(0, rows_max)

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return connect_duckdb(threads=2)

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
        conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
        values += wanted
    return " AND ".join(conditions), values
