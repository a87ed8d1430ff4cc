"""Reduce events to counts per bucket: the only stage that touches every event.

The SQL text stands beside this module in ``rollup.sql`` and is the same for every engine; here
DuckDB runs it over a DataFrame.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from audit_analytics import schema
from audit_analytics.buckets import floor_at
from audit_analytics.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

SQL: Final = Template(files("audit_analytics").joinpath("rollup.sql").read_text(encoding="utf-8"))

_INPUT: Final = [
    "at",
    "app_id",
    "ip",
    "network",
    "api",
    "category",
    "severity",
    "outcome",
    "response_code",
    "object",
]


@dataclass(frozen=True)
class Rollup:
    """Counts per bucket.

    Parameters
    ----------
    by_api : pandas.DataFrame
        Table :data:`audit_analytics.schema.CALLS_BY_API`.
    by_ip : pandas.DataFrame
        Table :data:`audit_analytics.schema.CALLS_BY_IP`.
    bucket : str
        Width of the buckets, for example ``1h``.
    """

    by_api: pd.DataFrame
    by_ip: pd.DataFrame
    bucket: str


def rollup(events: pd.DataFrame, *, bucket: str = "1h", zone: str = "UTC") -> Rollup:
    """Count calls per bucket by (app, API) and by (app, IP).

    Parameters
    ----------
    events : pandas.DataFrame of shape (n_events, 18)
        Table :data:`audit_analytics.schema.EVENTS`.
    bucket : str, default="1h"
        Width of the buckets, up to a day.
    zone : str, default="UTC"
        IANA zone whose midnight begins a bucket of a day; of no effect on shorter buckets.

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
    missing = set(_INPUT).difference(events.columns)
    if missing:
        raise InputError(
            f"this DataFrame is no event table: it lacks {', '.join(sorted(missing))}; "
            "make one with audit_analytics.load()"
        )
    narrow = events[_INPUT]
    narrow = narrow.assign(bucket_at=floor_at(narrow["at"], bucket, zone=zone))
    with duckdb.connect(config={"threads": 2}) as connection:
        # without it DuckDB hands instants back in the zone of the machine
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", pa.Table.from_pandas(narrow, preserve_index=False))
        by_api = _count(connection, schema.CALLS_BY_API)
        by_ip = _count(connection, schema.CALLS_BY_IP)
    return Rollup(by_api, by_ip, bucket)


def _count(connection: duckdb.DuckDBPyConnection, table: schema.Table) -> pd.DataFrame:
    keys = table.names[: table.names.index("calls_count")]
    result = connection.sql(SQL.substitute(keys=", ".join(keys)))
    return table.coerce(result.to_arrow_table().to_pandas())
