import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regex_steps import count_patterns

from audit_analytics.schema import EVENTS, REJECTS
from audit_analytics.source import _flatten, _parameters, read_log
from audit_analytics.source._parameters import decode_parameters, read_names
from audit_analytics.source._vocabulary import hash_texts
from audit_analytics.source._wire import find_network, read_address, read_code

AT = 1_700_000_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = ("id", "event_time", "api_key", "app_id", "ip", "log_detail")
DETAILS = ("path", "method", "query_param", "payload", "status_code", "response")


def item(number=1, **changes):
    detail = {
        "path": "/open-apis/contact/v3/users/ou_1",
        "method": "GET",
        "query_param": '{"user_id_type":"open_id"}',
        "payload": "",
        "status_code": 200,
        "response": '{"code":0,"msg":"ok"}',
    }
    detail |= {name: changes.pop(name) for name in DETAILS if name in changes}
    return {
        "id": str(number),
        "api_key": "GET/open-apis/contact/v3/users/:user_id",
        "event_time": AT,
        "app_id": "cli_a",
        "ip": "203.0.113.9",
        "log_detail": detail,
        **changes,
    }


def flatten_one(**changes):
    log = read_log([item(**changes)])
    assert log.counts["events"] == 1, log.rejects
    return log.events.iloc[0]


def assert_accounted(log, rows):
    counts = log.counts
    assert counts["rows_read"] == rows
    assert counts["rows_read"] == counts["events"] + counts["duplicates"] + counts["rejects"]
    assert counts["events"] == len(log.events)
    assert counts["rejects"] == len(log.rejects)
    assert log.events.dtypes.astype(str).to_dict() == EVENTS.empty().dtypes.astype(str).to_dict()
    assert list(log.rejects.columns) == REJECTS.names
    assert log.events["id"].is_unique


def test_a_row_is_read_whole():
    row = flatten_one()
    assert row["id"] == "1"
    assert row["at"] == pd.Timestamp("2023-11-14T22:13:20Z")
    assert row["api"] == row["api_raw"] == "GET/open-apis/contact/v3/users/:user_id"
    assert (row["app_id"], row["ip"], row["network"]) == ("cli_a", "203.0.113.9", "203.0.113.0/24")
    assert (row["method"], row["path"]) == ("GET", "/open-apis/contact/v3/users/ou_1")
    assert (row["http_status"], row["response_code"], row["outcome"]) == (200, 0, "ok")
    assert (row["category"], row["severity"]) == ("directory_single_read", "low")
    assert (row["payload_keys"], row["payload_bytes"]) == ("user_id_type", 0)
    assert row["source"] == "list"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"id": None}, "no id"),
        ({"id": ""}, "no id"),
        ({"id": True}, "no id"),
        ({"id": ["a"]}, "no id"),
        ({"event_time": None}, "no event_time"),
        ({"event_time": "soon"}, "event_time is not a number"),
        ({"event_time": True}, "event_time is not a number"),
        ({"event_time": {}}, "event_time is not a number"),
        ({"event_time": 0}, "event_time out of range"),
        ({"event_time": -AT}, "event_time out of range"),
        ({"event_time": 10**40}, "event_time out of range"),
        ({"event_time": AT * 10**9}, "event_time out of range"),
    ],
)
def test_one_bad_row_costs_one_reject(bad, reason):
    log = read_log([item(1), item(2, **bad), item(3)])
    assert_accounted(log, 3)
    assert log.events["id"].tolist() == ["1", "3"]
    assert log.rejects[["row", "reason"]].to_numpy().tolist() == [[2, reason]]


@pytest.mark.parametrize("value", [None, 3, "text", [], [item()]])
def test_a_row_that_is_no_object_is_a_reject_or_a_list(value):
    log = read_log([item(9), value])
    assert log.counts["rows_read"] == log.counts["events"] + log.counts["rejects"]


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (str(AT), None),
        (f" {AT} ", None),
        (float(AT), None),
        (AT * 1000, "millisecond_times"),
        (str(AT * 1000 + 999), "millisecond_times"),
        (f"{AT}.5", None),
    ],
)
def test_times_that_can_mean_one_thing_only(value, note):
    log = read_log([item(event_time=value)])
    assert log.events["at"].tolist() == [pd.Timestamp(AT, unit="s", tz="UTC")]
    assert log.counts.get("millisecond_times", 0) == (note is not None)


def test_numbers_become_ids_and_wrong_types_become_absent():
    log = read_log(
        [
            item(7, id=7, app_id=12, status_code="404", response={"code": 0}),
            item(8, app_id={"a": 1}, ip=True, status_code="many", log_detail=[1]),
            item(9, log_detail=None),
            {"id": "10", "event_time": AT, "api_key": "GET/x"},
            item(11, payload={"user_ids": ["a"]}),
            item(12, log_detail=json.dumps(item()["log_detail"])),
        ]
    )
    assert_accounted(log, 6)
    events = log.events.set_index("id")
    assert events.loc["7", ["app_id", "http_status", "outcome"]].tolist() == [
        "12",
        404,
        "not_found",
    ]
    assert events.loc["8", ["ip", "outcome"]].tolist() == ["", "unknown"]
    assert events.loc[["9", "10"], "outcome"].tolist() == ["unknown"] * 2
    assert events.loc["11", "payload_keys"] == "user_id_type,user_ids"
    assert events.loc["12", "path"] == "/open-apis/contact/v3/users/ou_1"
    assert log.counts["ignored_fields"] >= 2


def test_duplicates_are_dropped_and_conflicts_counted():
    log = read_log([item(1), item(2), item(1), item(1, app_id="other"), item(2, event_time=AT + 1)])
    assert_accounted(log, 5)
    assert (log.counts["duplicates"], log.counts["conflicting_duplicates"]) == (3, 2)
    assert log.events["app_id"].tolist() == ["cli_a", "cli_a"]


def test_events_are_sorted_by_time_and_id():
    log = read_log(
        [item("b", event_time=AT + 1), item("z"), item("a", event_time=AT + 1), item("c")]
    )
    assert log.events["id"].tolist() == ["c", "z", "a", "b"]


@pytest.mark.parametrize(
    ("status", "response", "expected"),
    [
        (200, '{"code":0}', (200, 0, "ok")),
        (200, '{"code":99991672,"msg":"x"}', (200, 99991672, "permission")),
        (0, "", (None, None, "unknown")),
        (None, None, (None, None, "unknown")),
        (0, '{"code":0}', (None, 0, "ok")),
        (99991663, "", (None, 99991663, "auth")),
        (400, '{"code":"99991400","msg":', (400, 99991400, "rate_limit")),
        (503, "upstream gone", (503, None, "server")),
        (403, '{"code":403}', (403, 403, "permission")),
        (200, '{"code":null}', (200, None, "ok")),
        (200, "[]", (200, None, "ok")),
    ],
)
def test_status_and_response_give_the_outcome(status, response, expected):
    row = flatten_one(status_code=status, response=response)
    shown = tuple(
        None if pd.isna(v) else v for v in row[["http_status", "response_code", "outcome"]]
    )
    assert shown == expected


@pytest.mark.parametrize(
    ("response", "code"),
    [
        ('{"code":5}', 5),
        ('{"msg":"a","code" : -5,', -5),
        ('{"code":"12"', 12),
        ('{"code":"12"}', 12),
        ('{"code":1e3}', None),
        ('{"code":true}', None),
        ('{"code":99999999999999999999999}', None),
        ("", None),
        ("\ud800", None),
        ('{"data":{"code":7,"x":', None),
        ('{"data":{"code":7},"code":99991672,"msg":"cut', 99991672),
        ('{"msg":"\\"code\\":0,","code":99991663,"x":[', 99991663),
        ('{"data":[{"code":0}],"code":99991672,', 99991672),
        ('{"code":9999', None),
        ('{"code":"12', None),
        ('{"a":1} {"code":0,', None),
        ('"code":0,', None),
    ],
)
def test_codes_of_answers(response, code):
    assert read_code(response) == code


@given(st.text())
def test_any_answer_gives_a_code_or_none(response):
    code = read_code(response)
    assert code is None or abs(code) < 2**63


@given(st.integers(-(10**17), 10**17), st.text(max_size=20), st.integers(0, 12))
def test_a_cut_answer_still_gives_its_code(code, message, kept):
    whole = json.dumps({"code": code, "msg": message})
    assert read_code(whole) == code
    assert read_code(whole[: whole.index(",") + 1 + kept]) == code


@pytest.mark.parametrize(
    ("raw", "ip", "network"),
    [
        ("203.0.113.9", "203.0.113.9", "203.0.113.0/24"),
        (" 203.0.113.9:443", "203.0.113.9", "203.0.113.0/24"),
        ("unknown, 203.0.113.9, 10.0.0.1", "203.0.113.9", "203.0.113.0/24"),
        ("203.0.113.9;10.0.0.1", "203.0.113.9", "203.0.113.0/24"),
        ("2001:DB8:1:0::1", "2001:db8:1::1", "2001:db8:1::/48"),
        ("[2001:db8:1::1]:443", "2001:db8:1::1", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::1", "fe80::/48"),
        ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.0/24"),
        ("fdbd:dc02::12", "fdbd:dc02::12", "platform"),
        ("", "", ""),
        ("cloudtrail.amazonaws.com", "cloudtrail.amazonaws.com", "cloudtrail.amazonaws.com"),
        ("x" * 90, "x" * 64, "x" * 64),
    ],
)
def test_addresses(raw, ip, network):
    row = flatten_one(ip=raw)
    assert (row["ip"], row["network"]) == (ip, network)


@given(st.ip_addresses())
def test_every_address_has_a_network(address):
    ip = read_address(str(address))
    assert read_address(ip) == ip
    assert find_network(ip).endswith(("/24", "/48", "platform"))


@given(st.text(max_size=300))
def test_any_text_is_an_address_field(text):
    assert len(read_address(text)) <= 64


def test_objects_are_what_the_call_names():
    def hashed(**changes):
        value = flatten_one(**changes)["object"]
        return None if pd.isna(value) else value

    users = "/open-apis/contact/v3/users"
    plain = {"api_key": f"GET{users}", "path": users}
    first = hashed()
    assert first is not None
    assert first == hashed(path=f"{users}/ou_1?x=1", app_id="other")
    assert first == hashed(path=f"{users}/:user_id", api_key=f"GET{users}/ou_1")
    assert first != hashed(path=f"{users}/ou_2")
    assert hashed(path=f"{users}/{{user_id}}") is None
    assert hashed(**plain) is None
    assert (
        hashed(**plain, query_param='{"page_token":"x","department_id_type":"y","code":"z"}')
        is None
    )
    listed = hashed(**plain, query_param='{"department_id":"od_1"}')
    assert listed is not None
    assert listed == hashed(**plain, query_param="department_id=od_1&page_size=3")
    assert listed == hashed(**{**plain, "path": f"{users}?department_id=od_1"}, query_param="")
    assert listed != hashed(**plain, query_param='{"department_id":"od_2"}')
    batch = {"api_key": f"POST{users}/batch_get_id", "path": f"{users}/batch_get_id"}
    assert hashed(**batch, payload='{"emails":["a@b.cn"]}') != hashed(
        **batch, payload='{"emails":["c@b.cn"]}'
    )
    assert hashed(**batch, payload='{"emails":[],"leader_id":"x"}') is None
    assert hashed(api_key="GET/open-apis/new/v1/:a", path="/open-apis/new/v1/7391") is not None


def test_payload_keys_are_names_and_never_values():
    row = flatten_one(
        query_param="b=1&a=2",
        payload=json.dumps(
            {"zoë": 1, "ann@example.com": 1, "13800138000": 1, "a,b": {"nested": 1}, "x" * 90: 1}
        ),
    )
    assert row["payload_keys"] == "*,a,a_b,b," + "x" * 64 + ",zoë"
    assert (
        flatten_one(payload=json.dumps({f"k{n:02}": 1 for n in range(50)}))["payload_keys"].count(
            ","
        )
        == 31
    )
    assert (
        flatten_one(payload='{"a":{"inner":1},"b":[{"c":2}],"d":"cut')["payload_keys"]
        == "a,b,d,user_id_type"
    )
    assert flatten_one(payload="[1,2]", query_param="")["payload_keys"] == ""
    assert flatten_one(payload="é{")["payload_bytes"] == 3


BLANK = st.text(" \t\r\n\x0b\u2003", max_size=3)
OBJECTS = st.lists(JSON.map(lambda v: json.dumps({"a": v})), min_size=1, max_size=3)


def decode(texts):
    return decode_parameters(pa.array(texts, pa.large_string()))


@given(
    st.lists(
        st.text(max_size=30) | JSON.map(json.dumps) | BLANK | OBJECTS.map(" ".join), max_size=6
    )
)
def test_parameters_stay_in_step_with_their_rows(texts):
    together = decode(texts)
    assert together == [decode([text])[0] for text in texts]


def test_two_halves_of_a_payload_do_not_become_one():
    assert [list(v) for v in decode(['{"a":1', '"b":2}', '{"c":3}\n{"d":4}'])] == [
        ["a"],
        [],
        ["c", "d"],
    ]


@pytest.mark.parametrize("unit", ['\\"', '"', "{", '{"a":', "a=", '"a\\', "&=%"])
def test_to_read_a_payload_is_linear_work(monkeypatch, unit):
    patterns = count_patterns(monkeypatch, _parameters)
    costs = []
    for size in (500, 2000):
        before = sum(pattern.steps for pattern in patterns)
        decode(["{" + unit * (size // len(unit))])
        costs.append(sum(pattern.steps for pattern in patterns) - before)
    assert costs[1] < 6 * costs[0] + 500


def test_a_caller_cannot_shift_the_parameters_of_others():
    rows = [
        item(1, query_param='{"mine":1} {"user_id":"ou_9"}'),
        item(2, query_param=" "),
        item(3, query_param='{"user_id":"ou_3"}'),
        item(4, query_param='{"user_id":"ou_4"}'),
    ]
    events = read_log(rows).events.set_index("id")
    alone = read_log([*rows[2:]]).events.set_index("id")
    assert events.loc[["3", "4"], "object"].tolist() == alone["object"].tolist()
    assert events.loc["2", "payload_keys"] == ""
    assert decode(['{"a":1}{"b":2}', "\t", '{"c":3}']) == [
        decode([text])[0] for text in ('{"a":1}{"b":2}', "\t", '{"c":3}')
    ]


@given(st.lists(st.text(), max_size=40))
def test_names_fit_to_be_stored(names):
    kept = read_names(tuple(names))
    assert len(kept) <= 32
    assert all(len(name) <= 64 and "," not in name and name.isprintable() for name in kept)


def test_secrets_of_a_payload_reach_no_column_and_no_reject():
    planted = "Zq81hT0pS3cr3tV4lue"
    payload = json.dumps({"app_secret": planted, planted: 1, "nested": {"password": planted}})
    rows = [item(1, payload=payload), item(2, payload=payload, event_time="never")]
    log = read_log(rows, keeps_texts=True)
    assert_accounted(log, 2)
    assert planted not in log.events.to_csv()
    assert planted[:10] not in log.rejects.drop(columns="raw").to_csv()
    assert "app_secret" in log.rejects["raw"][0]
    assert f'app_secret\\":\\"{planted}' not in log.rejects["raw"][0].replace(" ", "")


def test_hostile_text_is_cleaned_and_cut():
    log = read_log(
        [
            item("a\x00b"),
            item("\ud800x"),
            item("y" * 1000, app_id="z" * 10_000, api_key="GET/" + "w/" * 5000),
            item("big", payload="p" * 2**20, response="r" * 2**21),
            item("deep", payload="[" * 100_000),
        ]
    )
    assert_accounted(log, 5)
    assert log.events["id"].str.len().max() == 256
    assert log.events["app_id"].astype("str").str.len().max() == 256
    assert log.events["api"].str.len().max() <= 2048
    assert {"a\ufffdb", "?x"} <= set(log.events["id"])
    assert log.counts["cut_fields"] >= 3
    log.events.to_parquet("/dev/null")


def test_long_names_that_begin_alike_stay_apart():
    log = read_log([item("y" * 300 + end, app_id="z" * 300 + end) for end in ("1", "2", "2")])
    assert_accounted(log, 3)
    assert log.counts["duplicates"] == 1
    assert log.events["app_id"].nunique() == 2
    assert log.events["id"].str.startswith("y" * 200).all()


def test_a_respelled_api_is_judged_by_its_route_and_shown_as_written():
    row = flatten_one(api_key="POST/open-apis/admin/V1/password%2Freset", path="", method="")
    assert row["api"] == "POST/open-apis/admin/v1/password/reset"
    assert row["severity"] == "critical"
    assert row["api_raw"] == "POST/open-apis/admin/V1/password%2Freset"


def test_all_rejects_are_counted_and_the_text_of_the_first_kept():
    rows = [item(1), *({"id": "", "n": n} for n in range(1500)), item(2)]
    log = read_log(rows, keeps_texts=True)
    assert_accounted(log, 1502)
    assert log.counts["rejects"] == 1500
    assert log.counts["reject_texts_left_out"] == 500
    assert log.rejects["raw"].str.contains('"n":').tolist() == [True] * 1000 + [False] * 500


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_rejects_beyond_a_limit_are_counted_by_reason_and_not_listed(tmp_path, monkeypatch, n_jobs):
    monkeypatch.setattr(_flatten, "_REJECTS_MAX", 5)
    monkeypatch.setattr(_flatten, "_REASONS_MAX", 2)
    for name in "abcd":
        lines = [{"id": ""}, {"id": "1"}, *({"code": code, "data": {}} for code in (600, 1002))]
        (tmp_path / name).write_text("\n".join(json.dumps(line) for line in lines))
    (tmp_path / "e").write_text(json.dumps(item(1)))
    log = read_log(tmp_path, n_jobs=n_jobs)
    assert log.counts["rows_read"] == 17
    assert log.reject_reasons == {"no id": 4, "no event_time": 4, "another reason": 8}
    assert len(log.rejects) == 5
    assert log.counts["rejects_not_listed"] == 11


@given(st.lists(st.text(max_size=40), max_size=20), st.lists(st.text(max_size=40), max_size=20))
def test_a_hash_depends_on_the_text_alone(left, right):
    texts = [text.encode("utf-8", "replace").decode() for text in (*left, *right)]
    together = hash_texts(pa.array(texts, pa.large_string()))
    assert len(set(together.tolist())) == len(set(texts))
    if texts:
        alone = hash_texts(pa.array(texts[-1:], pa.large_string()))
        assert alone[0] == together[-1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON))
        | st.fixed_dictionaries(
            {"id": st.sampled_from(["1", "2", 3]), "event_time": st.sampled_from([AT, AT + 1])},
            optional={
                "api_key": st.text(),
                "ip": st.text(),
                "log_detail": st.fixed_dictionaries({}, optional=dict.fromkeys(DETAILS, JSON)),
            },
        ),
        max_size=8,
    )
)
def test_any_item_is_an_event_a_duplicate_or_a_reject(items):
    pages = [
        value for value in items if "id" not in value and {"data", "items", "code"} & value.keys()
    ]
    assert_accounted(read_log(items), len(items) - len(pages))


@settings(max_examples=60, deadline=None)
@given(st.lists(JSON, max_size=5))
def test_any_value_is_taken_without_a_crash(values):
    counts = read_log([v for v in values if not isinstance(v, str)]).counts
    assert counts["rows_read"] == counts["events"] + counts["duplicates"] + counts["rejects"]


def test_millions_of_strange_apis_stay_cheap_and_apart():
    rows = [item(n, api_key=f"GET/open-apis/odd/v1/{n:x}q{n}", path="") for n in range(20_000)]
    log = read_log(rows)
    assert log.events["api"].nunique() == 20_000
    assert (log.events["category"] == "unknown").all()


def test_batches_join_to_one_table():
    rows = [item(n, event_time=AT + n % 977, app_id=f"cli_{n % 13}") for n in range(9000)]
    log = read_log(rows)
    assert_accounted(log, 9000)
    expected = {str(n): f"cli_{n % 13}" for n in range(9000)}
    assert dict(zip(log.events["id"], log.events["app_id"], strict=True)) == expected
    assert np.all(np.diff(log.events["at"].astype("int64")) >= 0)
