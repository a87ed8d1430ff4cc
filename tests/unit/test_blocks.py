import json

import pandas as pd
import pytest

from audit_analytics.source import read_log
from audit_analytics.source._blocks import read_block

AT = 1_700_000_000
ITEM = {
    "id": "1",
    "event_time": AT,
    "api_key": "GET/open-apis/contact/v3/users/:user_id",
    "app_id": "cli_1",
    "ip": "203.0.113.9",
    "log_detail": {
        "path": "/open-apis/contact/v3/users/ou_\u5bc6",
        "method": "GET",
        "query_param": '{"user_id_type":"open_id"}',
        "status_code": 200,
        "response": '{"code":0}',
    },
}


def write(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def make_page(*items, **more):
    return write({"code": 0, "msg": "success", "data": {"items": list(items)}, **more})


def with_detail(**fields):
    return write(ITEM | {"log_detail": ITEM["log_detail"] | fields})


GOOD = write(ITEM)
PAGE = make_page(ITEM, ITEM | {"id": "2", "ip": None})

WELL_FORMED = {
    "items": [GOOD, GOOD],
    "pages": [PAGE, make_page(), PAGE],
    "a field nobody knows": [write(ITEM | {"new": [{"deep": {}}]})],
    "no detail": [write(ITEM | {"log_detail": None}), GOOD],
    "only what must be": ['{"id":"1","event_time":1700000000}'],
    "escapes": [
        GOOD.replace("cli_1", r"cli_\ud83d\ude00\u0041\n"),
        GOOD.replace('"ip"', r'"\u0069p"'),
    ],
}

UNUSUAL = {
    "blank": [GOOD, "", GOOD],
    "cut": [GOOD, GOOD[:60], GOOD],
    "two on a line": [GOOD + GOOD, GOOD],
    "two on a line and one on two": [
        GOOD + GOOD,
        *GOOD.replace('"app_id"', '\n"app_id"').split("\n"),
    ],
    "one over lines that look whole": [GOOD + GOOD, '{"x":{', "}}"],
    "a list": [f"[{GOOD}]", GOOD],
    "page and item": [PAGE, GOOD],
    "item and page": [GOOD, PAGE],
    "an error page": [PAGE, '{"code":1780001,"msg":"busy","data":{"items":[]}}'],
    "no items": [PAGE, '{"code":0,"data":{"items":null}}', '{"code":0,"data":null}'],
    "null for an item": [make_page(ITEM, None)],
    "no id": [PAGE, make_page({"event_time": AT})],
    "empty id": [GOOD, write(ITEM | {"id": ""})],
    "long id": [GOOD, write(ITEM | {"id": "x" * 257})],
    "number for an id": [GOOD, write(ITEM | {"id": 7})],
    "time as text": [GOOD, write(ITEM | {"event_time": str(AT)})],
    "time in milliseconds": [GOOD, write(ITEM | {"event_time": AT * 1000})],
    "time out of range": [GOOD, write(ITEM | {"event_time": 7})],
    "fraction of a second": [GOOD, write(ITEM | {"event_time": AT + 0.5})],
    "huge status": [GOOD, with_detail(status_code=2**60)],
    "status as text": [GOOD, with_detail(status_code="200")],
    "long method": [GOOD, with_detail(method="GET" * 9)],
    "object for a text": [GOOD, with_detail(payload={"chat_id": "oc_1"})],
    "a field twice": [GOOD, GOOD.replace('"ip"', '"ip":"198.51.100.1","ip"')],
    "half a surrogate pair": [GOOD, GOOD.replace("cli_1", r"cli_\ud83d")],
    "control character": [GOOD, GOOD.replace("cli_1", "cli_\x01")],
    "trailing comma": [GOOD + ",", GOOD],
}


def encode(lines):
    return ("\n".join(lines) + "\n").encode()


def read_alone(tmp_path, lines):
    """Read the lines after one that keeps them from being read as a block."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n" + encode(lines))
    return read_log(path)


@pytest.mark.parametrize("lines", WELL_FORMED.values(), ids=WELL_FORMED)
def test_well_formed_lines_are_read_at_once_as_they_are_one_by_one(tmp_path, lines):
    fields, count = read_block(encode(lines))
    assert count == len(lines)
    assert {len(column) for column in fields.values()} == {len(fields["id"])}
    path = tmp_path / "log.jsonl"
    path.write_bytes(encode(lines).rstrip())
    log, alone = read_log(path), read_alone(tmp_path, lines)
    pd.testing.assert_frame_equal(log.events, alone.events)
    assert log.counts == alone.counts


@pytest.mark.parametrize("lines", UNUSUAL.values(), ids=UNUSUAL)
def test_what_is_unusual_is_left_to_who_reads_line_by_line(lines):
    assert read_block(encode(lines)) is None


def test_bytes_that_are_no_text_are_left_too():
    assert read_block(GOOD.encode().replace(b"cli_1", b"cli_\xff")) is None
    assert read_block(GOOD.encode().replace(b"/v3/", b"/\xff/")) is None


def test_an_odd_line_costs_itself_in_a_block_of_good_ones(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [write(ITEM | {"id": f"id{n}"}) for n in range(5000)]
    lines[1234] = '{"id": "cut'
    path.write_bytes(encode(lines))
    log = read_log(path)
    assert log.counts["events"] == 4999
    assert log.rejects[["row", "reason"]].to_numpy().tolist() == [[1235, "invalid JSON"]]
