"""Every read of a store that fails is said, and the next sync mends it."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from tenant import EXPORT, HOUR, WEEK, calls, clock, local, make_events, quiet_tenant, spread

from audit_analytics.cases import Hit
from audit_analytics.catalogue import Catalogue
from audit_analytics.cli.main import main
from audit_analytics.intake import count_log, load
from audit_analytics.settings import Settings
from audit_analytics.store import (
    Manifest,
    Store,
    StoreEvidence,
    WindowWriter,
    read_calls,
    read_store,
)
from audit_analytics.store._redaction import Redaction
from audit_analytics.store._upkeep import compact_store
from audit_analytics.sync._status import describe_store
from audit_analytics.sync._windows import Reading, Window, plan_windows

NIGHT = local("2026-11-11 02:00")
DAY = timedelta(days=1)
SIX = timedelta(hours=6)
SHIPPED = Catalogue.default()
LATER = (WEEK.end_at + 9 * DAY).to_pydatetime()
SPAN = {"start": WEEK.start_at, "end": WEEK.end_at, "rows_max": 20}


def write(store, start, rows):
    store.create()
    draft = Manifest(
        start=start, end=start + SIX, read_at=start + 2 * DAY, catalogue=SHIPPED.digest()
    )
    with WindowWriter(store, draft, Redaction("key")) as writer:
        writer.add(rows)
        writer.commit()


@pytest.fixture(scope="module")
def events():
    attack = calls("cli_02", spread(NIGHT, 90, over=30 * HOUR), ip="203.0.113.9", api=EXPORT)
    return make_events(quiet_tenant(apps=2), clock(), attack)


@pytest.fixture(scope="module")
def written(events, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("tenant") / "store")
    for at, rows in events.groupby(events["at"].dt.floor("6h")):
        write(store, at.to_pydatetime(), rows)
    read_calls(store, store.scan().manifests, SHIPPED)
    return store


@pytest.fixture
def store(written, tmp_path):
    shutil.copytree(written.folder, tmp_path / "store")
    return Store(tmp_path / "store")


def asked():
    return [
        Hit(
            detector="VOL",
            kind="volume",
            entity_type="app",
            entity="cli_02",
            start_at=NIGHT - 30 * HOUR,
            end_at=NIGHT + 40 * HOUR,
            observed=1.0,
            unit="calls",
            where={"app_id": ("cli_02",)},
        )
    ]


def break_page(path, column="app_id"):
    """Let one bit of a column's page be wrong, with the footer whole."""
    chunk_of = pq.read_metadata(path)
    chunk = chunk_of.row_group(0).column(chunk_of.schema.names.index(column))
    content = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start + chunk.total_compressed_size - 1] ^= 1
    path.write_bytes(content)


def window_at(store, at):
    return next(w for w in store.scan().manifests if w.start <= at < w.end)


def test_evidence_is_whole_though_windows_are_joined_meanwhile(store):
    windows = store.scan().manifests
    expected = StoreEvidence(store, windows.copy(), SHIPPED).fetch(asked(), **SPAN)
    source = StoreEvidence(store, windows, SHIPPED)
    assert compact_store(store, LATER).after_count < len(windows) / 2
    found = source.fetch(asked(), **SPAN)
    assert found.calls_count == expected.calls_count
    assert found.rows["id"].tolist() == expected.rows["id"].tolist()
    assert source.damaged == []


def test_evidence_is_whole_though_windows_are_joined_between_two_of_its_queries(store, monkeypatch):
    windows = store.scan().manifests
    expected = StoreEvidence(store, windows.copy(), SHIPPED).fetch(asked(), **SPAN)
    source, query, done = StoreEvidence(store, windows, SHIPPED), StoreEvidence._query, []

    def compact_first(*arguments):
        done.append(arguments)
        if len(done) == 2:  # after the counts, before the rows
            compact_store(store, LATER)
        return query(*arguments)

    monkeypatch.setattr(StoreEvidence, "_query", compact_first)
    found = source.fetch(asked(), **SPAN)
    assert len(done) > 3
    assert found.calls_count == expected.calls_count
    assert found.rows["id"].tolist() == expected.rows["id"].tolist()


def test_counts_and_rows_are_whole_though_windows_were_joined_meanwhile(store, events, monkeypatch):
    shutil.rmtree(store.folder / ".rollup")
    windows = store.scan().manifests
    compact_store(store, LATER)
    damaged: list[str] = []
    counts = read_calls(store, windows, SHIPPED, damaged=damaged)
    assert counts.by_api["calls_count"].sum() == len(events)
    assert damaged == []
    stale, scan = [Store.scan(store)], Store.scan
    monkeypatch.setattr(Store, "scan", lambda *a: stale.pop() if stale else scan(*a))
    assert len(read_store(store.folder)) == len(events)


@pytest.mark.parametrize("column", ["app_id", "path", "payload_bytes"])
def test_a_wrong_bit_in_the_evidence_is_said_and_read_again_by_the_next_sync(store, column):
    window = window_at(store, NIGHT)
    break_page(store.file_of(window), column)
    log = count_log(store.folder, Settings())
    assert log.damaged == [], "the kept counts are sound"
    log.evidence.fetch(asked(), **SPAN)
    [said] = log.damaged
    assert said.endswith(
        f"{window.file}: its rows cannot be read; the next sync fetches them again"
    )
    status = describe_store(store.folder, LATER)
    assert status["gap_hours"] >= 6
    assert len(status["damaged"]) == 1
    stored = store.scan().manifests
    readings = [Reading(Window(m.start, m.end), m.read_at) for m in stored]
    due = plan_windows(window.start, LATER, readings, until=window.end, length=SIX)
    assert due == [Window(window.start, window.end)]
    write(store, window.start, make_events(calls("cli_02", [NIGHT])))
    assert describe_store(store.folder, LATER)["damaged"] == []
    store.repair()
    assert list((store.folder / ".damaged").iterdir()) == []


def test_a_damaged_window_of_history_is_said_and_ends_with_3(store, tmp_path):
    window = store.scan().manifests[3]
    os.truncate(store.file_of(window), 100)
    arguments = ["weekly", str(store.folder), "--out", str(tmp_path / "out"), "--no-ocsf"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 3, done.output
    assert f"Damaged: {store.file_of(window)}: cannot be read (damaged)" in done.stderr
    assert "1 file of it cannot be read; run: sync" in done.stderr


def test_a_store_that_cannot_be_written_still_says_what_is_damaged(store, monkeypatch):
    shutil.rmtree(store.folder / ".rollup")
    window = window_at(store, NIGHT)
    break_page(store.file_of(window))
    monkeypatch.setattr("audit_analytics.store._window.note_damage", lambda *_: None)
    log = count_log(store.folder, Settings())
    assert log.damaged == [f"{store.file_of(window)}: cannot be read"]


def test_events_that_are_left_out_are_said(store, caplog):
    window = window_at(store, NIGHT)
    break_page(store.file_of(window))
    loaded = load(store.folder)
    start, end = pd.Timestamp(window.start), pd.Timestamp(window.end)
    assert not loaded["at"].between(start, end, inclusive="left").any()
    assert "1 windows cannot be read" in caplog.text
