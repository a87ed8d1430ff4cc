import gzip
import io
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_analytics import Settings, analyze
from audit_analytics.errors import InputError
from audit_analytics.schema import EVENTS
from audit_analytics.source import _blocks, _text, read_log, write_rejects
from audit_analytics.source._files import holds_log

AT = 1_700_000_000
REAL = Path(__file__).parents[3] / "shared" / "data" / "real"


def make_items(count, start=0):
    return [
        {
            "id": f"id{n}",
            "api_key": "GET/open-apis/im/v1/chats/:chat_id",
            "event_time": AT + n,
            "app_id": "cli_a",
            "ip": "203.0.113.9",
            "log_detail": {
                "path": f"/open-apis/im/v1/chats/oc_{n}",
                "method": "GET",
                "status_code": 200,
            },
        }
        for n in range(start, start + count)
    ]


def make_page(items, **changes):
    return {"code": 0, "msg": "ok", "data": {"items": items, "has_more": False}, **changes}


ITEMS = make_items(6)
PAGES = [make_page(ITEMS[:3]), make_page(ITEMS[3:])]
SPELLINGS = {
    "page": json.dumps(make_page(ITEMS)),
    "pretty page": json.dumps(make_page(ITEMS), indent=2),
    "data of a page": json.dumps(make_page(ITEMS)["data"]),
    "items": json.dumps(ITEMS),
    "pretty items": json.dumps(ITEMS, indent=1),
    "items, one a line": "[\n" + ",\n".join(map(json.dumps, ITEMS)) + "\n]\n",
    "pages in a list": json.dumps(PAGES),
    "pretty pages in a list": json.dumps(PAGES, indent=1),
    "lines of items": "\n".join(map(json.dumps, ITEMS)),
    "lines of pages": "\n".join(map(json.dumps, PAGES)) + "\n",
    "lines of both": "\n".join([json.dumps(PAGES[0]), *map(json.dumps, ITEMS[3:])]),
    "lines of lists": json.dumps(ITEMS[:2]) + "\n" + json.dumps(ITEMS[2:]),
    "blank lines, CRLF": "\r\n\r\n".join(map(json.dumps, ITEMS)) + "\r\n\r\n",
    "byte order mark": "\ufeff" + "\n".join(map(json.dumps, ITEMS)),
    "spaces before": "  \n\n " + json.dumps(make_page(ITEMS)),
}


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("block", [2**20, 37])
def test_every_kind_of_file_is_read(tmp_path, monkeypatch, name, zipped, block):
    monkeypatch.setattr(_blocks, "BLOCK", block)
    monkeypatch.setattr(_text, "_HEAD", 3 * block)
    data = SPELLINGS[name].encode()
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(data, mtime=0) if zipped else data)
    log = read_log(path)
    assert log.events["id"].tolist() == [item["id"] for item in ITEMS]
    assert (log.counts["rows_read"], log.counts["rejects"]) == (6, 0)
    assert log.events["source"].unique().tolist() == ["log"]


@pytest.mark.parametrize(
    "source",
    [ITEMS, PAGES, make_page(ITEMS), pd.DataFrame(ITEMS), pd.json_normalize(ITEMS), (*ITEMS,)],
    ids=["items", "pages", "page", "frame", "dotted frame", "tuple"],
)
def test_decoded_input_is_read_alike(source):
    log = read_log(source)
    expected = read_log(ITEMS).events
    pd.testing.assert_frame_equal(
        log.events.drop(columns="source"), expected.drop(columns="source")
    )


def test_frames_of_events_and_parquet_of_both_kinds_are_read(tmp_path):
    events = read_log(ITEMS).events
    pd.testing.assert_frame_equal(read_log(events).events, events)
    events.to_parquet(tmp_path / "a.parquet")
    pd.json_normalize(make_items(4, start=4)).to_parquet(tmp_path / "b.parquet")
    log = read_log([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    assert log.events["id"].tolist() == [f"id{n}" for n in range(8)]
    assert (log.counts["rows_read"], log.counts["duplicates"]) == (10, 2)
    assert log.events.dtypes.astype(str).to_dict() == EVENTS.empty().dtypes.astype(str).to_dict()


def test_a_frame_keeps_account_of_missing_values():
    frame = pd.json_normalize(ITEMS)
    frame.loc[1, "id"] = None
    frame["event_time"] = pd.to_datetime(frame["event_time"], unit="s")
    frame.loc[2, "event_time"] = pd.NaT
    log = read_log(frame)
    assert (log.counts["events"], log.counts["rejects"]) == (4, 2)
    assert set(log.rejects["reason"]) == {"no id", "no event_time"}
    events = read_log(ITEMS).events
    events.loc[0, "id"] = None
    assert read_log(events).rejects["reason"].tolist() == ["no id"]


@pytest.mark.parametrize("parquet", [False, True])
def test_missing_words_in_a_table_of_events_end_in_no_report_as_nan(tmp_path, parquet):
    words = ["app_id", "ip", "network", "api", "outcome", "category", "severity"]
    events = read_log(ITEMS).events.assign(**dict.fromkeys(words, pd.NA))
    source = events
    if parquet:
        source = tmp_path / "log.parquet"
        events.to_parquet(source)
    first = read_log(source).events.iloc[0]
    assert first[words].tolist() == ["", "", "", "", "unknown", "unknown", "unknown"]
    report = analyze(source, settings=Settings())
    report.write(tmp_path / "report")


def test_a_frame_with_a_column_twice_or_odd_words_is_refused():
    events = read_log(ITEMS).events
    for frame in (events, pd.DataFrame(ITEMS)):
        with pytest.raises(InputError, match="twice"):
            read_log(pd.concat([frame, frame[["ip"]]], axis=1))
    with pytest.raises(InputError, match="column severity holds"):
        read_log(events.assign(severity="apocalyptic"))


def test_a_frame_that_fits_nothing_says_what_is_missing():
    with pytest.raises(InputError, match=r"neither the columns of events .missing: id, at"):
        read_log(pd.DataFrame({"a": [1]}))
    wrong = read_log(ITEMS).events.assign(outcome="splendid")
    with pytest.raises(InputError, match="outcome holds"):
        read_log(wrong)
    with pytest.raises(InputError, match="does not fit the table"):
        read_log(read_log(ITEMS).events.assign(http_status="four"))


def test_a_folder_is_read_whole_and_in_order(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.jsonl.gz").write_bytes(
        gzip.compress(b"\n".join(json.dumps(i).encode() for i in ITEMS[:3]))
    )
    (tmp_path / "c.json").write_text(json.dumps(make_page(ITEMS[2:])))
    for ignored in ("labels.csv", "README.md", ".hidden", "rejects.jsonl"):
        (tmp_path / ignored).write_text("not a log")
    (tmp_path / "picture.bin").write_bytes(b"\x89PNG....")
    (tmp_path / "error.json").write_text('{"code":1780001,"msg":"busy","data":{}}')
    (tmp_path / "none.json").write_text("")
    log = read_log(tmp_path)
    assert len(log.events) == 6
    assert (log.counts["duplicates"], log.counts["files"]) == (1, 5)
    assert dict(zip(log.rejects["source"], log.rejects["reason"], strict=True)) == {
        "picture.bin": "not a log file: it does not begin with { or [",
        "error.json": "error page 1780001",
        "none.json": "empty file",
    }
    assert log.events.set_index("id").loc["id2", "source"] == "c.json"
    assert log.events.set_index("id").loc["id0", "source"] == "sub/b.jsonl.gz"


def test_bad_lines_cost_one_reject_each(tmp_path):
    lines = [*map(json.dumps, ITEMS)]
    lines[0] = lines[0][:40]
    lines[3] = "\x00\x01garbage"
    lines.insert(2, "")
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines))
    log = read_log(path)
    assert len(log.events) == 4
    assert log.rejects[["row", "reason"]].to_numpy().tolist() == [
        [1, "invalid JSON"],
        [5, "invalid JSON"],
    ]


@pytest.mark.parametrize("broken", [1, 80])
@pytest.mark.parametrize(
    "garbage", ["Nov 13 10:40 log begins", '{"id": "cut', '[{"id": "cut', "\x00"]
)
def test_broken_first_lines_do_not_cost_the_file(tmp_path, garbage, broken):
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join([garbage] * broken + [*map(json.dumps, make_items(100))]))
    log = read_log(path)
    # one more where a list begins and never ends
    is_list = garbage.startswith("[") and broken > 1
    assert (log.counts["events"], log.counts["rejects"]) == (100, broken + is_list)
    assert log.rejects["row"].tolist()[:broken] == list(range(1, broken + 1))


def test_blank_lines_before_a_log_cost_nothing(tmp_path):
    lines = ["\n" * 60 + SPELLINGS["lines of items"], "\n" * 60 + SPELLINGS["pretty page"]]
    for name, content in zip("ab", lines, strict=True):
        path = tmp_path / name
        path.write_text(content)
        log = read_log(path)
        assert (log.counts["events"], log.counts["rejects"]) == (6, 0)


def test_linked_folders_are_read_once_and_broken_links_said(tmp_path):
    log, other = tmp_path / "log", tmp_path / "other"
    log.mkdir()
    (other / "deep").mkdir(parents=True)
    (other / "deep" / "a.json").write_text(json.dumps(ITEMS[:4]))
    (log / "b.json").write_text(json.dumps(ITEMS[4:]))
    (log / "linked").symlink_to(other)
    (log / "again").symlink_to(other)
    (other / "loop").symlink_to(log)
    (log / "gone.json").symlink_to(tmp_path / "unmounted.json")
    read = read_log(log)
    assert (read.counts["events"], read.counts["duplicates"]) == (6, 0)
    assert read.rejects["source"].tolist() == ["gone.json"]
    assert read.counts["unread_parts"] == 1
    (log / "b.json").unlink()
    (log / "gone.json").unlink()
    assert holds_log(log)


@pytest.mark.parametrize("unit", [1, 1000, 10**9])
def test_a_frame_whose_at_is_no_instant_is_refused(unit):
    events = read_log(ITEMS).events
    seconds = events["at"].astype("int64") // 10**6
    with pytest.raises(InputError, match="column at holds int64, not instants"):
        read_log(events.assign(at=seconds * unit))
    naive = events["at"].dt.tz_localize(None)
    pd.testing.assert_frame_equal(read_log(events.assign(at=naive)).events, events)
    naive[0] = pd.Timestamp("1970-01-01T00:00:01")
    log = read_log(events.assign(at=naive))
    assert (log.counts["events"], log.counts["rejects"]) == (5, 1)
    assert log.rejects["reason"].tolist() == ["event_time out of range"]


@pytest.mark.parametrize("parquet", [True, False])
def test_a_missing_value_in_a_column_of_integers_costs_its_row(tmp_path, parquet):
    items = [{**item, "id": 10 + n, "app_id": n} for n, item in enumerate(ITEMS)]
    frame = pd.json_normalize(items)
    frame[["id", "app_id", "log_detail.status_code"]] = frame[
        ["id", "app_id", "log_detail.status_code"]
    ].astype("Int64")
    frame.loc[2, "id"] = pd.NA
    frame.loc[3, ["app_id", "log_detail.status_code"]] = pd.NA
    source = frame.astype({"id": "float64", "app_id": "float64"})
    if parquet:
        source = tmp_path / "log.parquet"
        # as other programs write it: nothing says that pandas had no missing integers
        plain = pa.Table.from_pandas(frame).replace_schema_metadata(None)
        pq.write_table(plain, source)
    log = read_log(source)
    assert log.events["id"].tolist() == ["10", "11", "13", "14", "15"]
    assert log.events["app_id"].tolist() == ["0", "1", "", "4", "5"]
    assert log.rejects["reason"].tolist() == ["no id"]


def test_hidden_files_are_named_and_counted(tmp_path, caplog):
    (tmp_path / "log.json").write_text(json.dumps(ITEMS))
    (tmp_path / ".kept\x1b[2Jback").mkdir()
    for name in (".kept\x1b[2Jback/a.json", ".b.json"):
        (tmp_path / name).write_text(json.dumps(make_items(3, start=50)))
    log = read_log(tmp_path)
    assert (log.counts["events"], log.counts["hidden_files"]) == (6, 2)
    assert "2 hidden file(s)" in caplog.text
    assert "'.b.json'" in caplog.text
    assert "\x1b" not in caplog.text


def test_a_gzip_bomb_is_a_reject_after_the_rows_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr(_blocks, "EXPANSION_FREE", 2**20)
    lines = "\n".join(map(json.dumps, ITEMS)).encode()
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(lines + b"\n" + b"\n" * 2**25))
    log = read_log(tmp_path)
    assert log.counts["events"] == 6
    assert log.rejects["reason"].tolist() == [
        "gzip that grows more than 200 times: not read further"
    ]


def test_bytes_that_are_no_text_cost_one_row(tmp_path):
    good = json.dumps(ITEMS[0]).encode()
    path = tmp_path / "log.jsonl"
    path.write_bytes(
        good + b"\n" + good.replace(b"id0", b"\xff\xfe") + b"\n" + good.replace(b"id0", b"z\\ud800")
    )
    log = read_log(path)
    assert log.counts["events"] == 3
    log.events.to_parquet(io.BytesIO())


@pytest.mark.parametrize(
    "name", ["page", "pretty items", "items, one a line", "pretty pages in a list"]
)
def test_a_cut_document_gives_its_whole_items(tmp_path, name):
    whole = SPELLINGS[name]
    path = tmp_path / "log.json"
    path.write_text(whole[: whole.rindex("id5") + 2])
    log = read_log(path)
    assert log.events["id"].tolist() == ["id0", "id1", "id2", "id3", "id4"]
    assert log.rejects["reason"].tolist() == ["invalid JSON"]


def test_a_truncated_gzip_gives_the_rows_so_far(tmp_path):
    data = "\n".join(map(json.dumps, make_items(5000))).encode()
    whole = gzip.compress(data, mtime=0)
    path = tmp_path / "log.gz"
    path.write_bytes(whole[: len(whole) // 2])
    log = read_log(path)
    assert 1000 < len(log.events) < 5000
    assert log.rejects["reason"].tolist()[-1] == "truncated gzip"
    damaged = bytearray(whole)
    damaged[-6] ^= 255
    path.write_bytes(damaged)
    log = read_log(path)
    assert len(log.events) == 5000
    assert log.rejects["reason"].tolist() == ["damaged gzip"]


def test_a_gzip_of_several_members_is_read_whole(tmp_path):
    path = tmp_path / "log.gz"
    path.write_bytes(b"".join(gzip.compress((json.dumps(item) + "\n").encode()) for item in ITEMS))
    assert len(read_log(path).events) == 6


def test_a_line_without_end_is_a_reject(tmp_path, monkeypatch):
    monkeypatch.setattr(_text, "_ZIPPED_MAX", 2**20)
    monkeypatch.setattr(_blocks, "BLOCK", 2**16)
    good = [json.dumps(item).encode() for item in ITEMS]
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"\n".join([*good[:3], b"[" * 2**22, *good[3:]])))
    log = read_log(path)
    assert len(log.events) == 6
    assert log.rejects["reason"].tolist() == ["line longer than 1 MiB"]


def test_a_list_without_end_is_read_and_a_value_without_end_is_a_loss(tmp_path, monkeypatch):
    monkeypatch.setattr(_text, "_PLAIN_MAX", 2**16)
    monkeypatch.setattr(_text, "_WHOLE", 2**14)
    monkeypatch.setattr(_blocks, "BLOCK", 2**12)
    rows = ",\n".join(map(json.dumps, make_items(2000)))
    (tmp_path / "a.json").write_text("[\n" + rows + "]")
    (tmp_path / "b.json").write_text('{"id":\n"' + "x" * 200_000)
    log = read_log(tmp_path)
    assert log.counts["events"] == 2000
    assert log.counts["rejects"] >= 200
    assert log.counts["unread_parts"] >= 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"hello", "not a log file"),
        (b"", "empty file"),
        (b" \n \n", "empty file"),
        (b"\xff\xfe[\x00", "not a log file"),
        (b'{"name": "other"}', "no id"),
        (b'{"code": 1780103, "msg": "bad"}', "error page 1780103"),
        (b"PAR1 but not really", "cannot be read"),
        (b"\x1f\x8bbroken from the start", "damaged gzip"),
        (gzip.compress(b"hello", mtime=0), "not a log file"),
        (gzip.compress(b"", mtime=0)[:-4], "truncated gzip"),
    ],
)
def test_a_file_that_is_no_log_says_what_to_do(tmp_path, content, expected):
    path = tmp_path / "what.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=expected) as caught:
        read_log(path)
    assert "what.json" in str(caught.value)
    assert "Give JSON or JSONL pages" in str(caught.value)


def test_wrong_paths_say_what_to_do(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_log(tmp_path / "absent")
    with pytest.raises(InputError, match="holds no log file"):
        read_log(str(tmp_path))


def test_parquet_of_something_else_is_no_log(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="Parquet without the columns"):
        read_log(tmp_path / "x.parquet")


def test_empty_pages_are_an_empty_log(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(make_page([])))
    (tmp_path / "b.json").write_text('{"code":0,"msg":"ok","data":{"has_more":false}}')
    log = read_log(tmp_path)
    assert log.counts["rows_read"] == 0
    assert list(log.events.columns) == EVENTS.names


def test_rejects_are_written_masked_and_private(tmp_path):
    bad = {
        **ITEMS[0],
        "event_time": None,
        "log_detail": {"payload": '{"app_secret":"Zq81hT0pS3cr3t"}'},
    }
    path = tmp_path / "rejects.jsonl"
    path.write_text("old")
    path.chmod(0o644)
    for keeps_texts in (True, False):
        log = read_log([*ITEMS, bad], keeps_texts=keeps_texts)
        write_rejects(log.rejects, path)
        row = json.loads(path.read_text())
        assert (row["row"], row["reason"]) == (7, "no event_time")
        assert "Zq81hT0pS3cr3t" not in row["raw"]
        assert ("203.0.113.9" in row["raw"]) == keeps_texts
    assert path.stat().st_mode & 0o777 == 0o600


@settings(deadline=None)
@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([json.dumps(i).encode() for i in ITEMS]),
        max_size=6,
    )
)
def test_any_bytes_are_read_or_refused(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("bytes") / "log"
    path.write_bytes(b"\n".join(lines))
    try:
        counts = read_log(path).counts
    except InputError:
        return
    assert counts["rows_read"] == counts["events"] + counts["duplicates"] + counts["rejects"]


@pytest.mark.skipif(not REAL.exists(), reason="the real logs are not at hand")
@pytest.mark.parametrize("name", ["invictus_stratus_cloudtrail", "otrf_s3_breach"])
def test_real_logs_are_fully_accounted_for(name):
    path = REAL / f"{name}.jsonl.gz"
    stats = json.loads((REAL / f"{name}.stats.json").read_text())
    log = read_log(path)
    assert log.counts["rows_read"] == log.counts["events"] == stats["rows"]
    assert log.events["app_id"].nunique() == stats["app_ids"]
    assert log.events["api_raw"].nunique() == stats["api_keys"]
    statuses = log.events["http_status"].astype(str).value_counts().to_dict()
    assert statuses == stats["status"]
    assert (log.events["category"] == "unknown").all()
    assert not log.events["outcome"].isin(["unknown", "other"]).any()
