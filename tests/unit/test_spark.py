"""Spark counts what DuckDB counts, row for row, from the same SQL text."""

from __future__ import annotations

import importlib.util
import shutil
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from tenant import EXPORT, READ, calls, store_window

from audit_analytics.catalogue import Catalogue
from audit_analytics.cli.main import main
from audit_analytics.store import Rollups, Store, read_calls
from audit_analytics.store._rollups import KINDS
from audit_analytics.store._spark import SparkEngine

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="PySpark is not here"),
    pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java on this machine"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHIPPED = Catalogue.default()


def some(start, count, **columns):
    at = [pd.Timestamp(start) + n * (HOUR / count) for n in range(count)]
    return calls("cli_a", at, **{"object": [n % 7 for n in range(count)], **columns})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("spark") / "store")
    first = [
        some(NINE, 40, outcome=["ok", "auth", "not_found", "unknown"] * 10),
        some(NINE, 9, app_id="Ω 'x'; --", ip="2001:db8::1", object=pd.NA),
        some(NINE, 5, app_id="", ip="", api="", object=[2**63 - 1, -(2**63), 0, 0, pd.NA]),
        some(NINE, 8, ip="platform", api=EXPORT, outcome="permission"),
    ]
    store_window(store, NINE, first)
    store_window(store, NINE + HOUR, [])
    # longer than an hour, with a row on its edge that belongs to the next one
    long = [some(NINE + n * HOUR, 6) for n in (2, 3, 4)]
    store_window(store, NINE + 2 * HOUR, long, end=NINE + 4 * HOUR)
    unknown = {"category": "unknown", "severity": "unknown"}
    renamed = some(NINE, 4, api="GET/open-apis/contact/v3/users/:id", **unknown)
    at = renamed["at"] + 24 * HOUR
    store_window(store, NINE + 24 * HOUR, [renamed.assign(at=at)], catalogue="earlier")
    path = store.path_of(NINE)
    table = pq.ParquetFile(path).read()
    for name in ("app_id", "ip", "api", "outcome"):
        # other programs write nulls where this one writes empty strings
        values = [None if n % 11 == 3 else v for n, v in enumerate(table[name].to_pylist())]
        place = table.column_names.index(name)
        table = table.set_column(place, name, [values])
    metadata = pq.read_metadata(path).metadata
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return store


def count(store, *engine, **zone):
    days = Rollups(store, SHIPPED, *engine, **zone).refresh(store.scan().manifests)
    return [{kind: day.tables[kind].to_pylist() for kind in KINDS} for day in days]


def clear(store):
    shutil.rmtree(store.folder / ".rollup", ignore_errors=True)


def test_spark_counts_what_duckdb_counts_row_for_row(store):
    clear(store)
    expected = count(store)
    assert len(expected) == 2
    assert any(row["app_id"] is None for row in expected[0]["calls_by_api"])
    assert expected[1]["calls_by_api"][0]["api"] == READ
    clear(store)
    assert count(store, SparkEngine("local[2]")) == expected
    # late rows
    later = [some(NINE + HOUR, 12, ip="198.51.100.7")]
    store_window(store, NINE + HOUR, later, read_at=NINE + 9 * HOUR)
    days = list(Rollups(store, SHIPPED, SparkEngine("local[2]")).refresh(store.scan().manifests))
    assert [day.counted for day in days] == [[NINE + HOUR], []]
    refreshed = [{kind: day.tables[kind].to_pylist() for kind in KINDS} for day in days]
    clear(store)
    assert refreshed == count(store)
    clear(store)
    half_past = count(store, zone="Asia/Kolkata")
    assert half_past != refreshed
    clear(store)
    assert count(store, SparkEngine("local[2]"), zone="Asia/Kolkata") == half_past


def test_weekly_goes_on_from_what_spark_counted(store):
    clear(store)
    done = CliRunner().invoke(
        main, ["rollup", str(store.folder), "--engine", "spark", "--master", "local[2]"]
    )
    assert done.exit_code == 0, done.output
    assert "5 hours of 2 days counted" in done.stdout
    day = next(iter(Rollups(store, SHIPPED).refresh(store.scan().manifests)))
    assert day.counted == []
    assert read_calls(store, store.scan().manifests, SHIPPED).by_api["calls_count"].sum() > 60
