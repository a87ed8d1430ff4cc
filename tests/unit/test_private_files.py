"""Files are whole or not there, and nobody's but their owner's."""

import ast
import os
import stat
import threading
from pathlib import Path

import pytest
from report_fixture import make_report

import audit_analytics
from audit_analytics.deliver import STATE_NAME, _remember
from audit_analytics.files import lock_folder, write_private, write_together
from audit_analytics.report._result import write_report
from audit_analytics.review._toml_file import append_entry
from audit_analytics.review._verdicts import Verdict
from audit_analytics.schema import REJECTS
from audit_analytics.source import write_rejects


def modes(folder):
    return {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()}


@pytest.fixture
def umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_all_that_is_written_is_its_owners_alone(tmp_path):
    write_report(make_report(), tmp_path, ocsf=False)
    write_rejects(REJECTS.empty(), tmp_path / "rejects.jsonl")
    _remember(tmp_path, "bot", "0" * 32)
    found = modes(tmp_path)
    assert {"report.html", "findings.json", "rejects.jsonl", STATE_NAME} <= found.keys()
    assert set(found.values()) == {0o600}


@pytest.mark.usefixtures("umask")
def test_a_file_that_others_could_read_is_theirs_no_longer(tmp_path):
    path = tmp_path / "suppressions.toml"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert modes(tmp_path) == {"suppressions.toml": 0o600}
    assert path.read_bytes() == b"new"


def test_a_failure_leaves_every_old_file_and_no_draft(tmp_path):
    write_together(tmp_path, {"a": b"old", "b": b"old"})
    with pytest.raises(TypeError):
        write_together(tmp_path, {"a": b"new", "b": "no bytes"})
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old", "b": b"old"}


def test_it_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    seen, fsync = [], os.fsync

    def note(descriptor):
        seen.append((tmp_path / "a").exists())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_private(tmp_path / "a", b"-")
    assert seen == [False, True], "the file, then the folder"


def test_nothing_is_written_by_any_other_way():
    """What has a name is written beside it, flushed and moved; see ``audit_analytics.files``."""
    others = []
    for path in Path(audit_analytics.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            values = [
                argument.value for argument in node.args if isinstance(argument, ast.Constant)
            ]
            writes = name in {"write_text", "write_bytes"}
            writes |= name in {"open", "fdopen"} and not {"w", "wb", "x", "xb", "a"}.isdisjoint(
                values
            )
            writes |= name in {"to_csv", "to_json", "to_parquet"} and bool(node.args)
            others += [path.name] if writes else []
    # and the listing to which a sync of apps adds line by line, private from its first
    assert sorted(others) == ["_snapshots.py", "files.py"]


def test_two_commands_at_once_both_leave_their_entry(tmp_path, monkeypatch):
    """The second is begun while the first has read the file and not written it."""
    path, second = tmp_path / "entries.toml", []

    def write_late(target, content):
        if not second:
            second.append(threading.Thread(target=append_entry, args=(path, "[[e]]", "e", Verdict)))
            second[0].start()
            with lock_folder(tmp_path, wait=False) as is_free:
                assert not is_free
        write_private(target, content)

    monkeypatch.setattr("audit_analytics.review._toml_file.write_private", write_late)
    monkeypatch.setattr("audit_analytics.review._toml_file.read_entries", lambda *_: [])
    monkeypatch.setattr("audit_analytics.review._toml_file._parse_entries", lambda *_, **__: [])
    append_entry(path, "[[e]]", "e", Verdict)
    second[0].join()
    assert path.read_text().count("[[e]]") == 2
