from __future__ import annotations

import base64
import gzip
import hmac
import json
import signal
import subprocess
import sys
import time

import pytest
import requests
from stand_ins import FixedQuota, OddLedger, ScaledClock

from audit_analytics.errors import InputError
from audit_analytics.simulate._inbox import HOOK_BYTES_MAX
from audit_analytics.simulate._ledger import FaultPlan, Faults, Ledger
from audit_analytics.simulate._loopback import Quota
from audit_analytics.simulate._server import (
    APP_ID,
    APP_SECRET,
    HOOK_PATH,
    HOOK_SECRET,
    LOG_PATH,
    MESSAGES_PATH,
    TOKEN_PATH,
    StandIn,
)

ITEMS = [
    {
        "id": str(n),
        "api_key": f"GET/{n % 3}",
        "app_id": f"cli_{n % 2}",
        "event_time": 1000 + n // 2,
        "log_detail": {"path": f"/é{n}"},
    }
    for n in range(50)
]

FORGED = "t-forged"


@pytest.fixture(scope="module")
def server():
    with StandIn(ITEMS, limit=100_000) as made:
        yield made


@pytest.fixture
def session():
    with requests.Session() as made:
        made.trust_env = False
        yield made


def ask(session, server, path=LOG_PATH, token=None, **body):
    if token is None:
        secrets = {"app_id": APP_ID, "app_secret": APP_SECRET}
        token = session.post(server.url + TOKEN_PATH, json=secrets).json()["tenant_access_token"]
    return session.post(server.url + path, json=body, headers={"Authorization": f"Bearer {token}"})


def read_all(session, server, **query):
    ids, token = [], ""
    while True:
        extra = {"page_token": token} if token else {}
        data = ask(session, server, **query, **extra).json()["data"]
        ids += [item["id"] for item in data["items"]]
        assert ("page_token" in data) == data["has_more"]
        if not data["has_more"]:
            return ids
        token = data["page_token"]


@pytest.mark.parametrize("page_size", [1, 7, 50, 100])
def test_pages_lead_through_the_whole_log(session, server, page_size):
    query = {"start_time": 1000, "end_time": 1024, "page_size": page_size}
    assert read_all(session, server, **query) == [str(n) for n in range(50)]


def test_filters_and_ends_are_honoured(session, server):
    query = {
        "start_time": 1002,
        "end_time": 1010,
        "app_id": "cli_1",
        "api_keys": ["GET/0", "GET/1"],
    }
    expected = [
        n["id"]
        for n in ITEMS
        if 1002 <= n["event_time"] <= 1010 and n["app_id"] == "cli_1" and n["api_key"] != "GET/2"
    ]
    assert read_all(session, server, page_size=2, **query) == expected


def test_ends_and_order_can_be_the_other_way_round(session):
    ledger = OddLedger(ITEMS, includes_start=False, includes_end=False, is_descending=True)
    with StandIn(ledger) as other:
        ids = read_all(session, other, start_time=1001, end_time=1004, page_size=3)
    assert sorted(ids) == ["4", "5", "6", "7"]
    assert int(ids[0]) > int(ids[-1])


@pytest.mark.parametrize(
    "change",
    [
        {"page_size": 0},
        {"page_size": 101},
        {"page_size": "5"},
        {"api_keys": ["x"] * 101},
        {"api_keys": "x"},
        {"start_time": 2000, "end_time": 1000},
        {"start_time": 0, "end_time": 31 * 86400},
        {"page_token": "forged"},
        {"page_token": 5},
    ],
)
def test_wrong_parameters_are_1780103(session, server, change):
    answer = ask(session, server, **change)
    assert (answer.status_code, answer.json()["code"]) == (400, 1780103)


class SetClock:
    """A clock that moves when it is told to: a fast one would run on while a busy machine waits."""

    def __init__(self):
        self._now = float(int(time.time()))

    def time(self):
        return self._now

    def sleep(self, seconds):
        self._now += seconds


def with_set_clock(server):
    server.clock = SetClock()
    return server


def test_a_page_token_is_good_for_its_query_and_its_time_only(session):
    with with_set_clock(StandIn(OddLedger(ITEMS, page_token_seconds=100))) as fast:
        query = {"start_time": 1000, "end_time": 1024, "page_size": 5}
        token = ask(session, fast, **query).json()["data"]["page_token"]
        other = {**query, "page_size": 6, "page_token": token}
        assert ask(session, fast, **other).json()["code"] == 1780103
        fast.clock.sleep(102)
        assert ask(session, fast, **query, page_token=token).json()["code"] == 1780103


@pytest.mark.parametrize(("token", "code"), [("", 99991663), (FORGED, 99991663)])
def test_a_wrong_token_is_refused(session, server, token, code):
    answer = ask(session, server, token=token)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    bare = session.post(server.url + LOG_PATH, json={})
    assert bare.json()["code"] == 99991661


def test_the_token_stays_the_same_until_half_an_hour_is_left(session):
    with with_set_clock(StandIn([])) as fast:
        secrets = {"app_id": APP_ID, "app_secret": APP_SECRET}

        def fetch():
            return session.post(fast.url + TOKEN_PATH, json=secrets).json()

        first = fetch()
        assert 0 < first["expire"] <= 7200
        fast.clock.sleep(5500)
        assert fetch()["tenant_access_token"] != first["tenant_access_token"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_wrong_paths_and_methods_are_404_in_plain_text(session, server, method):
    for answer in (session.request(method, server.url + LOG_PATH), session.post(server.url + "/x")):
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.headers["X-Tt-Logid"]


def test_the_limit_answers_429_with_its_headers(session):
    with StandIn([], limit=2) as small:
        codes = [ask(session, small).json()["code"] for _ in range(2)]
        refused = ask(session, small)
    assert codes == [0, 0]
    assert (refused.status_code, refused.json()["code"]) == (429, 99991400)
    assert refused.headers["x-ogw-ratelimit-limit"] == "2"
    assert 1 <= int(refused.headers["x-ogw-ratelimit-reset"]) <= 60


def test_a_sliding_minute_ends_now_and_a_fixed_one_at_the_full_minute():
    arrivals = [50.0, 55.0, 59.0, 60.0, 100.0, 111.0]
    sliding = Quota(limit=2, period_seconds=60)
    fixed = FixedQuota(limit=2, period_seconds=60)
    assert [sliding.take(at) for at in arrivals] == [0, 0, 51, 50, 10, 0]
    assert [fixed.take(at) for at in arrivals] == [0, 0, 1, 0, 0, 9]


def test_late_rows_show_late(session):
    now = int(time.time())
    items = [{"id": str(n), "api_key": "GET/x", "event_time": now - 10} for n in range(40)]
    with with_set_clock(StandIn(OddLedger(items, late_share=0.5, late_seconds=60))) as late:
        query = {"start_time": now - 100, "end_time": now, "page_size": 100}
        before = len(read_all(session, late, **query))
        late.clock.sleep(100)
        assert before < len(read_all(session, late, **query)) == 40


def test_a_skewed_clock_shows_in_the_date(session):
    with StandIn([], clock=ScaledClock(skew_seconds=-86400)) as skewed:
        date = ask(session, skewed).headers["Date"]
    assert time.strftime("%d %b %Y", time.gmtime(time.time() - 86400)) in date


def test_faults_are_repeatable_and_checked():
    def deal(faults):
        plan = FaultPlan(faults)
        return [plan.next_fault() for _ in range(100)]

    assert deal(Faults(seed=1, html=0.3)) == deal(Faults(seed=1, html=0.3))
    assert 10 < deal(Faults(seed=1, html=0.3)).count("html") < 50
    with pytest.raises(ValueError, match="no such fault"):
        Faults(script=("flood",))
    with pytest.raises(ValueError, match="probabilities"):
        Faults(html=0.7, slow=0.7)


@pytest.mark.parametrize(
    "wrap", [lambda i: {"code": 0, "data": {"items": i}}, lambda i: {"items": i}]
)
def test_a_folder_of_pages_is_served(session, tmp_path, wrap):
    (tmp_path / "a").mkdir()
    pages = [wrap(ITEMS[:20]), wrap(ITEMS[20:40])]
    text = "\n".join(json.dumps(page) for page in pages)
    (tmp_path / "a" / "1.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "2.jsonl").write_text("\n".join(json.dumps(item) for item in ITEMS[40:]))
    with StandIn(tmp_path) as folder:
        query = {"start_time": 1000, "end_time": 1024, "page_size": 100}
        data = ask(session, folder, **query).json()["data"]
    assert data["items"] == ITEMS


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="jsonl"):
        Ledger(tmp_path)


def test_serve_runs_until_it_is_interrupted(session, tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(ITEMS[0]) + "\n", "utf-8")
    code = (
        # a test run in the background hands down that interrupts are ignored
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from audit_analytics.cli.main import main\n"
        f"main(['simulate', 'serve', '--port', '0', {str(log)!r}])"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[4]
        assert session.post(url + "/x").status_code == 404
        process.send_signal(signal.SIGINT)
        assert process.wait(300) == 0


# Webhook and messages


def hook_body(server, **change):
    stamp = str(int(server.clock.time()))
    sign = base64.b64encode(hmac.digest(f"{stamp}\n{HOOK_SECRET}".encode(), b"", "sha256")).decode()
    body = {"timestamp": stamp, "sign": sign, "msg_type": "text", "content": {"text": "hello"}}
    return {**body, **change}


def test_the_signature_is_the_documented_one(session, server):
    old = hook_body(
        server, timestamp="1599360473", sign="l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="
    )
    stamp_ok = server.inbox._is_signed(old, now=1599360480)
    assert stamp_ok
    assert session.post(server.hook_url, json=old).json()["code"] == 19021


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"sign": "wrong"}, 19021),
        ({"timestamp": "soon"}, 19021),
        ({"msg_type": "fax"}, 9499),
        ({"content": {"text": "x" * HOOK_BYTES_MAX}}, 9499),
    ],
)
def test_the_webhook_answers_with_the_documented_codes(session, change, code):
    with StandIn([]) as fresh:
        answer = session.post(fresh.hook_url, json=hook_body(fresh, **change))
        assert (answer.status_code, answer.json()["code"]) == (200, code)
        assert len(fresh.inbox.delivered) == (code == 0)


def test_the_webhook_knows_its_address_its_keyword_and_its_limit(session):
    with StandIn([], keyword="alarm") as strict:
        wrong = session.post(strict.url + HOOK_PATH + "other", json=hook_body(strict))
        assert wrong.json()["code"] == 19001
        assert session.post(strict.hook_url, json=hook_body(strict)).json()["code"] == 19024
        said = hook_body(strict, content={"text": "alarm"})
        codes = [session.post(strict.hook_url, json=said).json()["code"] for _ in range(6)]
        assert (codes[0], codes[-1]) == (0, 11232)


def test_a_message_is_taken_once_for_its_uuid(session):
    with StandIn([]) as fresh:
        path = MESSAGES_PATH + "?receive_id_type=chat_id"
        body = {"receive_id": "oc_1", "msg_type": "text", "content": '{"text":"hi"}', "uuid": "u1"}
        first, second = (ask(session, fresh, path, **body).json() for _ in range(2))
        assert first == second
        assert first["data"]["message_id"].startswith("om_")
        assert fresh.inbox.delivered == [body]
        assert ask(session, fresh, MESSAGES_PATH, **body).json()["code"] == 230001
        assert ask(session, fresh, path, **{**body, "content": "hi"}).json()["code"] == 230001
        large = {**body, "msg_type": "interactive", "content": json.dumps({"x": "y" * 40_000})}
        assert ask(session, fresh, path, **large).json()["code"] == 230025
        assert ask(session, fresh, path, token=FORGED, **body).json()["code"] == 99991663


def test_an_upload_is_kept_byte_for_byte(session):
    path, fields = "/open-apis/im/v1/files", {"file_type": "stream", "file_name": "a.html"}
    content = bytes(range(256)) * 3 + b"\r\n"
    with StandIn([]) as fresh:
        ask(session, fresh)
        token = next(iter(fresh._tokens))
        headers = {"Authorization": f"Bearer {token}"}
        answer = session.post(
            fresh.url + path, data=fields, files={"file": ("a", content)}, headers=headers
        )
        assert fresh.inbox.uploads[answer.json()["data"]["file_key"]] == content
        bad = session.post(fresh.url + path, data=fields, headers=headers)
        assert bad.json()["code"] == 234001
