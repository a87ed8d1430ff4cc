"""Reduce events to counts per bucket: the only stage that touches every event.

The SQL text stands beside this module in ``rollup.sql`` and is the same for every engine; here
DuckDB runs it over Arrow tables, whose keys are replaced by numbers first: grouping by a number
takes a fifth of the time of grouping by texts.
"""

from __future__ import annotations

import atexit
import math
import secrets
import shutil
import tempfile
from collections.abc import Collection, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from audit_analytics import schema
from audit_analytics.dates.buckets import floor_at
from audit_analytics.errors import InputError

__all__ = [
    "COLUMNS",
    "MEMORY_LIMIT",
    "SQL",
    "Rollup",
    "connect_duckdb",
    "count_calls",
    "keys_of",
    "rollup",
    "to_frame",
    "write_sql",
]

SQL: Final = Template(files("audit_analytics").joinpath("rollup.sql").read_text(encoding="utf-8"))

COLUMNS: Final = (
    "at", "app_id", "ip", "network", "api", "category", "severity", "outcome", "response_code",
    "object",
)  # fmt: skip
"""Columns of the events that the rollup reads."""

MEMORY_LIMIT: Final = "1GB"
"""What DuckDB takes before it writes to the disk; one partition needs a tenth of it."""

_WORDS: Final = ("app_id", "ip", "network", "api", "category", "severity")


@dataclass(frozen=True)
class Rollup:
    """Counts per bucket.

    Parameters
    ----------
    by_api, by_ip : pandas.DataFrame
        Tables :data:`audit_analytics.schema.CALLS_BY_API` and ``CALLS_BY_IP``.
    bucket : str
        Width of the buckets, for example ``1h``.
    """

    by_api: pd.DataFrame
    by_ip: pd.DataFrame
    bucket: str

    def until(self, end: pd.Timestamp) -> Rollup:
        """Return the counts of the buckets that begin before an instant.

        Parameters
        ----------
        end : pandas.Timestamp
            The instant, UTC.

        Returns
        -------
        Rollup
            What is known then.
        """
        by_api, by_ip = (t[t["bucket_at"] < end] for t in (self.by_api, self.by_ip))
        return Rollup(by_api, by_ip, self.bucket)

    def part(self, apps: Collection[str]) -> tuple[Rollup, Rollup]:
        """Part the counts of some apps from those of all others.

        Parameters
        ----------
        apps : collection of str
            App ids.

        Returns
        -------
        tuple of two Rollup
            Theirs, and the rest.
        """
        by_api, by_ip = (table["app_id"].isin(apps) for table in (self.by_api, self.by_ip))
        return (
            Rollup(self.by_api[by_api], self.by_ip[by_ip], self.bucket),
            Rollup(self.by_api[~by_api], self.by_ip[~by_ip], self.bucket),
        )


def rollup(events: pd.DataFrame, *, bucket: str = "1h", zone: str = "UTC") -> Rollup:
    """Count calls per bucket by (app, API) and by (app, IP).

    Parameters
    ----------
    events : pandas.DataFrame of shape (n_events, 18)
        Table :data:`audit_analytics.schema.EVENTS`; an InputError if a column is missing.
    bucket, zone : str, default="1h", "UTC"
        Width of the buckets, up to a day, and the IANA zone on whose clocks they are cut.

    Returns
    -------
    Rollup
        Both tables, ordered by their keys; distinct objects are exact.

    Raises
    ------
    InputError
        The frame lacks a column of the event table.

    Examples
    --------
    >>> rollup(schema.EVENTS.empty()).by_api.shape
    (0, 20)
    """
    missing = set(COLUMNS).difference(events.columns)
    if missing:
        raise InputError(
            f"this DataFrame is no event table: it lacks {', '.join(sorted(missing))}; "
            "make one with audit_analytics.load()"
        )
    narrow = events[list(COLUMNS)]
    narrow = narrow.assign(bucket_at=floor_at(narrow["at"], bucket, zone=zone))
    by_api, by_ip = count_calls(pa.Table.from_pandas(narrow, preserve_index=False), threads=2)
    return Rollup(
        to_frame([by_api], schema.CALLS_BY_API), to_frame([by_ip], schema.CALLS_BY_IP), bucket
    )


def count_calls(
    events: pa.Table, *, threads: int = 1, connection: duckdb.DuckDBPyConnection | None = None
) -> tuple[pa.Table, pa.Table]:
    """Count calls per bucket by (app, API) and by (app, IP), in Arrow.

    Parameters
    ----------
    events : pyarrow.Table
        ``COLUMNS`` and ``bucket_at``; words as strings or dictionaries.
    threads : int, default=1
        Threads of DuckDB.
    connection : duckdb.DuckDBPyConnection, optional
        From :func:`connect_duckdb`; opening one takes as long as counting 50,000 rows.

    Returns
    -------
    tuple of two pyarrow.Table
        Columns of :data:`audit_analytics.schema.CALLS_BY_API` and ``CALLS_BY_IP``, ordered by their
        keys; words are dictionaries.
    """
    codes, words = {}, {}
    for name in (*_WORDS, "bucket_at"):
        codes[name], words[name] = _sort_words(events[name])
    with (
        connect_duckdb(threads=threads) if connection is None else nullcontext(connection) as engine
    ):
        by_api, by_ip = (
            _count(engine, events, codes, words, keys_of(table))
            for table in (schema.CALLS_BY_API, schema.CALLS_BY_IP)
        )
    return by_api, by_ip


def _count(
    connection: duckdb.DuckDBPyConnection,
    events: pa.Table,
    codes: dict[str, pa.ChunkedArray],
    words: dict[str, pa.Array],
    keys: list[str],
) -> pa.Table:
    """Count by numbers that stand for whole keys: one wide number groups faster than five."""
    cells = _pack({key: len(words[key]) + 1 for key in keys})
    columns = {name: events[name] for name in ("at", "outcome", "response_code", "object")}
    for cell, sizes in cells.items():
        number = np.zeros(len(events), np.int64)
        for key, size in sizes.items():
            # null is the last of its words
            number = number * size + codes[key].fill_null(size - 1).to_numpy()
        columns[cell] = number
    connection.register("events", pa.table(columns))
    counted = connection.sql(SQL.substitute(keys=", ".join(cells))).to_arrow_table()
    connection.unregister("events")
    decoded = {}
    for cell, sizes in cells.items():
        number = counted[cell].to_numpy()
        for key, size in reversed(sizes.items()):
            number, place = np.divmod(number, size)
            code = pa.array(place.astype(np.int32), mask=place == size - 1)
            decoded[key] = (
                words[key].take(code)
                if key == "bucket_at"
                else pa.DictionaryArray.from_arrays(code, words[key])
            )
    rest = {name: counted[name] for name in counted.column_names if name not in cells}
    return pa.table({key: decoded[key] for key in keys} | rest)


def _pack(sizes: dict[str, int]) -> dict[str, dict[str, int]]:
    """Share the keys out among as few numbers of 63 bits as hold all their combinations."""
    cells: list[dict[str, int]] = [{}]
    for key, size in sizes.items():
        if math.prod(cells[-1].values()) * size >= 2**63:
            cells.append({})
        cells[-1][key] = size
    return {f"cell_{place}": cell for place, cell in enumerate(cells)}


def connect_duckdb(*, threads: int) -> duckdb.DuckDBPyConnection:
    """Open an empty DuckDB whose memory is limited and whose clock is UTC.

    Parameters
    ----------
    threads : int
        How many threads it may use.

    Returns
    -------
    duckdb.DuckDBPyConnection
        Close it.
    """
    connection = duckdb.connect(
        config={
            "threads": threads,
            "memory_limit": MEMORY_LIMIT,
            # DuckDB makes it when it needs it, and removes it when it is done
            "temp_directory": str(_make_spill_folder() / secrets.token_hex(4)),
        }
    )
    # without it DuckDB hands instants back in the zone of the machine
    connection.execute("SET TimeZone = 'UTC'")
    # a query of more than two seconds would draw over the output of the program; in a notebook
    # without ipywidgets there is no bar, and DuckDB refuses to hear of it
    with suppress(duckdb.InvalidInputException):
        connection.execute("SET enable_progress_bar = false")
    return connection


@cache
def _make_spill_folder() -> Path:
    """Make a folder only this user can read, for what does not fit into memory."""
    folder = tempfile.mkdtemp(prefix="audit-analytics-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def write_sql(table: schema.Table) -> str:
    """Return the SQL that counts `events` into one of the two tables.

    Parameters
    ----------
    table : Table
        :data:`audit_analytics.schema.CALLS_BY_API` or ``CALLS_BY_IP``.

    Returns
    -------
    str
        One statement that DuckDB and Spark SQL take alike.
    """
    return SQL.substitute(keys=", ".join(keys_of(table)))


def keys_of(table: schema.Table) -> list[str]:
    """Return the columns a table of counts is grouped by.

    Parameters
    ----------
    table : Table
        :data:`audit_analytics.schema.CALLS_BY_API` or ``CALLS_BY_IP``.

    Returns
    -------
    list of str
        Names in order.

    Examples
    --------
    >>> keys_of(schema.CALLS_BY_IP)
    ['bucket_at', 'app_id', 'ip', 'network']
    """
    return table.names[: table.names.index("calls_count")]


def to_frame(parts: Sequence[pa.Table], table: schema.Table) -> pd.DataFrame:
    """Join counts and hand them to pandas.

    Parameters
    ----------
    parts : sequence of pyarrow.Table
        As :func:`count_calls` returns them, at least one.
    table : Table
        :data:`audit_analytics.schema.CALLS_BY_API` or ``CALLS_BY_IP``.

    Returns
    -------
    pandas.DataFrame
        The table; categories are the words that occur, in order.
    """
    joined = pa.concat_tables(parts)
    columns = {}
    for name in table.names:
        column = joined[name]
        if pa.types.is_dictionary(column.type):
            codes, texts = _sort_words(column)
            places = codes.fill_null(-1).to_numpy()
            index = pd.Index(texts.to_pandas(), dtype="str")
            found = pd.Categorical.from_codes(places, index).remove_unused_categories()
            columns[name] = pd.Series(found)
        else:
            columns[name] = column.to_pandas()
    return table.coerce(pd.DataFrame(columns))


def _sort_words(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.Array]:
    """Return the place of each word among the distinct words in order, and these."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    if not column.num_chunks:
        return pa.chunked_array([], pa.int32()), pa.array([], column.type.value_type)
    texts = column.chunk(0).dictionary
    order = pc.sort_indices(texts)
    rank: NDArray[np.int32] = np.empty(len(order), np.int32)
    rank[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
    ranks = pa.array(rank)
    codes = pa.chunked_array([chunk.indices for chunk in column.chunks]).combine_chunks()
    return pa.chunked_array([ranks.take(codes)]), texts.take(order)


def __dir__() -> list[str]:
    return __all__
