from __future__ import annotations

import logging
import multiprocessing
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stand_ins import OddLedger, ScaledClock

from audit_analytics.errors import RemoteError
from audit_analytics.feishu._answers import Unavailable
from audit_analytics.feishu._auth import (
    Credentials,
    CredentialsRefused,
    QuotaExhausted,
    TokenRefused,
)
from audit_analytics.feishu._client import AuditLogClient
from audit_analytics.feishu._pages import (
    PageTokenExpired,
    PaginationBroken,
    Query,
    WindowTooLong,
    split_filters,
)
from audit_analytics.feishu._ratelimit import SharedLimiter
from audit_analytics.simulate._ledger import KINDS, Faults
from audit_analytics.simulate._loopback import LoopbackServer, json_reply
from audit_analytics.simulate._server import APP_ID, APP_SECRET, LOG_PATH, TOKEN_PATH, StandIn

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = Query(NINE, NINE + timedelta(hours=1))
UNLIMITED = 100_000
FAST = 2000.0
OTHER_SECRET = "other"  # noqa: S105 - of a server on loopback


def make_items(count, seconds=3600):
    start = int(NINE.timestamp())
    return [
        {
            "id": f"id-{n}",
            "api_key": f"GET/open-apis/{n % 5}",
            "app_id": f"cli_{n % 3}",
            "event_time": start + n * seconds // count,
        }
        for n in range(count)
    ]


@contextmanager
def client_of(server, folder, *, limit=UNLIMITED, **options):
    clock = server.clock
    limiter = SharedLimiter(folder / "quota", limit=limit, clock=clock.time, sleep=clock.sleep)
    with AuditLogClient(
        Credentials(APP_ID, APP_SECRET),
        base_url=server.url,
        limiter=limiter,
        clock=clock.time,
        sleep=clock.sleep,
        **options,
    ) as client:
        yield client


def read(client, query=HOUR):
    return [item["id"] for page in client.iter_pages(query) for item in page.items]


def read_to_the_end(client, query=HOUR):
    """Do as the windows do: a window whose pages break is read again, and replaces what it had."""
    for _ in range(100):
        try:
            return read(client, query)
        except (PaginationBroken, TokenRefused):
            # a token that is refused twice in a row is left to the next reading
            continue
    raise AssertionError("never got through")


@contextmanager
def scripted(log_answer):
    def answer(path, headers, body):
        if path == TOKEN_PATH:
            content = {"code": 0, "tenant_access_token": "t-planted-token", "expire": 7200}
            return json_reply(200, content)
        return log_answer(path, headers, body)

    with LoopbackServer(("127.0.0.1", 0), answer) as server:
        yield SimpleNamespace(url=server.url, clock=ScaledClock(FAST))


def test_a_page_knows_where_it_came_from(tmp_path):
    with StandIn(make_items(25)) as server, client_of(server, tmp_path) as client:
        query = Query(HOUR.start, HOUR.end, page_size=10)
        pages = list(client.iter_pages(query))
    assert [page.number for page in pages] == [1, 2, 3]
    assert [len(page.items) for page in pages] == [10, 10, 5]
    assert pages[2].body.startswith(b'{"code":0')
    assert "id-3" not in repr(pages[0])
    assert (client.counts["requests"], client.counts["pages"], client.counts["items"]) == (3, 3, 25)


def test_filters_reach_the_server(tmp_path):
    items = make_items(60)
    with StandIn(items) as server, client_of(server, tmp_path) as client:
        wanted = [f"GET/open-apis/{n}" for n in (1, 3)] + [f"GET/none/{n}" for n in range(150)]
        found = [
            row
            for part in split_filters(wanted)
            for row in read(client, Query(HOUR.start, HOUR.end, api_keys=part))
        ]
    assert sorted(found) == sorted(i["id"] for i in items if i["api_key"] in wanted)


@pytest.mark.parametrize("includes_start", [True, False])
@pytest.mark.parametrize("includes_end", [True, False])
@pytest.mark.parametrize("is_descending", [True, False])
def test_neighbouring_windows_share_no_row_and_miss_none(
    tmp_path, includes_start, includes_end, is_descending
):
    items = make_items(7200, seconds=7200)
    ledger = OddLedger(
        items,
        includes_start=includes_start,
        includes_end=includes_end,
        is_descending=is_descending,
    )
    later = Query(HOUR.end, HOUR.end + timedelta(hours=1))
    with StandIn(ledger, limit=UNLIMITED) as server, client_of(server, tmp_path) as client:
        ids = read(client) + read(client, later)
    assert Counter(ids) == Counter(item["id"] for item in items)
    assert (client.counts["outside_window"], client.counts["unsorted"]) == (0, 0)


SURVIVED = {
    "rate_limited": "rate_limited",
    "server_error": "unavailable",
    "cut_body": "unavailable",
    "html": "unavailable",
    "token_refused": None,
    "slow": None,
    "repeated_page": "duplicates",
    "duplicates": "duplicates",
    "unsorted": "unsorted",
    "empty_page": "empty_pages",
    "endless": "duplicates",
    "outside_window": "outside_window",
}


@pytest.mark.parametrize("fault", SURVIVED)
def test_each_fault_is_survived_and_counted(tmp_path, fault):
    script = ("", fault, "") if fault != "endless" else ("", "", "", "endless")
    faults = Faults(script=script)
    start = int(NINE.timestamp())
    outside = [{"id": "far", "api_key": "GET/x", "event_time": start - 500}]
    items = make_items(40)
    options = {"limit": UNLIMITED, "faults": faults, "clock": ScaledClock(FAST)}
    with StandIn([*outside, *items], **options) as server, client_of(server, tmp_path) as client:
        ids = read(client, Query(HOUR.start, HOUR.end, page_size=10))
        assert sorted(ids) == sorted(item["id"] for item in items)
    counted = SURVIVED[fault]
    assert counted is None or client.counts[counted] > 0


def test_a_page_token_that_expired_asks_for_the_window_again(tmp_path):
    faults = Faults(script=("", "page_token_expired"))
    with (
        StandIn(make_items(40), faults=faults) as server,
        client_of(server, tmp_path) as client,
        pytest.raises(PageTokenExpired, match=r"T10:00:00Z, page 2: .*1780103.*log id \w+"),
    ):
        read(client, Query(HOUR.start, HOUR.end, page_size=10))


def test_a_window_the_platform_finds_too_long_is_named(tmp_path):
    with StandIn([]) as server, client_of(server, tmp_path) as client:
        query = Query(HOUR.start - timedelta(days=31), HOUR.end)
        with pytest.raises(WindowTooLong, match=r"page 1: .*1780103.*halve"):
            read(client, query)


def test_a_window_with_too_many_pages_is_named(tmp_path):
    with StandIn(make_items(40)) as server, client_of(server, tmp_path, max_pages=3) as client:
        with pytest.raises(WindowTooLong, match="3 pages"):
            read(client, Query(HOUR.start, HOUR.end, page_size=10))
        assert client.counts["items"] == 30


@pytest.mark.parametrize("kind", ["repeated_page", "endless", "empty_page"])
def test_pagination_that_never_ends_is_left(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("audit_analytics.feishu._pages.IDLE_MAX", 20)
    options = {"limit": UNLIMITED, "faults": Faults(**{kind: 1.0})}
    with StandIn(make_items(15), **options) as server, client_of(server, tmp_path) as client:
        with pytest.raises(PaginationBroken, match="nothing new"):
            read(client, Query(HOUR.start, HOUR.end, page_size=5))
        assert client.counts["requests"] < 30


@pytest.mark.parametrize("kind", ["server_error", "cut_body", "html"])
def test_retries_end(tmp_path, kind):
    options = {"limit": UNLIMITED, "faults": Faults(**{kind: 1.0}), "clock": ScaledClock(FAST)}
    with StandIn([], **options) as server, client_of(server, tmp_path, attempts=4) as client:
        began = server.clock.time()
        with pytest.raises(Unavailable, match=r"window 2026-03-02T09:00:00Z/.*, page 1: "):
            read(client)
        assert server.clock.time() - began >= 1 + 2 + 4
        assert (client.counts["requests"], client.counts["retries"]) == (4, 3)


def test_a_retry_says_where_and_why(tmp_path, caplog):
    faults = Faults(script=("", "server_error"))
    options = {"faults": faults, "clock": ScaledClock(FAST), "limit": UNLIMITED}
    caplog.set_level(logging.INFO, "audit_analytics.feishu._client")
    with StandIn(make_items(9), **options) as server, client_of(server, tmp_path) as client:
        read(client, Query(HOUR.start, HOUR.end, page_size=5))
    (record,) = caplog.records
    assert record.getMessage().startswith(
        f"window {HOUR}, page 2, attempt 1 of 8: HTTP 500, code 1780001"
    )


def test_nobody_listening_is_unavailable(tmp_path):
    with StandIn([], clock=ScaledClock(FAST)) as server:
        pass
    with (
        client_of(server, tmp_path, attempts=3) as client,
        pytest.raises(Unavailable, match="check the network"),
    ):
        read(client)


def test_a_silent_server_times_out(tmp_path):
    faults = Faults(script=("slow",), slow_seconds=3000)
    options = {"faults": faults, "clock": ScaledClock(FAST), "limit": UNLIMITED}
    with (
        StandIn(make_items(3), **options) as server,
        client_of(server, tmp_path, timeout_seconds=0.5) as client,
    ):
        assert len(read(client)) == 3
        # on a busy machine an honest answer may be as late
        assert client.counts["unavailable"] >= 1


def test_wrong_credentials_stop_at_once(tmp_path):
    with StandIn([], app_secret=OTHER_SECRET) as server, client_of(server, tmp_path) as client:
        with pytest.raises(CredentialsRefused, match=r"page 1: .*10015.*secret is wrong"):
            read(client)
        assert (len(server.requests), client.counts["requests"]) == (1, 0)


@pytest.mark.parametrize(
    ("status", "code", "kind", "word"),
    [
        (400, 99991403, QuotaExhausted, "resumes"),
        (429, 99991403, QuotaExhausted, "resumes"),
        (400, 99991401, RemoteError, "allow-list"),
        (400, 99991672, RemoteError, "scope"),
        (400, 99991663, RemoteError, "still enabled"),
        (403, 4242, RemoteError, "look the code up"),
    ],
)
def test_a_refusal_says_what_to_do_next(tmp_path, status, code, kind, word):
    def refuse(*_):
        return json_reply(status, {"code": code, "msg": "no"})

    with scripted(refuse) as server, client_of(server, tmp_path) as client:
        with pytest.raises(kind, match=rf"page 1: .*{code}.*log id \w+.*{word}"):
            read(client)
        assert client.counts["retries"] == 0


def test_a_pause_the_server_asks_for_holds_every_thread(tmp_path):
    options = {"limit": 10, "clock": ScaledClock(300.0)}
    with StandIn(make_items(40), **options) as server, client_of(server, tmp_path) as client:
        queries = [Query(HOUR.start, HOUR.end, page_size=5)] * 6
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda query: read(client, query), queries))
        assert sum(map(len, found)) == 240
        asked = [served for served in server.requests if served.path == LOG_PATH]
    refused = [served.at for served in asked if served.status == 429]
    assert refused
    # Six requests at most were on their way when the pause began; then nobody asked until its end.
    assert len([at for at in refused if at < refused[0] + 30]) <= 6


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    count=st.integers(0, 60),
    page_size=st.integers(1, 100),
    is_descending=st.booleans(),
    script=st.lists(st.sampled_from(["", *KINDS]), max_size=12),
    seed=st.integers(0, 99),
)
def test_every_item_comes_once_whatever_goes_wrong(  # noqa: PLR0917 - hypothesis names them
    tmp_path, count, page_size, is_descending, script, seed
):
    items = make_items(count) if count else []
    shares = dict.fromkeys(KINDS, 0.02)
    faults = Faults(seed=seed, script=tuple(script), slow_seconds=1, **shares)
    ledger = OddLedger(items, is_descending=is_descending)
    options = {"limit": UNLIMITED, "faults": faults, "clock": ScaledClock(20_000)}
    with StandIn(ledger, **options) as server, client_of(server, tmp_path, attempts=20) as client:
        ids = read_to_the_end(client, Query(HOUR.start, HOUR.end, page_size=page_size))
    assert Counter(ids) == Counter(item["id"] for item in items)


# Sharing the limit


def ask_with_others(url, clock, folder, count):
    # a scaled clock scales the jitter of a busy machine, too: a request may be half a second on its way
    limiter = SharedLimiter(
        folder / "shared", limit=20, margin_seconds=20, clock=clock.time, sleep=clock.sleep
    )
    with (
        AuditLogClient(
            Credentials(APP_ID, APP_SECRET),
            base_url=url,
            limiter=limiter,
            clock=clock.time,
            sleep=clock.sleep,
        ) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        list(pool.map(lambda _: read(client), range(count)))


def test_two_processes_and_their_threads_share_the_limit(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    with StandIn(make_items(5), limit=20, clock=ScaledClock(40.0)) as server:
        args = (server.url, server.clock, tmp_path, 30)
        workers = [spawn.Process(target=ask_with_others, args=args) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        asked = [served for served in server.requests if served.path == LOG_PATH]
    # each by itself would have sent twenty too many
    assert Counter(served.status for served in asked)[429] <= 3
    assert sum(served.status == 200 for served in asked) == 60


# Secrets

PLANTED = ["hunter2-env", "hunter2-payload", "hunter2-query", "t-planted-token", "hunter2-answer"]


@pytest.mark.parametrize(
    "kind",
    ["success", "refused", "quota", "parameters", "html", "cut", "server", "limited", "token"],
)
def test_no_secret_reaches_a_log_an_exception_or_a_repr(tmp_path, monkeypatch, caplog, kind):
    monkeypatch.setenv("AUDIT_ANALYTICS_APP_SECRET", "hunter2-env")
    row = {
        **make_items(1)[0],
        "log_detail": {
            "query_param": '{"key":"hunter2-query"}',
            "payload": '{"app_secret":"hunter2-payload"}',
        },
    }
    echo = "secret hunter2-env, token t-planted-token, hunter2-answer, payload hunter2-payload"
    asked = []

    def answer(_path, headers, _body):
        asked.append(headers["authorization"])
        if kind == "success" or len(asked) > 5:
            data = {"items": [row], "has_more": False}
            return json_reply(200, {"code": 0, "msg": echo, "data": data})
        if kind == "html":
            return json_reply(200, {"code": 0})._replace(body=f"<html>{echo}".encode())
        reply = {
            "refused": (400, 99991672),
            "quota": (400, 99991403),
            "parameters": (400, 1780103),
            "server": (500, 1780001),
            "limited": (429, 99991400),
            "token": (400, 99991663),
            "cut": (200, 0),
        }[kind]
        return json_reply(reply[0], {"code": reply[1], "msg": echo})._replace(is_cut=kind == "cut")

    shown = []
    with caplog.at_level(logging.DEBUG), scripted(answer) as server:
        clock = server.clock
        limiter = SharedLimiter(tmp_path / "quota", clock=clock.time, sleep=clock.sleep)
        credentials = Credentials(APP_ID, "hunter2-env")
        with AuditLogClient(
            credentials,
            base_url=server.url,
            limiter=limiter,
            clock=clock.time,
            sleep=clock.sleep,
            attempts=3,
        ) as client:
            shown += [repr(client), str(client), repr(client._token), repr(client._session.auth)]
            try:
                shown += [repr(page) for page in client.iter_pages(HOUR)]
            except RemoteError as error:
                shown += [repr(error), *traceback.format_exception(error)]
    shown += [record.getMessage() + repr(record.args) for record in caplog.records]
    assert "Bearer t-planted-token" in asked
    assert any("window 2026" in text or "Page(number=1" in text for text in shown)
    assert any(record.name.startswith("urllib3") for record in caplog.records)
    for secret in PLANTED:
        assert not [text for text in shown if secret in text]
    for file in tmp_path.iterdir():
        assert not any(secret.encode() in file.read_bytes() for secret in PLANTED)


def test_the_limit_that_the_server_states_is_kept_to(tmp_path):
    stated, waits, told = [{"x-ogw-ratelimit-limit": "2"}], [], []
    clock = SimpleNamespace(time=lambda: 1000.0 + sum(waits), sleep=waits.append)

    def answer(_path, _headers, _body):
        if stated:
            return json_reply(429, {"code": 99991400, "msg": ""}, stated.pop())
        told.append(clock.time())
        return json_reply(200, {"code": 0, "data": {"items": [], "has_more": False}})

    with scripted(answer) as server:
        server.clock = clock
        with client_of(server, tmp_path, limit=100) as client:
            for _ in range(6):
                read(client)
    assert len(told) == 6
    assert all(later - first >= 60 for first, later in zip(told, told[2:], strict=False))
