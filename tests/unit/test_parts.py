import gzip
import json

import pandas as pd
import pytest

from audit_analytics.catalogue import Catalogue
from audit_analytics.source import _parts, read_log

AT = 1_700_000_000
METHODS = ("GET", "POST", "DELETE")


def make_item(number):
    return {
        "id": f"id{number % 900}",
        "api_key": f"{METHODS[number % 3]}/open-apis/im/v1/chats/{'odd/' * (number % 5)}",
        "event_time": AT + number // 7,
        "app_id": f"cli_{number % 11}",
        "ip": f"203.0.113.{number % 40}",
        "log_detail": {
            "path": f"/open-apis/im/v1/chats/oc_{number}",
            "method": METHODS[number % 3],
            "payload": json.dumps({f"k{number % 6}": "\u5bc6" * (number % 50)}),
            "response": json.dumps({"code": number % 4}),
        },
    }


def make_lines(numbers):
    lines = [json.dumps(make_item(n)) for n in numbers]
    lines[7] = '{"id": "cut'
    lines[11] = ""
    lines[-3] = '{"id": 3}'
    return lines


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder that makes many parts: ranges of lines, whole files and both at once."""
    monkeypatch.setattr(_parts, "PART_BYTES", 60_000)
    monkeypatch.setattr(_parts, "_HEAD", 4096)
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "a.jsonl").write_text("\ufeff" + "\n".join(make_lines(range(600))) + "\n")
    (folder / "b.json").write_text(json.dumps([make_item(n) for n in range(600, 900)], indent=1))
    for name in "cdef":
        (folder / f"{name}.jsonl").write_text("\r\n".join(make_lines(range(880, 920))))
    lines = "\n".join(make_lines(range(500, 1000)))
    (folder / "g.gz").write_bytes(gzip.compress(lines.encode()))
    read_log([make_item(n) for n in range(950, 1000)]).events.to_parquet(folder / "h.parquet")
    (folder / "i.txt").write_text("no log")
    return folder


def assert_same(log, expected):
    pd.testing.assert_frame_equal(log.events, expected.events)
    pd.testing.assert_frame_equal(log.rejects, expected.rejects)
    assert log.counts == expected.counts


def test_one_thread_and_two_give_the_same(folder):
    files = [(path, path.name) for path in sorted(folder.iterdir())]
    assert len(_parts.split_files(files)) > 6
    assert_same(read_log(folder, n_jobs=2), read_log(folder, n_jobs=1))


def test_parts_lose_no_row_and_keep_their_line_numbers(folder, monkeypatch):
    log = read_log(folder, n_jobs=1)
    monkeypatch.setattr(_parts, "PART_BYTES", 2**30)
    whole = read_log(folder, n_jobs=1)
    assert log.counts == whole.counts
    pd.testing.assert_frame_equal(
        log.events.astype("string"), whole.events.astype("string"), check_dtype=False
    )
    rejected = log.rejects.astype({"source": "string", "reason": "string"})
    assert rejected.to_numpy().tolist() == whole.rejects.to_numpy().tolist()
    assert rejected.loc[rejected["source"] == "a.jsonl", "row"].tolist() == [8, 598]


@pytest.mark.parametrize("ending", [b"", b"\n", b"\n\n"])
@pytest.mark.parametrize("size", [1, 100, 4096, 10**6])
def test_ranges_cover_a_file_whatever_their_size(tmp_path, monkeypatch, size, ending):
    path = tmp_path / "log.jsonl"
    content = b"\n".join(json.dumps(make_item(n)).encode() for n in range(40)) + ending
    path.write_bytes(content)
    monkeypatch.setattr(_parts, "PART_BYTES", size)
    pieces = [piece for part in _parts.split_files([(path, "log")]) for piece in part]
    covered = 0
    for piece in pieces:
        assert piece.start == covered
        covered += piece.size or len(content)
        assert covered == len(content) or content[covered - 1 : covered] == b"\n"
    assert covered == len(content)
    assert read_log(path, n_jobs=1).counts["events"] == 40


def test_a_catalogue_of_ones_own_is_used_in_every_thread(folder):
    own = Catalogue([{"category": "ours", "severity": "critical", "pattern": "im/v1/chats"}])
    log = read_log(folder, n_jobs=2, catalogue=own)
    assert (log.events["category"] == "ours").mean() > 0.9  # not what came as a frame of events
    assert_same(log, read_log(folder, n_jobs=1, catalogue=own))


def test_parts_come_in_order_whoever_reads_them(folder):
    files = _parts.split_files([(path, path.name) for path in sorted(folder.iterdir())])
    packed = [*_parts.read_parts(files, _parts.read_part, n_jobs=2)]
    alone = [*_parts.read_parts(files, _parts.read_part, n_jobs=1)]
    assert [(p.rejects, p.rows_read, rows) for p, rows in packed] == [
        (p.rejects, p.rows_read, rows) for p, rows in alone
    ]


def test_an_error_of_the_caller_ends_every_thread(folder, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("audit_analytics.source._flatten.EventBuilder.absorb", stop)
        with pytest.raises(KeyboardInterrupt):
            read_log(folder, n_jobs=2)
    assert read_log(folder, n_jobs=2).counts["events"] > 0
