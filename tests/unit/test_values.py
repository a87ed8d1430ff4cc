"""Documents however they are put together, and what is left of damaged ones."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_analytics.errors import InputError
from audit_analytics.source import _blocks, _text, _values, read_log
from audit_analytics.source._values import BROKEN, Splitter, decode_anyhow
from audit_analytics.source._wire import split_document

AT = 1_700_000_000


def make_item(number, **changes):
    return {
        "id": f"id{number}",
        "api_key": "GET/open-apis/im/v1/chats/:chat_id",
        "event_time": AT + number,
        "app_id": "cli_a",
        "log_detail": {
            "path": f"/open-apis/im/v1/chats/oc_{number}",
            "method": "GET",
            "payload": '{"text":"}{ ][ \\"id\\": {"}',
            "response": '{"code":0,"data":{"items":[]}}',
        },
        **changes,
    }


def make_page(items):
    return {"code": 0, "msg": "ok", "data": {"items": items, "has_more": True, "page_token": "]}x"}}


def read(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_log(path)


def assert_accounted(log, rows):
    counts = log.counts
    assert counts["rows_read"] == counts["events"] + counts["duplicates"] + counts["rejects"]
    assert counts["rows_read"] >= rows


DUMPS = {
    "compact": lambda value: json.dumps(value, separators=(",", ":")),
    "plain": json.dumps,
    "pretty": lambda value: json.dumps(value, indent=2),
    "items on lines": lambda page: (
        '{"code":0,"data":{"items":[\n'
        + ",\n".join(map(json.dumps, page["data"]["items"]))
        + "\n]}}"
    ),
    "leading commas": lambda page: (
        "[\n" + "\n,".join(map(json.dumps, page["data"]["items"])) + "\n]"
    ),
    "commas before": lambda page: "[" + "\n, ".join(map(json.dumps, page["data"]["items"])) + "]",
}
SEPARATORS = ["", "\n", " ", ",", ",\n", "\n,", "\n\n", "\x1e"]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(sorted(DUMPS))), min_size=1, max_size=6),
    st.sampled_from(SEPARATORS),
    st.booleans(),
    st.tuples(st.sampled_from([37, 200, 2**20]), st.booleans()),
)
def test_documents_are_read_one_after_the_other(tmp_path_factory, pages, between, listed, how_read):
    block, zipped = how_read
    texts, ids = [], []
    for size, how in pages:
        numbers = range(len(ids), len(ids) + size)
        ids += [f"id{n}" for n in numbers]
        texts.append(DUMPS[how](make_page([make_item(n) for n in numbers])))
    whole = between.join(texts)
    data = (f"[{whole}]" if listed else whole).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_blocks, "BLOCK", block)
        patch.setattr(_text, "_HEAD", block)
        patch.setattr(_text, "_WHOLE", 3 * block)
        path = tmp_path_factory.mktemp("documents") / "log"
        log = read(path, gzip.compress(data, mtime=0) if zipped else data)
    assert log.events["id"].tolist() == ids
    assert (log.counts["rejects"], log.counts.get("unread_parts", 0)) == (0, 0)


@pytest.mark.parametrize("between", ["", "\n"])
@pytest.mark.parametrize("how", ["compact", "pretty", "items on lines"])
def test_fifty_pages_one_after_the_other_are_fifty_pages(tmp_path, between, how):
    pages = [make_page([make_item(100 * page + n) for n in range(100)]) for page in range(50)]
    log = read(tmp_path / "all.json", between.join(map(DUMPS[how], pages)))
    assert (log.counts["events"], log.counts["rejects"]) == (5000, 0)


@pytest.mark.parametrize("how", ["items on lines", "leading commas", "commas before"])
def test_long_lists_with_items_on_lines_are_read_whole(tmp_path, how):
    pages = [make_page([make_item(2000 * page + n) for n in range(2000)]) for page in range(4)]
    data = "[" + ",\n".join(map(DUMPS[how], pages)) + "]"
    assert len(data) > 2 * 2**20
    log = read(tmp_path / "log.json", data)
    assert (log.counts["events"], log.counts["rejects"]) == (8000, 0)


def test_a_pretty_page_after_a_line_is_read_too(tmp_path):
    parts = [json.dumps(make_item(0)), DUMPS["pretty"](make_page([make_item(1), make_item(2)]))]
    log = read(tmp_path / "log", "\n".join([*parts, json.dumps(make_item(3)), '{"id": "cut']))
    assert log.events["id"].tolist() == ["id0", "id1", "id2", "id3"]
    assert log.rejects["reason"].tolist() == ["invalid JSON"]
    assert log.rejects["row"].tolist() == [parts[1].count("\n") + 4]


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=5),
    st.sampled_from(SEPARATORS[:5]),
    st.sampled_from(["compact", "pretty", "items on lines"]),
    st.data(),
)
def test_damage_costs_no_row_silently(tmp_path_factory, sizes, between, how, data):
    texts, rows = [], 0
    for size in sizes:
        texts.append(DUMPS[how](make_page([make_item(rows + n) for n in range(size)])))
        rows += size
    whole = between.join(texts)
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start, min(len(whole), start + 30)))
    damaged = (
        whole[:start] + data.draw(st.sampled_from(["", '"', "\\", "{", "[", "\x00"])) + whole[end:]
    )
    path = tmp_path_factory.mktemp("damage") / "log"
    try:
        log = read(path, damaged)
    except InputError:
        return
    counts = log.counts
    assert_accounted(log, 0)
    # what was cut out may be a whole item's id and time: then nobody can know of it
    lost = rows - counts["rows_read"]
    assert lost <= 1 or counts.get("unread_parts", 0)
    assert counts["events"] + counts["duplicates"] >= rows - 4 or counts["rejects"]


@pytest.mark.parametrize("name", ["items", "data"])
def test_a_page_whose_items_lost_their_name_is_said(tmp_path, name):
    whole = DUMPS["compact"](make_page([make_item(1), make_item(2)]))
    named = DUMPS["compact"](make_page([make_item(3)]))
    log = read(tmp_path / "log", whole.replace(f'"{name}"', f'"{name[1:]}"') + "\n" + named)
    assert log.events["id"].tolist() == ["id3"]
    assert log.rejects["reason"].tolist() == ["page without a list of items"]


@pytest.mark.parametrize("how", ["compact", "pretty", "items on lines"])
def test_one_broken_item_costs_one_row(tmp_path, how):
    pages = [make_page([make_item(10 * page + n) for n in range(10)]) for page in range(5)]
    whole = "".join(map(DUMPS[how], pages))
    colon = '"event_time":' if how == "compact" else '"event_time": '
    log = read(tmp_path / "log", whole.replace(f"{colon}{AT + 23}", f"{colon}oops", 1))
    assert (log.counts["events"], log.counts["rejects"]) == (49, 1)
    assert "unread_parts" not in log.counts


def test_an_open_item_before_a_page_takes_no_row_with_it(tmp_path):
    rows = [*map(json.dumps, map(make_item, range(3)))]
    page = json.dumps(make_page([make_item(3), make_item(4)]))
    rows = [row.replace("[", "").replace("]", "") for row in rows]
    for between in ("\n", ",\n", ""):
        whole = between.join([rows[0][:-1], *rows[1:], page.replace("id3", "id3\x01"), page[:-9]])
        log = read(tmp_path / "log", whole)
        assert set(log.events["id"]) >= {"id1", "id2", "id4"}
        assert log.counts["rejects"] + log.counts["events"] + log.counts["duplicates"] >= 7


def test_a_rest_counts_by_its_size(tmp_path):
    page = json.dumps(make_page([make_item(n) for n in range(100)]))
    # rows that can be told apart are counted, others by the size of what they are in
    for rest, least in (
        ('{"id": "' + page[200:].replace('"id"', '"id'), 90),
        (bytes(range(128, 256)).decode("latin-1") * 4000, 1000),
    ):
        log = read(tmp_path / "log", page + rest)
        assert log.counts["events"] >= 99
        assert log.counts["rejects"] >= least
        assert log.counts["unread_bytes"] > 10_000
        assert_accounted(log, 100 + least)


@pytest.mark.parametrize("kept", ["within an item", "between items"])
def test_a_cut_list_is_a_loss_of_unknown_size(tmp_path, kept):
    whole = json.dumps(make_page([make_item(n) for n in range(10)]))
    end = whole.index('{"id": "id7"') + (20 if kept == "within an item" else -2)
    log = read(tmp_path / "log", whole[:end])
    assert log.counts["events"] == 7
    assert (log.counts["rejects"], log.counts["unread_parts"]) == (1, 1)


HUGE = {
    "deep lists": "[" * 10_000 + "]" * 10_000,
    "deep objects": '{"id":' * 10_000 + "1" + "}" * 10_000,
    "digits": "9" * 5_000,
}


@pytest.mark.parametrize("name", HUGE)
@pytest.mark.parametrize("where", ["item", "detail", "in place of an item"])
@pytest.mark.parametrize("shape", ["line of items", "page", "pretty pages", "list"])
def test_one_huge_value_costs_at_most_its_row(tmp_path, name, where, shape):
    texts = [json.dumps(make_item(n)) for n in range(9)]
    odd = {
        "item": texts[4][:-1] + f', "x": {HUGE[name]}}}',
        "detail": texts[4][:-2] + f', "x": {HUGE[name]}}}}}',
        "in place of an item": HUGE[name],
    }[where]
    texts[4] = odd
    joined = ",".join(texts)
    page = f'{{"code": 0, "data": {{"items": [{joined}], "has_more": false}}}}'
    log = read(
        tmp_path / "log",
        {
            "line of items": "\n".join(texts),
            "page": page,
            "pretty pages": page.replace('"items"', '\n"items"') * 2,
            "list": f"[{joined}]",
        }[shape],
    )
    assert log.counts["events"] >= 8
    assert log.counts["rejects"] == (9 - log.counts["events"]) * (1 + (shape == "pretty pages"))
    assert_accounted(log, 9)


def test_one_huge_value_costs_at_most_its_row_in_decoded_pages():
    deep = []
    for _ in range(5000):
        deep = [deep]
    for odd in ({"id": "x", "event_time": AT, "y": deep}, {"id": "x", "y": 10**5000}, deep):
        page = make_page([make_item(0), odd, make_item(1)])
        for source in (page, [page], page["data"]["items"]):
            log = read_log(source)
            # how deep an interpreter reads depends on its version: then the row is kept
            assert (log.counts["events"], log.counts["rejects"]) in {(2, 1), (3, 0)}


def test_an_answer_of_the_api_is_decoded_with_a_huge_value_in_it():
    for value in HUGE.values():
        answer = f'{{"code":0,"data":{{"items":[{{"id":"1","x":{value}}},{{"id":"2"}}]}}}}'
        items = decode_anyhow(answer.encode())["data"]["items"]
        assert [item["id"] for item in items] == ["1", "2"]
    assert decode_anyhow(b'{"a": "\x00\xff"}') == {"a": "\x00\ufffd"}
    assert decode_anyhow("[" * 10_000) is BROKEN


@pytest.mark.parametrize(
    "unit",
    [
        '{"id":',
        "[",
        "]",
        "{",
        "}",
        '"',
        "\\",
        '{"id": "cut\n',
        '{"id":1,"x":{\n',
        '{"code":0,"data":{"items":[',
        '],"a":"b"',
        "x\n",
        "1",
        '{"a":[{"b":"',
        "[[[[[[[[[",
    ],
)
@pytest.mark.parametrize("chunk", [0, 1000])
def test_hostile_text_is_split_with_linear_work(monkeypatch, unit, chunk):
    work = [0]

    def find_end(text, at):
        end, state = real(text, at)
        work[0] += end - at + 1
        return end, state

    def raw_decode(text, at):
        work[0] += 1
        try:
            value, end = decode(text, at)
        except RecursionError:
            work[0] += 1000
            raise
        except ValueError as error:
            work[0] += error.pos - at
            raise
        work[0] += end - at
        return value, end

    class Decoder:
        pass

    real, decode = _values.find_end, _values._DECODER.raw_decode
    Decoder.raw_decode = staticmethod(raw_decode)
    monkeypatch.setattr(_values, "find_end", find_end)
    monkeypatch.setattr(_values, "_DECODER", Decoder)
    costs = []
    for size in (50_000, 200_000):
        work[0] = 0
        whole = unit * (size // len(unit))
        splitter = Splitter(2**30)
        for start in range(0, len(whole), chunk or len(whole)):
            splitter.feed(whole[start : start + (chunk or len(whole))])
        splitter.close()
        costs.append(work[0])
    # four times the text; what is tried in vain has a budget that grows with the text, and a free part
    assert costs[1] < 6 * costs[0] + 4 * 2**20
    assert costs[1] < 64 * 200_000


def test_a_broken_character_in_the_name_of_a_field_beside_the_items_costs_no_item():
    """Found by 10,000 hostile pages: the name is read a level below the page, and ended the run."""
    page = b'{"code":0,"data":{"it\xd4ms":[],"items":[{"id":"1","event_time":1790000000}]}}'
    assert split_document(page) == [b'{"id":"1","event_time":1790000000}']
