from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from string import Template

import pandas as pd
import pyarrow.parquet as pq
import pytest
from tenant import EXPORT, READ, calls, store_window

from audit_analytics import schema
from audit_analytics.catalogue import Catalogue
from audit_analytics.rollup import rollup
from audit_analytics.store import (
    Rollups,
    Store,
    _rollups,
    lock_store,
    read_calls,
    read_store,
)
from audit_analytics.store._rollups import KINDS, ROLLUP_KEY

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHIPPED = Catalogue.default()


def make_calls(start, count, over=HOUR, **columns):
    at = [pd.Timestamp(start) + n * (over / count) for n in range(count)]
    defaults = {"object": list(range(count)), "category": "directory_bulk_read", "severity": "low"}
    return calls("cli_a", at, **{**defaults, **columns})


def read(store, catalogue=SHIPPED):
    return read_calls(store, store.scan().manifests, catalogue)


def assert_exact(store, catalogue=SHIPPED):
    """The counts are what a rollup of all events gives."""
    counted, expected = read(store, catalogue), rollup(read_store(store.folder))
    for name in ("by_api", "by_ip"):
        pd.testing.assert_frame_equal(getattr(counted, name), getattr(expected, name))


def files_of(store):
    found = (store.folder / ".rollup").rglob("*.parquet")
    return {path.relative_to(store.folder / ".rollup").as_posix(): path for path in found}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    busy = [
        make_calls(NINE, 30, ip="203.0.113.9"),
        make_calls(NINE, 20, api=EXPORT, outcome="permission"),
        make_calls(NINE, 5, ip="2001:db8::1", app_id="", object=pd.NA),
    ]
    store_window(store, NINE, busy)
    store_window(store, NINE + HOUR, [])
    store_window(store, NINE + 2 * HOUR, [make_calls(NINE + 2 * HOUR, 4)])
    store_window(store, NINE + 24 * HOUR, [make_calls(NINE + 24 * HOUR, 7)])
    return store


def test_counts_of_a_store_are_those_of_its_events_and_are_kept(store):
    assert_exact(store)
    assert set(files_of(store)) == {
        f"{kind}/day=2026-03-0{day}.parquet" for kind in KINDS for day in (2, 3)
    }
    modes = {path.stat().st_mode & 0o777 for path in files_of(store).values()}
    assert modes == {0o600}
    before = {name: path.stat().st_ino for name, path in files_of(store).items()}
    assert_exact(store)
    assert {name: path.stat().st_ino for name, path in files_of(store).items()} == before


def test_late_rows_count_their_hour_again_and_no_other(store):
    read(store)
    late = [make_calls(NINE, 31, ip="203.0.113.9")]
    store_window(store, NINE, late, read_at=NINE + 9 * HOUR)
    counted = {}
    for day in Rollups(store, SHIPPED).refresh(store.scan().manifests):
        counted[day.day.day] = day.counted
    assert counted == {2: [NINE], 3: []}
    assert_exact(store)


def test_an_hour_whose_window_is_gone_is_counted_no_more(store):
    read(store)
    store.path_of(NINE).unlink()
    assert_exact(store)
    store.path_of(NINE + 24 * HOUR).unlink()
    assert Rollups(store, SHIPPED).remove_days() == 1
    assert set(files_of(store)) == {f"{kind}/day=2026-03-02.parquet" for kind in KINDS}
    assert_exact(store)


def test_another_catalogue_counts_everything_again_with_what_it_says(store):
    read(store)
    own = Catalogue(severities={READ: "critical"})
    by_api = read(store, own).by_api
    severity = by_api.set_index("api")["severity"].astype("str").to_dict()
    assert severity == {READ: "critical", EXPORT: SHIPPED.match(EXPORT).severity}
    again = next(iter(Rollups(store, own).refresh(store.scan().manifests)))
    assert again.counted == []


def test_another_sql_counts_everything_again(store, monkeypatch):
    read(store)
    monkeypatch.setattr(_rollups, "SQL", Template(f"{_rollups.SQL.template}-- now otherwise"))
    days = list(Rollups(store, SHIPPED).refresh(store.scan().manifests))
    assert [len(day.counted) for day in days] == [3, 1]
    days = list(Rollups(store, SHIPPED).refresh(store.scan().manifests))
    assert [len(day.counted) for day in days] == [0, 0]


def test_an_api_that_became_known_takes_its_name(store):
    stored_as = "GET/open-apis/contact/v3/users/:id"
    unknown = {"api": stored_as, "category": "unknown", "severity": "unknown"}
    store_window(store, NINE, [make_calls(NINE, 3, **unknown)], catalogue="of an earlier version")
    by_api = read(store).by_api
    first = by_api[by_api["bucket_at"] == NINE]
    assert first[["api", "severity"]].astype("str").to_numpy().tolist() == [[READ, "low"]]


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_damaged_counts_are_counted_again(store, damage):
    read(store)
    path = files_of(store)["calls_by_ip/day=2026-03-02.parquet"]
    if damage == "cut":
        os.truncate(path, path.stat().st_size // 2)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    assert_exact(store)
    assert ROLLUP_KEY in pq.read_metadata(path).metadata


def test_a_crash_between_the_two_files_of_a_day_leaves_no_half_truth(store):
    read(store)
    kept = files_of(store)["calls_by_api/day=2026-03-02.parquet"]
    old = kept.read_bytes()
    store_window(store, NINE, [make_calls(NINE, 50)], read_at=NINE + 9 * HOUR)
    read(store)
    kept.write_bytes(old)
    assert_exact(store)


def test_events_that_cannot_be_read_leave_their_hour_uncounted_until_they_can(store):
    path = store.path_of(NINE)
    whole = path.read_bytes()
    # the footer stays readable, the rows do not
    footer = pq.read_metadata(path).serialized_size + 8
    path.write_bytes(b"PAR1" + bytes(len(whole) - footer - 4) + whole[-footer:])
    [first, _] = Rollups(store, SHIPPED).refresh(store.scan().manifests)
    assert first.damaged == [NINE]
    assert_exact(store)
    path.write_bytes(whole)
    assert_exact(store)
    assert read(store).by_api["calls_count"].sum() == 30 + 20 + 5 + 4 + 7


def test_parts_of_an_hour_long_windows_and_overlaps_are_counted_once(tmp_path):
    store = Store(tmp_path / "store")
    half = HOUR / 2
    shared = {"object": [7] * 10}
    store_window(store, NINE, [make_calls(NINE, 10, half, **shared)], end=NINE + half)
    store_window(store, NINE + half, [make_calls(NINE + half, 10, half, **shared)], end=NINE + HOUR)
    long = [make_calls(NINE + n * HOUR, 6) for n in (1, 2, 3)]
    store_window(store, NINE + HOUR, long, end=NINE + 4 * HOUR)
    assert_exact(store)
    by_api = read(store).by_api
    assert by_api["calls_count"].tolist() == [20, 6, 6, 6]
    assert by_api["objects_count"].tolist() == [1, 6, 6, 6]
    # a window read whole while its second half is still stored from before: same ids twice
    again = NINE + 2 * HOUR
    store_window(store, again, long, end=NINE + 4 * HOUR, ids="021000")
    assert len(store.scan().manifests) == 4
    assert_exact(store)


def test_a_row_outside_its_window_is_not_counted_twice(tmp_path):
    store = Store(tmp_path / "store")
    for n in range(2):
        # the last of them lies on the edge, and the next window has it too
        store_window(store, NINE + n * HOUR, [make_calls(NINE + n * HOUR, 5, HOUR * 5 / 4)])
    assert read(store).by_api["calls_count"].tolist() == [4, 4]


def test_counts_are_read_while_another_process_writes(store):
    with lock_store(store.folder):
        assert_exact(store)
        assert files_of(store) == {}
    assert_exact(store)
    assert len(files_of(store)) == 4


def test_an_empty_store_has_empty_tables(tmp_path):
    store = Store(tmp_path / "store")
    store_window(store, NINE, [])
    counted = read(store)
    for frame, table in zip((counted.by_api, counted.by_ip), KINDS.values(), strict=True):
        assert frame.empty
        assert frame.columns.tolist() == table.names
    assert counted.by_api["bucket_at"].dtype == schema.AT
