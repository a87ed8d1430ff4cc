"""Count the events of stored windows with Spark: the same SQL over the same Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import pyarrow as pa

from audit_analytics import schema
from audit_analytics.catalogue import Catalogue
from audit_analytics.errors import ConfigError, DataIncompleteError
from audit_analytics.rollup import COLUMNS, keys_of, write_sql
from audit_analytics.store._counting import Engine, Hour, HourCounts, describe_apis
from audit_analytics.store._folder import Store
from audit_analytics.store._manifest import Manifest

DAY_ROWS: Final = 2**62
"""A day is one job, however many rows it has: memory is Spark's to manage."""

_LOCAL: Final = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@dataclass(frozen=True)
class SparkEngine(Engine):
    """Counts with Spark; driver and executors must see the store under the same path.

    Parameters
    ----------
    master : str, optional
        Such as ``local[2]`` or ``spark://host:7077``; what spark-submit says unless given.
    """

    master: str | None = None
    batch_rows = DAY_ROWS
    workers = 1

    @cached_property
    def _session(self) -> Any:  # noqa: ANN401 - pyspark is not always there
        try:
            from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra
        except ImportError:
            raise ConfigError(
                'the engine spark needs PySpark: pip install "audit-analytics[spark]"'
            ) from None
        builder = SparkSession.builder.appName("audit-analytics rollup")
        if self.master:
            builder = builder.master(self.master)
            if self.master.startswith("local"):
                for name, value in _LOCAL.items():
                    builder = builder.config(name, value)
        session = builder.getOrCreate()
        # instants come back in the zone of the session
        session.conf.set("spark.sql.session.timeZone", "UTC")
        return session

    def count(
        self, store: Store, windows: Sequence[Manifest], hours: Sequence[Hour], catalogue: Catalogue
    ) -> HourCounts:
        session, start, end = self._session, hours[0].start, hours[-1].end
        from pyspark.sql import functions as f  # noqa: PLC0415 - an extra

        # date_trunc knows no hours that begin at half past
        starts = ", ".join(f"timestamp_seconds({hour.start.timestamp():.0f})" for hour in hours)
        try:
            events = self._select(store, windows, start, end)
            if any(window.catalogue != catalogue.digest() for window in windows):
                events = self._match_again(events, catalogue)
            events.withColumn(
                "bucket_at", f.expr(f"array_max(filter(array({starts}), hour -> hour <= at))")
            ).createOrReplaceTempView("events")
            by_api, by_ip = (
                _take(session.sql(write_sql(table)).toArrow(), table)
                for table in (schema.CALLS_BY_API, schema.CALLS_BY_IP)
            )
        except Exception as error:
            if not type(error).__module__.startswith(("pyspark", "py4j")):
                raise
            raise DataIncompleteError(
                f"Spark could not count {start:%Y-%m-%d}: {str(error).splitlines()[0][:300]}; "
                "see what is wrong with: store verify"
            ) from error
        return HourCounts(by_api, by_ip, [])

    def _select(
        self, store: Store, windows: Sequence[Manifest], start: datetime, end: datetime
    ) -> Any:  # noqa: ANN401 - a DataFrame of PySpark
        from pyspark.sql import functions as f  # noqa: PLC0415 - an extra

        overlapping = any(later.start < earlier.end for earlier, later in pairwise(windows))
        plain, narrowed = [], []
        for window in windows:
            first, last = max(window.start, start), min(window.end, end)
            path = f"file://{store.file_of(window).absolute()}"  # Hadoop takes no %3D for =
            inside = (window.first_at or first) >= first and (window.last_at or first) < last
            if inside:
                plain.append(path)
            else:
                narrowed.append((path, first, last))
        read = self._session.read.parquet
        parts = [read(*plain)] if plain else []
        for path, first, last in narrowed:
            at = f.col("at")
            parts.append(read(path).where((at >= f.lit(first)) & (at < f.lit(last))))
        events = parts[0]
        for part in parts[1:]:
            events = events.unionByName(part)
        if overlapping:
            events = events.dropDuplicates(["id"])
        return events.select(*COLUMNS)

    def _match_again(self, events: Any, catalogue: Catalogue) -> Any:  # noqa: ANN401 - DataFrames
        from pyspark.sql import functions as f  # noqa: PLC0415 - an extra

        names = [row[0] for row in events.select("api").distinct().collect() if row[0] is not None]
        said = describe_apis(names, catalogue)
        rows = list(zip(names, *said.values(), strict=True))
        if not rows:
            return events
        columns = "name string, new_api string, new_category string, new_severity string"
        table = self._session.createDataFrame(rows, columns)
        joined = events.join(f.broadcast(table), events["api"] == table["name"], "left")
        return joined.select(
            *(
                f.coalesce(f"new_{name}", name).alias(name) if name in said else f.col(name)
                for name in COLUMNS
            )
        )


def _take(counted: pa.Table, table: schema.Table) -> pa.Table:
    """Bring Spark's counts into the order and the types of the other engine."""
    keys = keys_of(table)
    counted = counted.sort_by([(key, "ascending") for key in keys])
    for place, name in enumerate(counted.column_names):
        column = counted[name]
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", "UTC"))
        elif name in keys:
            column = column.cast(pa.string()).dictionary_encode()
        counted = counted.set_column(place, name, column)
    return counted.select(table.names)
