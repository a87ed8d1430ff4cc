"""Settings that change under a store are said, and what can be redacted again is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from tenant import calls, make_events

from audit_analytics.catalogue import Catalogue
from audit_analytics.cli.main import main
from audit_analytics.intake import count_log
from audit_analytics.settings import Settings
from audit_analytics.store import (
    Manifest,
    Rollups,
    Store,
    WindowWriter,
    read_calls,
    read_store,
)
from audit_analytics.store._redaction import Redaction, say_changes
from audit_analytics.store._upkeep import compact_store

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = NINE + timedelta(days=5)
MASKED = Redaction("key")
STRICT = Redaction("key", path="template", ip="hashed")


def write(store, start, redaction=MASKED, read_at=None):
    store.create()
    draft = Manifest(start=start, end=start + HOUR, read_at=read_at or start + 3 * HOUR)
    with WindowWriter(store, draft, redaction) as writer:
        rows = make_events(calls("cli_a", [start + HOUR / 2] * 3, object=[1, 2, 3]))
        path = [f"/open-apis/contact/v3/users/ou_{n}" for n in range(3)]
        writer.add(rows.assign(path=path, id=[f"{start:%H}-{n}" for n in range(3)]))
        return writer.commit()


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    for n in range(3):
        write(store, NINE + n * HOUR)
    return store


def test_windows_that_keep_more_than_may_be_kept_are_redacted_again(store):
    before = read_store(store.folder)
    read_calls(store, store.scan().manifests, Catalogue.default())
    compact_store(store, LATER, redaction=STRICT)
    after = read_store(store.folder)
    assert before["path"].astype("str").str.contains("ou_").any()
    assert not after["path"].astype("str").str.contains("ou_").any()
    assert not set(after["ip"].astype("str")) & set(before["ip"].astype("str"))
    assert after["object"].tolist() == before["object"].tolist()
    assert {tuple(m.redaction.items()) for m in store.scan().manifests} == {
        tuple(STRICT.describe().items())
    }
    days = list(Rollups(store, Catalogue.default()).refresh(store.scan().manifests))
    assert all(day.counted for day in days), "the counts held the addresses, too"
    assert compact_store(store, LATER, redaction=STRICT).rows_count == 0


@pytest.mark.parametrize("redaction", [Redaction("other", path="template"), MASKED])
def test_windows_of_another_key_and_those_that_keep_less_stay_as_they_are(tmp_path, redaction):
    store = Store(tmp_path / "store")
    kept = Redaction("key", ip="hashed")
    write(store, NINE, kept)
    assert compact_store(store, LATER, redaction=redaction).rows_count == 0
    assert store.scan().manifests[0].redaction == kept.describe()


def test_a_change_is_said_once_without_the_key(store):
    assert say_changes([], STRICT) == ""
    assert say_changes(store.scan().manifests, MASKED) == ""
    said = say_changes(store.scan().manifests, STRICT)
    assert "path (was masked, is template)" in said
    assert "ip (was full, is hashed)" in said
    assert "store compact" in said
    write(store, NINE + 5 * HOUR, STRICT)
    assert say_changes(store.scan().manifests, STRICT) == ""
    said = say_changes(store.scan().manifests, Redaction("s3cr3t"))
    assert "cannot be compared" in said
    assert "s3cr3t" not in said


def test_objects_that_two_keys_hashed_are_said(store, caplog):
    count_log(store.folder, Settings())
    assert not caplog.text
    write(store, NINE + 5 * HOUR, Redaction("other"))
    count_log(store.folder, Settings())
    assert "hashed with 2 keys" in caplog.text


def test_what_is_not_settled_as_the_settings_say_is_not_joined(store):
    assert compact_store(store, LATER, reread=timedelta(hours=4)).rows_count == 0
    assert compact_store(store, LATER).rows_count == 9


def test_the_command_takes_the_settings(store, monkeypatch):
    monkeypatch.setenv("AUDIT_ANALYTICS_REDACTION__HASH_KEY", "key")
    monkeypatch.setenv("AUDIT_ANALYTICS_REDACTION__PATH", "template")
    done = CliRunner().invoke(main, ["store", "compact", str(store.folder)])
    assert done.exit_code == 0, done.output
    assert not read_store(store.folder)["path"].astype("str").str.contains("ou_").any()
