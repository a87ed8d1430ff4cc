from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from tenant import calls, store_window

from audit_analytics.catalogue import Catalogue
from audit_analytics.cli.main import main
from audit_analytics.store import (
    Manifest,
    Rollups,
    Store,
    read_calls,
    read_store,
    read_stored_rejects,
)
from audit_analytics.store._manifest import MANIFEST_KEY, SCHEMA
from audit_analytics.store._upkeep import FILE_ROWS, compact_store, verify_store
from audit_analytics.sync._windows import Reading, Window, plan_windows

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = NINE + timedelta(days=5)
SHIPPED = Catalogue.default()


def write(store, start, count, *, end=None, **about):
    length = (end or start + HOUR) - start
    at = [pd.Timestamp(start) + n * (length / count) for n in range(count)]
    parts = [calls("cli_a", at, object=list(range(count)))] if count else []
    return store_window(store, start, parts, end=end, **{"catalogue": "", **about})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a store of twenty hours, written once; each test spoils a copy of its own."""
    store = Store(tmp_path_factory.mktemp("written") / "store")
    for n in range(20):
        write(store, NINE + n * HOUR, n)
    return store


@pytest.fixture
def store(written, tmp_path):
    return Store(shutil.copytree(written.folder, tmp_path / "store"))


def edit(path, **about):
    """Let a window's manifest say something else."""
    table = pq.ParquetFile(path).read()
    metadata = dict(pq.read_metadata(path).metadata)
    manifest = msgspec.json.decode(metadata[MANIFEST_KEY], type=Manifest)
    changed = msgspec.structs.replace(manifest, **about)
    metadata[MANIFEST_KEY] = msgspec.json.encode(changed)
    pq.write_table(table.replace_schema_metadata(metadata), path)


def verify(store):
    return verify_store(Rollups(store, SHIPPED))


def test_joined_windows_hold_the_same_rows_and_counts(store):
    events, counts = read_store(store.folder), read_calls(store, store.scan().manifests, SHIPPED)
    done = compact_store(store, LATER)
    assert (done.before_count, done.after_count, done.rows_count) == (20, 2, len(events))
    assert [m.start for m in store.scan().manifests] == [NINE, NINE + 15 * HOUR], "one file a day"
    pd.testing.assert_frame_equal(read_store(store.folder), events)
    days = list(Rollups(store, SHIPPED).refresh(store.scan().manifests))
    assert [day.counted for day in days] == [[], []], "what was counted stays counted"
    again = read_calls(store, store.scan().manifests, SHIPPED)
    pd.testing.assert_frame_equal(again.by_api, counts.by_api)
    pd.testing.assert_frame_equal(again.by_ip, counts.by_ip)
    assert verify(store).problems == []
    assert compact_store(store, LATER).rows_count == 0
    assert store.path_of(NINE).stat().st_mode & 0o777 == 0o600


def test_a_sync_has_nothing_to_read_again_after_a_compaction(store):
    compact_store(store, LATER)
    readings = [Reading(Window(m.start, m.end), m.read_at) for m in store.scan().manifests]
    end = NINE + 20 * HOUR
    assert plan_windows(NINE, LATER, readings, until=end) == []


def test_young_unsettled_and_differing_windows_stay_apart(store):
    write(store, NINE + 2 * HOUR, 3, read_at=NINE + 3 * HOUR)
    write(store, NINE + 5 * HOUR, 3, scope="sensitive-1")
    write(store, NINE + 9 * HOUR, FILE_ROWS // 250_000)
    edit(store.path_of(NINE + 9 * HOUR), rows_count=FILE_ROWS)
    compact_store(store, NINE + 20 * HOUR + timedelta(days=2) - HOUR)
    places = [(start - NINE) // HOUR for start in [m.start for m in store.scan().manifests]]
    assert places == [0, 2, 3, 5, 9, 10, 15, 19]


def test_rejects_and_their_counts_stay(tmp_path):
    store = Store(tmp_path / "store")
    rejects = pd.DataFrame({"source": "page", "row": [1], "reason": "no id", "raw": ""})
    for n in range(3):
        write(store, NINE + n * HOUR, 2, rejects=rejects)
    before = read_stored_rejects(store.folder)
    compact_store(store, LATER)
    [manifest] = store.scan().manifests
    assert (manifest.rejects_count, manifest.reject_reasons) == (3, {"no id": 3})
    pd.testing.assert_frame_equal(read_stored_rejects(store.folder), before)


def test_a_compaction_that_stops_half_way_loses_nothing(store, monkeypatch):
    events = read_store(store.folder)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            compact_store(store, LATER)
    assert len([m.start for m in store.scan().manifests]) == 20
    pd.testing.assert_frame_equal(read_store(store.folder), events)
    counts = read_calls(store, store.scan().manifests, SHIPPED)
    assert counts.by_api["calls_count"].sum() == len(events)
    assert any("the next sync removes it" in problem for problem in verify(store).problems)
    store.repair()
    assert verify(store).problems == []
    pd.testing.assert_frame_equal(read_store(store.folder), events)


def test_a_sound_store_has_no_problems(store):
    read_calls(store, store.scan().manifests, SHIPPED)
    found = verify(store)
    assert (found.windows_count, found.rows_count, found.hours_count) == (20, 190, 20)
    assert found.problems == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows_count": 7}, "holds 5 rows, its manifest says 7"),
        ({"start": NINE}, "its name says"),
        ({"end": NINE + 5 * HOUR + HOUR / 4}, "outside its range"),
        ({"first_at": NINE}, "its rows are of another time"),
    ],
)
def test_says_what_is_wrong_with_a_manifest(store, change, said):
    edit(store.path_of(NINE + 5 * HOUR), **change)
    assert any(said in problem for problem in verify(store).problems)


@pytest.mark.parametrize(
    ("value", "said"), [("same", "4 ids are there twice"), ("", "5 rows have no id")]
)
def test_says_what_is_wrong_with_ids(store, value, said):
    path = store.path_of(NINE + 5 * HOUR)
    metadata = pq.read_metadata(path).metadata
    table = pq.ParquetFile(path).read().to_pandas().assign(id=value)
    schema = pq.read_schema(path).with_metadata(metadata)
    pq.write_table(pq.ParquetFile(path).read().from_pandas(table, schema=schema), path)
    assert any(said in problem for problem in verify(store).problems)


def flip_byte(path, column):
    """Let one bit of the column's last page be wrong."""
    groups = pq.read_metadata(path)
    place = groups.schema.names.index(column)
    chunk = groups.row_group(0).column(place)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content = bytearray(path.read_bytes())
    content[start + chunk.total_compressed_size - 1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("column", SCHEMA.names)
def test_a_wrong_bit_is_noticed_wherever_it_is(store, column):
    flip_byte(store.path_of(NINE + 5 * HOUR), column)
    [problem] = verify(store).problems
    assert (
        problem
        == "day=2026-03-02/14-00-00.parquet: its rows cannot be read; the next sync fetches them again"
    )


def test_events_with_a_wrong_bit_are_not_counted(store):
    flip_byte(store.path_of(NINE + 5 * HOUR), "outcome")
    days = list(Rollups(store, SHIPPED).refresh(store.scan().manifests))
    assert [day.damaged for day in days] == [[NINE + 5 * HOUR], []]
    assert compact_store(store, LATER).after_count == 3, "what is before it, and after it"
    assert len(read_store(store.folder)) == 190 - 5


def test_says_which_counted_hours_are_gone(store):
    read_calls(store, store.scan().manifests, SHIPPED)
    store.path_of(NINE + 5 * HOUR).unlink()
    [problem] = verify(store).problems
    said = (
        "2026-03-02: events that were counted are gone, of 1 of its hours, 2026-03-02T14 the first"
    )
    assert problem == f"{said}; run: sync"


@pytest.mark.parametrize("name", ["day=x.parquet", "day=2026-99-01.parquet", "day=.parquet"])
def test_a_foreign_file_among_the_counts_is_no_day(store, name):
    read_calls(store, store.scan().manifests, SHIPPED)
    (store.folder / ".rollup" / "calls_by_api" / name).write_bytes(b"-")
    assert verify(store).problems == []
    assert CliRunner().invoke(main, ["store", "verify", str(store.folder)]).exit_code == 0


def test_rows_that_two_windows_hold_are_one_row_for_the_check(store):
    write(store, NINE, 5, end=NINE + 8 * HOUR, scope="sensitive-1")
    read_calls(store, store.scan().manifests, SHIPPED)
    assert verify(store).problems == []


def test_says_which_ids_are_in_two_windows(store):
    path, donor = (store.path_of(NINE + n * HOUR) for n in (6, 5))
    metadata = pq.read_metadata(path).metadata
    table = pq.ParquetFile(path).read()
    ids = [*pq.ParquetFile(donor).read()["id"].to_pylist()[:2], *table["id"].to_pylist()[2:]]
    table = table.set_column(table.column_names.index("id"), "id", [ids])
    pq.write_table(table.replace_schema_metadata(metadata), path)
    [problem] = verify(store).problems
    assert problem.endswith("15-00-00.parquet: 2 ids are in the window before it, too")


def test_says_which_counts_differ_from_the_events(store):
    windows = store.scan().manifests
    read_calls(store, windows, SHIPPED)
    path = store.folder / ".rollup" / "calls_by_ip" / "day=2026-03-02.parquet"
    table = pq.ParquetFile(path).read()
    metadata = pq.read_metadata(path).metadata
    pq.write_table(table.slice(1).replace_schema_metadata(metadata), path)
    [problem] = verify(store).problems
    assert problem.startswith("calls_by_ip of 2026-03-02 10:00:00+00:00: counts 0 calls")


def test_commands_say_what_they_did_and_exit_with_3_when_something_is_wrong(store):
    run = CliRunner().invoke
    folder = str(store.folder)
    done = run(main, ["rollup", folder])
    assert (done.exit_code, done.stdout) == (
        0,
        "20 hours of 2 days counted; the others were up to date\n",
    )
    assert run(main, ["rollup", folder]).stdout.startswith("0 hours of 2 days")
    done = run(main, ["store", "compact", folder])
    assert (done.exit_code, done.stdout) == (0, "20 files are 2 now; 190 rows written\n")
    done = run(main, ["store", "verify", folder])
    assert (done.exit_code, done.stdout) == (0, "")
    store.path_of(NINE).write_bytes(b"PAR1 cut off")
    done = run(main, ["store", "verify", folder])
    assert done.exit_code == 3
    assert "09-00-00.parquet: cannot be read" in done.stdout
    done = run(main, ["store", "verify", str(store.folder / "nowhere")])
    assert (done.exit_code, "there is no store" in done.stderr) == (2, True)
