"""The tables the stages meet in: every column with its dtype, unit and meaning.

Stages never import each other. They read and write the tables named here, so this page is the
contract between them: :data:`EVENTS` (one row a call), :data:`REJECTS` (rows that could not be
read), :data:`CALLS_BY_API` and :data:`CALLS_BY_IP` (the hourly rollup).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

__all__ = [
    "AT",
    "CALLS_BY_API",
    "CALLS_BY_IP",
    "ERROR_OUTCOMES",
    "EVENTS",
    "NO_PLACE",
    "OUTCOMES",
    "REJECTS",
    "SENSITIVE",
    "SEVERITIES",
    "Column",
    "Table",
    "rank_severity",
]

AT: Final = "datetime64[us, UTC]"
"""dtype of every instant: microseconds, UTC."""

OUTCOMES: Final = (
    "ok",
    "auth",
    "permission",
    "not_found",
    "rate_limit",
    "param",
    "server",
    "other",
    "unknown",
)
"""What a call came to, decided by the response code first and the HTTP status second."""

ERROR_OUTCOMES: Final = OUTCOMES[1:-1]
"""The outcomes that count as errors; ``unknown`` is neither success nor error."""

SEVERITIES: Final = ("none", "low", "medium", "high", "critical")
"""Policy severity of an API, rising; ``unknown`` stands for a call that names no API."""

NO_PLACE: Final = ("", "platform")
"""Networks and addresses that say nothing about who calls: none, and the platform's own."""

SENSITIVE: Final = ("high", "critical")
"""The policy severities that make an API sensitive."""


def rank_severity(severities: pd.Series) -> pd.Series:
    """Return the place of policy severities in :data:`SEVERITIES`.

    Parameters
    ----------
    severities : pandas.Series
        Names.

    Returns
    -------
    pandas.Series of int64
        What has no severity counts as medium.

    Examples
    --------
    >>> rank_severity(pd.Series(["critical", "unknown"])).tolist()
    [4, 2]
    """
    places = {name: place for place, name in enumerate(SEVERITIES)}
    kinds = severities.astype("category").cat
    # what is missing has the code -1, so the last of them counts for it
    grades = [places.get(name, places["medium"]) for name in (*kinds.categories, None)]
    found = np.array(grades, "int64")[kinds.codes]
    return pd.Series(found, severities.index, name=severities.name)


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name, dtype : str
        Name, with a unit suffix where it has a unit; pandas dtype: ``category`` holds strings, and
        ``string`` is backed by Arrow.
    unit, meaning : str
        Unit of the values, or ``-``; and what one says.
    """

    name: str
    dtype: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table of fixed columns.

    Parameters
    ----------
    name : str
        Name of the table.
    columns : tuple of Column
        The columns, in order.

    Examples
    --------
    >>> EVENTS.empty().shape
    (0, 18)
    """

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Return the column names in order."""
        return [column.name for column in self.columns]

    def empty(self) -> pd.DataFrame:
        """Return the table without rows.

        Returns
        -------
        pandas.DataFrame
            Zero rows, every column with its dtype.
        """
        return self.coerce(pd.DataFrame({name: [] for name in self.names}))

    def coerce(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Give a frame this table's columns, order and dtypes; a KeyError if one is missing.

        Parameters
        ----------
        frame : pandas.DataFrame
            A frame with at least this table's columns; further columns are dropped.

        Returns
        -------
        pandas.DataFrame
            A new frame; columns that already have their dtype are not copied.

        Raises
        ------
        KeyError
            A column is missing.
        """
        missing = self.missing(frame.columns)
        if missing:
            raise KeyError(f"table {self.name}: missing column(s) {', '.join(missing)}")
        return pd.DataFrame({c.name: _cast(frame[c.name], c.dtype) for c in self.columns})

    def missing(self, names: Sequence[str] | pd.Index) -> list[str]:
        """List the columns of this table that `names` lacks.

        Parameters
        ----------
        names : sequence of str
            Column names at hand.

        Returns
        -------
        list of str
            Missing names, in table order.
        """
        present = set(names)
        return [name for name in self.names if name not in present]


def _cast(column: pd.Series, dtype: str) -> pd.Series:
    if dtype == "string":
        return column.astype(pd.StringDtype("pyarrow"))
    if dtype == "category":
        if isinstance(column.dtype, pd.CategoricalDtype):
            return column
        return column.astype("str").astype("category")
    if dtype == AT and not isinstance(column.dtype, pd.DatetimeTZDtype):
        return pd.to_datetime(column, utc=True).astype(AT)
    return column.astype(dtype)


EVENTS: Final = Table(
    "events",
    (
        Column("id", "string", "-", "log id; unique once duplicates are dropped"),
        Column("at", AT, "UTC", "when the call was made; the log has whole seconds"),
        Column("app_id", "category", "-", "the calling app, the log's only actor; '' if absent"),
        Column("ip", "category", "-", "first address of the log's ip field; '' if absent"),
        Column("network", "category", "-", "/24 of an IPv4, /48 of an IPv6, 'platform', or ''"),
        Column("api", "category", "-", "canonical METHOD/path with :placeholders"),
        Column("api_raw", "category", "-", "api_key as logged"),
        Column("method", "category", "-", "HTTP method, upper case; '' if absent"),
        Column("path", "string", "-", "path as logged, without its query string"),
        Column("http_status", "Int16", "-", "HTTP status 100-599; NA if the log does not say"),
        Column("response_code", "Int64", "-", "business code of the answer; NA if absent"),
        Column("outcome", "category", "-", "one of OUTCOMES"),
        Column(
            "category", "category", "-", "sensitivity category; 'unknown' outside the catalogue"
        ),
        Column("severity", "category", "-", "one of SEVERITIES; a guess outside the catalogue"),
        Column("object", "Int64", "-", "hash of the concrete object called; NA if none is named"),
        Column(
            "payload_keys", "category", "-", "top-level keys of query and payload, sorted, by ','"
        ),
        Column("payload_bytes", "int32", "bytes", "length of the logged payload"),
        Column("source", "category", "-", "file (or page) the row was read from"),
    ),
)
"""One row a call."""

REJECTS: Final = Table(
    "rejects",
    (
        Column("source", "category", "-", "file (or page) the row was read from"),
        Column("row", "int64", "-", "line, or position of the item in the file, from 1"),
        Column("reason", "category", "-", "why the row could not be read"),
        Column(
            "raw", "string", "-", "its fields and their types; the row itself, masked, if asked for"
        ),
    ),
)
"""Rows that could not be read."""

_COUNTS = (
    Column("calls_count", "int64", "calls", "all calls"),
    *(Column(f"{o}_count", "int64", "calls", f"calls with outcome {o}") for o in OUTCOMES),
    Column("ip_denied_count", "int64", "calls", "refused by the app's allow list of addresses"),
    Column("objects_count", "int64", "objects", "distinct objects called"),
    Column("ok_objects_count", "int64", "objects", "distinct objects called with success"),
    Column("first_at", AT, "UTC", "first call in the bucket"),
    Column("last_at", AT, "UTC", "last call in the bucket"),
)

CALLS_BY_API: Final = Table(
    "calls_by_api",
    (
        Column("bucket_at", AT, "UTC", "start of the bucket"),
        Column("app_id", "category", "-", "the calling app"),
        Column("api", "category", "-", "canonical API"),
        Column("category", "category", "-", "sensitivity category of the API"),
        Column("severity", "category", "-", "policy severity of the API"),
        *_COUNTS,
    ),
)
"""Rollup of events by (bucket, app, API)."""

CALLS_BY_IP: Final = Table(
    "calls_by_ip",
    (
        Column("bucket_at", AT, "UTC", "start of the bucket"),
        Column("app_id", "category", "-", "the calling app"),
        Column("ip", "category", "-", "address the calls came from"),
        Column("network", "category", "-", "network of the address"),
        *_COUNTS,
    ),
)
"""Rollup of events by (bucket, app, IP)."""
