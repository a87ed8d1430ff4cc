from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit_analytics.catalogue import Catalogue
from audit_analytics.errors import ConfigError, InputError
from audit_analytics.schema import EVENTS, REJECTS
from audit_analytics.settings import RedactionSettings, Settings, load_settings
from audit_analytics.source import read_log
from audit_analytics.store import (
    Manifest,
    Store,
    StoreLocked,
    StoreUnusable,
    WindowWriter,
    lock_store,
    read_redaction,
    read_store,
    read_stored_rejects,
)
from audit_analytics.store._folder import list_files
from audit_analytics.store._manifest import MANIFEST_KEY, REJECTS_KEY, StoreTooNew
from audit_analytics.store._redaction import Redaction

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = Redaction("a tenant's key")


def make_events(ids, start=NINE, **fields):
    seconds = int(start.timestamp())
    item = {
        "api_key": "GET/open-apis/contact/v3/users/:user_id",
        "app_id": "cli_a",
        "ip": "203.0.113.9",
    }
    detail = {"method": "GET", "path": "/open-apis/contact/v3/users/ou_1", "response": '{"code":0}'}
    rows = [
        {**item, "id": name, "event_time": seconds + n, "log_detail": {**detail, **fields}}
        for n, name in enumerate(ids)
    ]
    return read_log(rows).events


def write(store, ids, start=NINE, end=None, *, redaction=KEY, **about):
    end = end or start + HOUR
    store.create()
    draft = Manifest(start=start, end=end, read_at=end + HOUR, **about)
    with WindowWriter(store, draft, redaction) as writer:
        if ids:
            writer.add(make_events(ids, start))
        return writer.commit()


def ids_of(folder, *span):
    return read_store(folder, *span)["id"].tolist()


def files_of(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_a_window_comes_back_as_it_was(store):
    manifest = write(store, ["a", "b"])
    assert (manifest.rows_count, manifest.first_at, manifest.start) == (2, NINE, NINE)
    assert store.scan().manifests == [manifest]
    plain = make_events(["a", "b"])
    back = read_store(store.folder)
    assert back.attrs["store"] == {"windows_count": 1, "damaged_count": 0, "rejects_count": 0}
    kept = [name for name in EVENTS.names if name != "object"]
    pd.testing.assert_frame_equal(back[kept], plain[kept], check_categorical=False)
    assert back.dtypes.astype(str).tolist() == EVENTS.empty().dtypes.astype(str).tolist()
    assert back["object"].iloc[0] == back["object"].iloc[1]
    assert back["object"].iloc[0] != plain["object"].iloc[0], "hashed with the tenant's key"


def test_read_log_recognises_a_store(store):
    write(store, ["a", "b"])
    write(store, ["c"], NINE + HOUR)
    write(store, [], NINE + 2 * HOUR)
    log = read_log(store.folder)
    assert log.events["id"].tolist() == ["a", "b", "c"]
    assert (log.counts["files"], log.counts["rejects"]) == (3, 0)
    pd.testing.assert_frame_equal(log.events, read_store(store.folder), check_categorical=False)


def test_only_the_owner_can_read_it(store):
    write(store, ["a"])
    read_redaction(Settings().redaction, store.folder)
    with lock_store(store.folder):
        pass
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in [store.folder, *store.folder.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}


def test_reading_again_replaces(store):
    write(store, ["a", "b"], end=NINE + HOUR / 2)
    write(store, ["b", "c", "d"])
    assert ids_of(store.folder) == ["b", "c", "d"]
    assert len(list_files(store.folder)) == 1


def test_a_whole_window_replaces_its_parts(store):
    for minutes in (0, 15, 30):
        start = NINE + timedelta(minutes=minutes)
        write(store, [f"part-{minutes}"], start, start + timedelta(minutes=15))
    write(store, ["next"], NINE + HOUR)
    write(store, ["whole"])
    assert ids_of(store.folder) == ["whole", "next"]
    assert len([start for start, _ in list_files(store.folder)]) == 2


def test_an_id_is_stored_once_a_window_and_read_once_over_all(store):
    store.create()
    draft = Manifest(start=NINE, end=NINE + HOUR, read_at=NINE + 2 * HOUR)
    with WindowWriter(store, draft, KEY) as writer:
        assert writer.add(make_events(["a", "b"])) == 2
        assert writer.add(make_events(["b", "c"])) == 1
        assert writer.add(make_events(["c", "a"])) == 0
        manifest = writer.commit()
    assert (manifest.rows_count, manifest.duplicates_count) == (3, 3)
    assert pq.read_metadata(store.path_of(NINE)).num_rows == 3
    write(store, ["c", "d"], NINE + HOUR / 2, NINE + 2 * HOUR)
    assert sorted(ids_of(store.folder)) == ["a", "b", "c", "d"]
    assert read_log(store.folder).counts["duplicates"] == 1


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    batches=st.lists(st.lists(st.text(min_size=1, max_size=4), max_size=6), max_size=5),
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3)), max_size=5),
)
def test_any_ids_in_any_windows_are_read_once(tmp_path_factory, batches, steps):
    store = Store(tmp_path_factory.mktemp("any") / "store")
    store.create()
    draft = Manifest(start=NINE, end=NINE + HOUR, read_at=NINE + HOUR)
    names = {name for batch in batches for name in make_events(batch)["id"]}
    with WindowWriter(store, draft, KEY) as writer:
        for batch in batches:
            writer.add(make_events(batch))
        assert writer.commit().rows_count == len(names)
    assert sorted(ids_of(store.folder)) == sorted(names)
    for hour, length in steps:
        start = NINE + hour * HOUR
        write(store, [f"{start:%H}-{length}"], start, start + length * HOUR)
    found = ids_of(store.folder)
    assert len(found) == len(set(found))
    stored = store.scan()
    assert stored.damaged == []
    assert [m.start for m in stored.manifests] == [start for start, _ in list_files(store.folder)]


def test_a_span_and_some_columns(store):
    write(store, ["a", "b", "c"])
    write(store, ["d"], NINE + HOUR)
    write(store, ["e"], NINE + 30 * HOUR)
    second = timedelta(seconds=1)
    assert ids_of(store.folder, NINE + second, NINE + 2 * second) == ["b"]
    assert ids_of(store.folder, NINE + 2 * second) == ["c", "d", "e"]
    assert ids_of(store.folder, None, NINE + HOUR) == ["a", "b", "c"]
    assert ids_of(store.folder, NINE + 40 * HOUR) == []
    frame = read_store(store.folder, columns=["app_id", "object"])
    assert frame.columns.tolist() == ["app_id", "object"]
    assert str(frame["object"].dtype) == "Int64"


def test_without_a_commit_nothing_stays(store):
    write(store, ["a"])
    before = files_of(store.folder)
    draft = Manifest(start=NINE, end=NINE + HOUR, read_at=NINE)
    with WindowWriter(store, draft, KEY) as writer:
        writer.add(make_events(["b"]))
        assert len(files_of(store.folder)) == len(before) + 1
    assert files_of(store.folder) == before
    assert ids_of(store.folder) == ["a"]


def test_what_a_killed_sync_left_is_not_read_and_is_removed(store):
    write(store, ["a"], end=NINE + 2 * HOUR)
    left = store.folder / ".partial" / "20260302T090000-killed"
    left.write_bytes(b"PAR1 cut in the mid")
    inner = Store(store.folder)
    # A sync was killed after it stored the later half, before the earlier one replaced the whole.
    whole = store.path_of(NINE).read_bytes()
    write(inner, ["half"], NINE + HOUR)
    assert store.path_of(NINE).read_bytes() == whole
    assert store.repair() == 1
    assert ids_of(store.folder) == ["a", "half"]
    # both halves together are what the whole was, and were read after it
    write(inner, ["a"], NINE)
    assert [m.end for m in store.scan().manifests] == [NINE + HOUR, NINE + 2 * HOUR]
    assert ids_of(store.folder) == ["a", "half"]
    assert store.repair() == 0


def test_a_damaged_file_is_named_and_the_rest_stays_readable(store):
    write(store, ["a"])
    write(store, ["b"], NINE + HOUR)
    path = store.path_of(NINE)
    path.write_bytes(path.read_bytes()[:100])
    stored = store.scan()
    assert [m.start for m in stored.manifests] == [NINE + HOUR]
    assert stored.damaged == [f"{path}: cannot be read (damaged); the next sync fetches it again"]
    assert ids_of(store.folder) == ["b"]
    log = read_log(store.folder)
    assert log.events["id"].tolist() == ["b"]
    assert log.counts["rejects"] == 1


def test_a_damaged_page_behind_a_sound_footer_is_counted(store):
    write(store, ["a"])
    write(store, ["b"], NINE + HOUR)
    path = store.path_of(NINE)
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)
    events = read_store(store.folder)
    assert events["id"].tolist() == ["b"]
    assert events.attrs["store"]["damaged_count"] == 1


def test_a_store_of_a_later_version_is_left_alone(store):
    write(store, ["a"], format=2, version="9.0")
    with pytest.raises(StoreTooNew, match=r"9\.0.*upgrade"):
        store.repair()
    assert len([start for start, _ in list_files(store.folder)]) == 1


def test_foreign_files_are_neither_read_nor_removed(store):
    write(store, ["a"])
    foreign = [store.folder / "notes.txt", store.folder / "day=2026-03-02" / "mine.parquet"]
    for path in foreign:
        path.write_text("mine")
    store.repair()
    store.remove_before(NINE + 100 * HOUR)
    assert all(path.read_text() == "mine" for path in foreign)
    assert [start for start, _ in list_files(store.folder)] == []


def test_old_windows_go_with_their_empty_days(store):
    for hours in (0, 1, 24, 48):
        write(store, [f"h{hours}"], NINE + hours * HOUR)
    assert store.remove_before(NINE + 25 * HOUR) == 3
    assert ids_of(store.folder) == ["h48"]
    assert [p.name for p in store.folder.glob("day=*")] == ["day=2026-03-04"]


def test_no_store_says_how_to_get_one(tmp_path):
    with pytest.raises(StoreUnusable, match="sync --since"):
        read_store(tmp_path / "none")
    with pytest.raises(StoreUnusable, match="no window yet"):
        read_store(tmp_path)


# A disk that fails


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable, match=r"file.*stays readable"):
        Store(tmp_path / "file").create()
    with pytest.raises(StoreUnusable, match="permissions"):
        Store(tmp_path / "file" / "store").create()


FILL = """
import resource, signal, sys
sys.path.insert(0, {tests!r})
from test_store import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Path({folder!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    write(store, [f"new-{{n}}" for n in range(20_000)])
except StoreUnusable as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [0, 60_000])
def test_a_full_disk_keeps_what_is_stored(store, limit):
    write(store, ["old"])
    before = files_of(store.folder)
    script = FILL.format(tests=str(Path(__file__).parent), folder=str(store.folder), limit=limit)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert "cannot write to the store (File too large)" in done.stdout, done.stderr
    assert done.stderr == ""
    assert files_of(store.folder) == before
    assert ids_of(store.folder) == ["old"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


# The lock


def test_the_second_says_who_holds_the_store(store):
    store.create()
    holder = rf"process {os.getpid()} on .*since .*--wait"
    with lock_store(store.folder), pytest.raises(StoreLocked, match=holder):
        lock_store(store.folder).__enter__()
    with lock_store(store.folder):
        pass


def test_the_second_may_wait(store):
    store.create()
    first = lock_store(store.folder)
    first.__enter__()
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            first.__exit__(None, None, None)

    with lock_store(store.folder, wait_seconds=60, sleep=sleep):
        assert len(waited) == 3
        with pytest.raises(StoreLocked):
            lock_store(store.folder, wait_seconds=5, sleep=waited.append).__enter__()
    assert len(waited) == 8


# Redaction

PERSONAL = [
    ("/open-apis/mail/v1/user_mailboxes/ann@corp.cn/rules", "ann"),
    ("/open-apis/mail/v1/user_mailboxes/ann%40corp.cn/rules", "ann"),
    ("/open-apis/mail/v1/user_mailboxes/ann%2540corp.cn/rules", "ann"),
    ("/open-apis/x/13800138000/y", "13800138000"),
    ("/open-apis/x/+8613800138000", "13800138000"),
]


@pytest.mark.parametrize(("path", "value"), PERSONAL)
def test_personal_values_in_a_path_become_comparable_hashes(path, value):
    cleaned = KEY.redact_path(path)
    assert value not in cleaned
    assert KEY.redact_path(path) == cleaned != Redaction("another key").redact_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "/open-apis/bot/v2/hook/0b1c-hunter2",
        "/open-apis/x?access_token=hunter2",
        "/open-apis/x%3Faccess_token=hunter2",
        "/open-apis/x#hunter2",
        "/open-apis/x/app_secret=hunter2",
        "/open-apis/x/t-hunter2hunter2hunter2",
    ],
)
def test_secrets_in_a_path_are_gone(path):
    assert "hunter2" not in KEY.redact_path(path)


def test_the_catalogue_s_own_names_are_left_as_they_are():
    assert [m.api for m in Catalogue.default() if KEY.redact_path(m.api) != m.api] == []


@pytest.mark.parametrize(
    "claims",
    [
        {"start": "2026-03-02T10:00:00", "end": "2026-03-02T11:00:00"},
        {"start": "2026-03-02T11:00:00Z", "end": "2026-03-02T10:00:00Z"},
        {"end": "9999-12-31T23:59:59Z"},
        {"start": "0001-01-01T00:00:00Z"},
        {"start": "2026-03-02T09:00:00Z"},
        {"rows_count": -1},
        {"rejects_count": 10**30},
    ],
    ids=["no zone", "backwards", "for ever", "from ever", "another's", "negative", "too many"],
)
def test_a_manifest_that_cannot_be_true_costs_its_window_and_not_the_run(store, claims):
    ten = NINE + HOUR
    write(store, ["a"])
    write(store, ["b"], ten)
    path = store.path_of(ten)
    footer = {k: v for k, v in pq.read_metadata(path).metadata.items() if k != b"ARROW:schema"}
    footer[MANIFEST_KEY] = json.dumps(json.loads(footer[MANIFEST_KEY]) | claims).encode()
    pq.write_table(pq.read_table(path).replace_schema_metadata(footer), path)
    assert ids_of(store.folder) == ["a"]
    assert read_store(store.folder).attrs["store"]["damaged_count"] == 1


@pytest.mark.parametrize(
    "rejects", [b"nope", b'{"a": 1}', b"[1, null]", b'[{"raw": 5, "row": "x"}]']
)
def test_rejects_that_are_none_are_told_in_one_line(store, rejects):
    write(store, ["a"])
    path = store.path_of(NINE)
    footer = {k: v for k, v in pq.read_metadata(path).metadata.items() if k != b"ARROW:schema"}
    claims = json.loads(footer[MANIFEST_KEY]) | {"rejects_count": 1}
    footer |= {MANIFEST_KEY: json.dumps(claims).encode(), REJECTS_KEY: rejects}
    pq.write_table(pq.read_table(path).replace_schema_metadata(footer), path)
    with pytest.raises(InputError, match="rejects cannot be read"):
        read_stored_rejects(store.folder)


def test_a_file_named_after_a_day_that_never_was_is_none_of_the_store(store):
    write(store, ["a"])
    (store.folder / "day=2026-02-31").mkdir()
    (store.folder / "day=2026-02-31" / "09-00-00.parquet").write_bytes(b"")
    assert [start for start, _ in list_files(store.folder)] == [NINE]


def test_every_column_is_clean(store):
    secret = "hunter2"  # noqa: S105
    hostile = {
        "id": "1",
        "event_time": int(NINE.timestamp()),
        "app_id": f"app_secret={secret}",
        "ip": f"access_token={secret}",
        "api_key": f"GET/open-apis/ext/hook/{secret}?ticket={secret}",
        "log_detail": {
            "method": "GET",
            "path": f"/open-apis/ext/hook/{secret}?password={secret}",
            "query_param": json.dumps({"key": secret, "access_token": secret}),
            "payload": json.dumps({"text": secret, "nested": {"a": [secret]}}),
            "response": json.dumps({"code": 1, "msg": secret}),
        },
    }
    log = read_log([hostile, {"id": "", "text": secret}])
    store.create()
    draft = Manifest(start=NINE, end=NINE + HOUR, read_at=NINE)
    with WindowWriter(store, draft, KEY) as writer:
        writer.add(log.events, log.rejects)
        manifest = writer.commit()
    assert secret not in read_store(store.folder).to_csv()
    assert secret not in read_stored_rejects(store.folder).to_csv()
    assert all(secret.encode() not in p.read_bytes() for p in store.folder.rglob("*.parquet"))
    assert (manifest.rejects_count, manifest.reject_reasons) == (1, {"no id": 1})
    assert "tenant" not in repr(KEY) + repr(manifest)


def test_what_is_kept_can_be_chosen(store):
    template = Redaction("k", path="template", ip="hashed", rejects="masked")
    log = read_log([{"id": "", "text": "why"}], keeps_texts=True)
    store.create()
    draft = Manifest(start=NINE, end=NINE + HOUR, read_at=NINE)
    with WindowWriter(store, draft, template) as writer:
        writer.add(make_events(["a"]), log.rejects)
        manifest = writer.commit()
    row = read_store(store.folder).iloc[0]
    assert row["path"] == "/open-apis/contact/v3/users/:user_id"
    assert row["api_raw"] == row["api"] == "GET/open-apis/contact/v3/users/:user_id"
    assert "203" not in row["ip"] + row["network"]
    rejects = read_stored_rejects(store.folder)
    assert rejects.columns.tolist() == REJECTS.names
    assert '"text"' in rejects["raw"].iloc[0]
    assert manifest.redaction["path"] == "template"
    assert manifest.redaction["key"] == template.describe()["key"] != KEY.describe()["key"]


def test_a_store_has_a_key_of_its_own(store, tmp_path):
    store.create()
    other = Store(tmp_path / "other")
    other.create()
    own, again, others = (
        read_redaction(Settings().redaction, one.folder) for one in (store, store, other)
    )
    assert own == again != others


# Settings


def test_no_setting_shows_a_secret(tmp_path):
    secret_file = tmp_path / "secret"
    secret_file.write_text("hunter2-file\n")
    redaction = RedactionSettings(hash_key="hunter2")
    given_here = Settings(app_secret="hunter2", redaction=redaction)  # noqa: S106
    mounted = Settings(app_secret_file=secret_file)
    for made in (given_here, mounted):
        shown = [repr(made), str(made), json.dumps(made.public()), made.model_dump_json()]
        assert not [text for text in shown if "hunter2" in text]
    assert mounted.read_app_secret().get_secret_value() == "hunter2-file"
    assert given_here.digest() == Settings().digest(), "fetching does not change a report"
    with pytest.raises(ConfigError, match="app_secret: give a text") as caught:
        Settings(app_secret=["hunter2"])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "word"),
    [
        ("", "AUDIT_ANALYTICS_APP_SECRET"),
        ('app_secret = "hunter2"\napp_secret_file = "x"', "keep one"),
        ('app_secret_file = "/none/hunter"', "cannot be read"),
        ('app_secret = ""', "is empty"),
    ],
)
def test_a_missing_secret_says_where_to_put_it(tmp_path, toml, word):
    path = tmp_path / "settings.toml"
    path.write_text(toml)
    with pytest.raises(ConfigError, match=word) as caught:
        load_settings(path).read_app_secret()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "word"),
    [
        ("[sync]\nwindow_minute = 5", "window_minutes"),
        ("[sync]\nwindow_minutes = 7", "whole number of windows"),
        ('[redaction]\npath = "all"', "masked"),
        ("[redaction]\nhash_key = [1]", "hash_key"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, toml, word):
    path = tmp_path / "settings.toml"
    path.write_text(toml)
    with pytest.raises(ConfigError, match=word):
        load_settings(path)


def test_the_secret_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("AUDIT_ANALYTICS_APP_SECRET", "hunter2")
    monkeypatch.setenv("AUDIT_ANALYTICS_SYNC__WORKERS", "3")
    loaded = load_settings()
    assert loaded.read_app_secret().get_secret_value() == "hunter2"
    assert loaded.sync.workers == 3
    assert "hunter2" not in repr(loaded)
