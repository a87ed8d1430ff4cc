from __future__ import annotations

import itertools
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from email.utils import formatdate

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from audit_analytics.errors import ConfigError, RemoteError
from audit_analytics.feishu._answers import Answer, RateLimited, Unavailable, read_answer
from audit_analytics.feishu._calls import Calls, Stopped
from audit_analytics.feishu._connect import open_client
from audit_analytics.feishu._pages import (
    IDLE_MAX,
    REPEATS_MAX,
    Budget,
    BudgetSpent,
    PaginationBroken,
    Query,
    Walk,
    split_filters,
    write_body,
)
from audit_analytics.feishu._ratelimit import SharedLimiter, open_limiter
from audit_analytics.settings import Settings

NINE, TEN = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = Query(NINE, TEN)


class FakeClock:
    def __init__(self, now=1.7e9):
        self.now = now
        self._lock = threading.Lock()

    def time(self):
        return self.now

    def sleep(self, seconds):
        with self._lock:
            self.now += seconds


# Query


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"start": NINE.replace(tzinfo=None)}, "time zone"),
        ({"end": TEN.replace(tzinfo=None)}, "time zone"),
        ({"start": TEN}, "before"),
        ({"start": datetime(1970, 1, 1, tzinfo=UTC)}, "1970"),
    ],
)
def test_a_query_is_checked_before_it_leaves(change, word):
    with pytest.raises(ConfigError, match=word):
        Query(**{"start": NINE, "end": TEN, **change})


def test_a_query_is_sent_in_whole_epoch_seconds_and_one_second_wide_at_each_side():
    beijing = timezone(timedelta(hours=8))
    query = Query(NINE.astimezone(beijing), TEN, api_keys=("GET/x",), page_size=7)
    assert write_body(query, "next") == {
        "start_time": 1772442000 - 1,
        "end_time": 1772445600,
        "page_size": 7,
        "api_keys": ["GET/x"],
        "page_token": "next",
    }
    assert set(write_body(HOUR)) == {"start_time", "end_time", "page_size"}


def test_fractions_of_a_second_leave_no_gap_between_windows():
    middle = NINE + timedelta(milliseconds=500)
    assert Query(NINE, middle).end_second == Query(middle, TEN).start_second


@given(st.lists(st.integers(0, 450).map(str), max_size=450))
def test_filters_hold_every_api_once_in_as_few_parts_as_fit(keys):
    parts = split_filters(keys)
    assert sorted(key for part in parts for key in part) == sorted(set(keys))
    assert len(parts) == -(-len(set(keys)) // 100)
    assert all(Query(NINE, TEN, api_keys=part) for part in parts)


# Rate limit


def most_in_any(times, seconds):
    ordered = sorted(times)
    return max(sum(t <= u < t + seconds for u in ordered) for t in ordered)


def test_threads_share_the_limit_and_use_all_of_it(tmp_path):
    clock, times = FakeClock(), []
    with SharedLimiter(tmp_path / "q", limit=10, clock=clock.time, sleep=clock.sleep) as limiter:

        def ask(_):
            limiter.acquire()
            times.append(clock.time())

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(45)))
    assert most_in_any(times, 60) == 10
    assert max(times) - min(times) == pytest.approx(4 * 61, abs=1)


def test_limiters_on_one_file_share_the_limit(tmp_path):
    clock, times = FakeClock(), []
    options = {"limit": 10, "clock": clock.time, "sleep": clock.sleep}
    with (
        SharedLimiter(tmp_path / "q", **options) as one,
        SharedLimiter(tmp_path / "q", **options) as two,
    ):
        for limiter in (one, two) * 15:
            limiter.acquire()
            times.append(clock.time())
    assert most_in_any(times, 60) == 10


def test_a_pause_holds_everybody_back_and_survives_a_shorter_one(tmp_path):
    clock = FakeClock()
    options = {"clock": clock.time, "sleep": clock.sleep}
    with (
        SharedLimiter(tmp_path / "q", **options) as one,
        SharedLimiter(tmp_path / "q", **options) as two,
    ):
        began = clock.time()
        one.pause(30)
        one.pause(5)
        two.acquire()
        assert clock.time() - began == pytest.approx(30)


def test_a_clock_set_back_does_not_lock_anybody_out(tmp_path):
    clock = FakeClock()
    with SharedLimiter(tmp_path / "q", limit=3, clock=clock.time, sleep=clock.sleep) as limiter:
        for _ in range(3):
            limiter.acquire()
        clock.now -= 7200
        began = clock.time()
        limiter.acquire()
        assert clock.time() - began < 1


def test_the_record_stays_small(tmp_path):
    clock = FakeClock()
    with SharedLimiter(tmp_path / "q", limit=10, clock=clock.time, sleep=clock.sleep) as limiter:
        for _ in range(200):
            limiter.acquire()
        with closing(sqlite3.connect(tmp_path / "q")) as record:
            assert record.execute("SELECT count(*) FROM request").fetchone()[0] <= 10


def test_only_the_owner_reads_the_record(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with open_limiter("https://open.feishu.cn", "cli_a1"):
        (file,) = (tmp_path / "state" / "audit-analytics").iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_stop_ends_the_wait_for_the_quota_of_an_hour(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings = Settings(app_id="cli_a1", app_secret="s", base_url="http://127.0.0.1:1")  # noqa: S106
    stop = threading.Event()
    with open_client(settings, stop) as client:
        for _ in range(100):
            client._limiter.acquire()
        client._limiter.pause(3600)
        stop.set()
        with pytest.raises(Stopped):
            client._limiter.acquire()


def test_a_pause_noted_by_a_clock_that_was_ahead_holds_nobody(tmp_path):
    clock = FakeClock()
    with SharedLimiter(tmp_path / "q", clock=clock.time, sleep=clock.sleep) as limiter:
        clock.now += 86400
        limiter.pause(30)
        clock.now -= 86400
        began = clock.time()
        limiter.acquire()
        assert clock.time() == began
        limiter.pause(30)
        limiter.acquire()
        assert clock.time() - began == pytest.approx(30)


@pytest.mark.parametrize(("seconds", "words"), [(9, 0), (50, 1)])
def test_a_pause_of_more_than_ten_seconds_is_said(tmp_path, caplog, seconds, words):
    clock = FakeClock()
    with SharedLimiter(tmp_path / "q", clock=clock.time, sleep=clock.sleep) as limiter:
        limiter.pause(seconds)
        limiter.acquire()
    said = [r for r in caplog.records if "asked for a pause" in r.getMessage()]
    assert len(said) == words


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "q").write_bytes(b"not a database" * 100)
    with pytest.raises(ConfigError, match="remove a damaged file"):
        SharedLimiter(tmp_path / "q")


# Answers


def response(status=200, body=b'{"code":0}', **headers):
    made = requests.Response()
    made.status_code, made._content = status, body
    made.headers.update(
        {"X-Tt-Logid": "log-1", **{k.replace("_", "-"): v for k, v in headers.items()}}
    )
    return made


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"x_ogw_ratelimit_reset": "7"}, 7),
        ({"x_ogw_ratelimit_reset": "7", "Retry_After": "9"}, 9),
        ({"x_ogw_ratelimit_reset": "0"}, 1),
        ({"x_ogw_ratelimit_reset": "soon", "Retry_After": "nan"}, 60),
        ({}, 60),
        ({"Retry_After": "1e6"}, 3600),
        ({"Retry_After": "-3"}, 1),
    ],
)
@pytest.mark.parametrize("status", [429, 400])
def test_a_rate_limited_answer_names_its_pause(status, headers, pause):
    with pytest.raises(RateLimited, match="log-1") as caught:
        read_answer(response(status, b'{"code":99991400}', **headers))
    assert caught.value.pause_seconds == pause


def test_a_pause_may_be_a_date():
    with pytest.raises(RateLimited) as caught:
        read_answer(response(429, b"", Retry_After=formatdate(usegmt=True)))
    assert caught.value.pause_seconds == 1


@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize("header", ["x_ogw_ratelimit_reset", "Retry_After"])
def test_the_end_of_a_pause_may_be_an_epoch_by_the_platforms_clock(header, unit):
    now = 1772445600
    with pytest.raises(RateLimited) as caught:
        read_answer(
            response(
                429, b"", Date=formatdate(now, usegmt=True), **{header: str((now + 40) * unit)}
            )
        )
    assert caught.value.pause_seconds == 40


@pytest.mark.parametrize("code", [b"0", b'"0"', b"-0"])
def test_a_code_given_as_text_and_a_byte_order_mark_are_read(code):
    assert read_answer(response(200, b'\xef\xbb\xbf{"code":' + code + b"}")).code == 0


@given(st.integers(101, 3000), st.integers(0, 3))
def test_a_value_nested_deep_costs_itself_and_no_other_row(depth, after):
    body = b'{"code":0,"data":{"items":[{"id":"1","x":%b},{"id":"[\\"{"}%b]}}' % (
        b"[" * depth + b"]" * depth,
        b',{"id":"z"}' * after,
    )
    items = read_answer(response(200, body)).content["data"]["items"]
    assert [row["id"] for row in items] == ["1", '["{', *["z"] * after]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"code":1780001}'),
        (200, b'{"code":1780001}'),
        (502, b"<html>"),
        (200, b"<html>"),
        (200, b'{"code":0,"da'),
        (200, b"[" * 100_000),
        (200, b"[]"),
        (200, b'{"code":"zero"}'),
        (200, b'{"code":true}'),
        (403, b"portal"),
        (400, b'{"code":0}'),
    ],
)
def test_nonsense_is_worth_another_try(status, body):
    with pytest.raises(Unavailable, match="log id log-1"):
        read_answer(response(status, body))


@pytest.mark.parametrize(("status", "word"), [(404, "no such path"), (302, "redirect")])
def test_a_wrong_base_url_is_not_worth_another_try(status, word):
    with pytest.raises(RemoteError, match=word) as caught:
        read_answer(response(status, b"404 page not found"))
    assert not isinstance(caught.value, Unavailable)


def test_a_hostile_log_id_is_not_repeated():
    made = response(500, b"")
    made.headers["X-Tt-Logid"] = "\x1b[31mred"
    with pytest.raises(Unavailable, match="log id -:"):
        read_answer(made)


def test_one_bad_byte_costs_no_page():
    body = b'{"code":0,"data":{"items":[{"id":"1","ip":"\xff\\ud800\x01"}]}}'
    items = read_answer(response(200, body)).content["data"]["items"]
    assert items == [{"id": "1", "ip": "�\ud800\x01"}]


# Pages


def answer(items, page_token="", **data):
    data = {"items": items, "has_more": bool(page_token), "page_token": page_token, **data}
    return Answer(200, 0, {"code": 0, "data": data}, b"", "log-1")


def item(number, second=10):
    return {"id": str(number), "api_key": "GET/x", "event_time": HOUR.start_second + second}


@pytest.fixture
def walk():
    made = Walk(HOUR)
    yield made
    made.close()


def test_rows_outside_the_window_are_left_out_and_counted(walk):
    edges = [item(0, -1), item(1, 0), item(2, 3599), item(3, 3600), item(4, -2), item(5, 9999)]
    page, token = walk.read(answer(edges), 1)
    assert [row["id"] for row in page.items] == ["1", "2"]
    assert token == ""
    assert (walk.counts["overlap"], walk.counts["outside_window"]) == (2, 2)


def test_duplicates_are_dropped_within_and_between_pages(walk):
    first, token = walk.read(answer([item(1), item(2), item(1)], "a"), 1)
    second, _ = walk.read(answer([item(2), item(3)]), 2)
    assert [row["id"] for row in first.items + second.items] == ["1", "2", "3"]
    assert (token, walk.counts["duplicates"]) == ("a", 2)


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "9", "api_key": "GET/x"},
        {"id": "9", "api_key": "GET/x", "event_time": "soon"},
        {"id": "9", "api_key": "GET/x", "event_time": 1e400},
        {"api_key": "GET/x", "event_time": HOUR.start_second},
        {"id": 9, "event_time": str(HOUR.start_second * 1000)},
        {"id": "\ud800", "event_time": HOUR.start_second},
        "text",
        None,
    ],
)
def test_what_cannot_be_judged_is_passed_on(walk, odd):
    assert walk.read(answer([odd]), 1)[0].items == [odd]


@pytest.mark.parametrize(
    ("seconds", "unsorted"),
    [([1, 2, 2, 3], 0), ([3, 2, 1], 0), ([1, 2, 9, 3, 4], 1), ([9, 8, 9, 7], 1)],
)
def test_rows_against_the_prevailing_order_are_counted(seconds, unsorted):
    walk = Walk(HOUR)
    walk.read(answer([item(n, second) for n, second in enumerate(seconds)]), 1)
    walk.close()
    assert walk.counts["unsorted"] == unsorted


@pytest.mark.parametrize("token", ["", None, 7])
def test_more_pages_without_a_token_are_not_taken_for_the_end(walk, token):
    with pytest.raises(PaginationBroken, match=r"no page_token.*log-1"):
        walk.read(answer([item(1)], has_more=True, page_token=token), 1)


def test_a_repeated_token_is_followed_while_rows_come(walk):
    for number in range(10):
        assert walk.read(answer([item(number)], "same"), number + 1)[1] == "same"
    assert walk.counts["repeated_tokens"] == 9


def test_a_repeated_token_without_rows_ends_the_walk(walk):
    for number in range(REPEATS_MAX + 1):
        walk.read(answer([], "same"), number + 1)
    with pytest.raises(PaginationBroken, match="nothing new"):
        walk.read(answer([], "same"), REPEATS_MAX + 2)
    assert walk.counts["empty_pages"] == REPEATS_MAX + 2


def test_endless_pages_without_rows_end_the_walk(walk):
    for number in range(IDLE_MAX + 1):
        walk.read(answer([item(1)], str(number)), number + 1)
    with pytest.raises(PaginationBroken, match="nothing new"):
        walk.read(answer([item(1)], "one more"), IDLE_MAX + 2)


@pytest.mark.parametrize("data", [None, {}, {"items": None, "has_more": False}])
def test_an_answer_without_items_is_an_empty_page(walk, data):
    page, token = walk.read(Answer(200, 0, {"code": 0, "data": data}, b"", "-"), 1)
    assert (page.items, token) == ([], "")


@pytest.mark.parametrize(
    "data",
    [
        "x",
        [1],
        "",
        [],
        {"items": {}},
        {"items": ""},
        {"items": {"1": 2}},
        {"items": [], "has_more": "yes"},
    ],
)
def test_an_answer_of_another_shape_is_not_taken_for_an_empty_page(walk, data):
    with pytest.raises(PaginationBroken, match="another shape"):
        walk.read(Answer(200, 0, {"code": 0, "data": data}, b"", "-"), 1)


def test_pages_that_a_filter_empties_may_cost_an_hour_of_the_quota():
    def count(filters):
        budget = Budget.for_filters(filters)
        try:
            for number in itertools.count():  # noqa: B007 - what is reached
                budget.spend()
        except BudgetSpent:
            return number

    assert count([()]) == 600
    assert count([("GET/a",), ("GET/b",), ("GET/c",), ("GET/d",)]) == 6000


def test_an_answer_that_is_noted_late_does_not_undo_what_a_later_one_told():
    calls = Calls(clock=lambda: 1000.0)

    def ask_later():
        with calls.begin(9):
            calls.note_date(1000.0, 5000.0)

    with calls.begin(9):
        thread = threading.Thread(target=ask_later)
        thread.start()
        thread.join()
        calls.note_date(1000.0, 1000.0)
    assert calls.skew.certain_seconds == -4000.0
