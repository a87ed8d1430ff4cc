"""What a platform, a proxy or a clock may do to a sync: each fault is one small run on loopback."""

from __future__ import annotations

import gzip
import json
import logging
import tempfile
import threading
import time
import tracemalloc
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from stand_ins import Dropped, OddServer, Trickled

from audit_analytics.feishu._auth import Credentials
from audit_analytics.feishu._client import AuditLogClient
from audit_analytics.feishu._ratelimit import SharedLimiter
from audit_analytics.settings import Settings
from audit_analytics.simulate._loopback import Reply, json_reply
from audit_analytics.simulate._server import TOKEN_PATH
from audit_analytics.sync import sync

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = NOON + 3 * HOUR
HOURS = 3
ROWS = 90
FIRST = int((NOON - HOURS * HOUR).timestamp())
ITEMS = [
    {
        "id": f"id-{n}",
        "api_key": "GET/open-apis/im/v1/chats",
        "app_id": "cli_1",
        "event_time": FIRST + n * HOURS * 3600 // ROWS,
    }
    for n in range(ROWS)
]
JUMPS_AT = 2
"""The request after which a clock jumps."""

BAD_HOUR = NOON - 2 * HOUR
"""The window that meets the fault; the others are answered well."""


class FakeClock:
    """Stands still but for those who sleep on it."""

    def __init__(self, at: datetime, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self._at = at.timestamp()
        self._lock = threading.Lock()

    def time(self) -> float:
        return self._at + self.ahead

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._at += seconds


@dataclass(frozen=True)
class Case:
    """A fault: what the bad window is answered, and what has to come of it.

    ``answer`` takes the good page's items, the number of the request to that window and the page
    token, and returns a reply, or None for the good page.
    """

    name: str
    answer: Callable[[list[Any], int, str], Reply | None]
    loses: bool = False
    said: str = ""
    client_ahead: float = 0.0
    server_ahead: float = 0.0
    client_jumps: float = 0.0
    server_jumps: float = 0.0
    heals_clock: bool = False
    extra: int = 0
    """Rows the bad window has besides."""

    requests_max: int = 30
    peak_mb_max: float | None = None
    """Watched where the answer is large: watching takes three times as long."""


@dataclass(frozen=True)
class Outcome:
    """What came of a fault."""

    seconds: float
    fake_seconds: float
    requests: int
    peak_mb: float
    served: int
    stored: int
    doubled: int
    said: str


def page(items: list[Any], token: str | None = None, **fields: Any) -> Reply:
    data = {"items": items, "has_more": token is not None, "page_token": token}
    return json_reply(200, {"code": 0, "data": data, **fields})


def text(body: bytes, status: int = 200, kind: str = "text/html", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, -1, named, kind)


def first(reply: Reply, times: int = 1) -> Callable[[list[Any], int, str], Reply | None]:
    """Meet the first requests only."""
    return lambda _items, number, _token: reply if number < times else None


def always(reply: Reply) -> Callable[[list[Any], int, str], Reply | None]:
    return lambda _items, _number, _token: reply


def body_of(items: list[Any]) -> bytes:
    return page(items).body


def deep(items: list[Any], *_: object) -> Reply:
    body = body_of([*items, {"deep": 0}]).replace(b'{"deep": 0}', b"[" * 10_000 + b"]" * 10_000)
    return text(body)


def long_number(items: list[Any], *_: object) -> Reply:
    return text(body_of([*items, {"long": 0}]).replace(b'"long": 0', b'"long": ' + b"9" * 5000))


@cache
def bomb(begin: bytes, rest: bytes, times: int, end: bytes = b"") -> bytes:
    """Pack what would be large, and is at no time; only where it is needed."""
    packing = zlib.compressobj(1, wbits=31)
    parts = [begin, *[rest * 10_000] * (times // 10_000), end]
    return b"".join([*map(packing.compress, parts), packing.flush()])


def strings() -> bytes:
    return bomb(b'{"code":0,"data":"', b"a" * 100, 2_000_000)


def values() -> bytes:
    return bomb(b'{"code":0,"data":{"items":[', b"{},", 9_000_000, b"{}]}}")


def packed(make: Callable[[], bytes], coding: str = "gzip") -> Callable[..., Reply]:
    return lambda *_: text(make(), Content_Encoding=coding)


def clocks(ahead: dict[str, float], jumps: dict[str, float]) -> list[Case]:
    """Set the clock of either side wrong, from the beginning or at once."""
    wrong = {
        f"{who} {way} {name}": {f"{who}_ahead": sign * seconds}
        for name, seconds in ahead.items()
        for way, sign in (("ahead", 1), ("behind", -1))
        for who in ("client", "server")
    } | {
        f"{who} jumps {way} {name}": {f"{who}_jumps": sign * seconds}
        for name, seconds in jumps.items()
        for way, sign in (("ahead", 1), ("back", -1))
        for who in ("client", "server")
    }
    return [
        Case(name, first(text(b""), 0), heals_clock=True, said="clock is", **how)
        for name, how in wrong.items()
    ]


_numbers = count()
LIMITED = json_reply(429, {"code": 99991400}, {"x-ogw-ratelimit-reset": "20"})
EPOCH = json_reply(
    429, {"code": 99991400}, {"x-ogw-ratelimit-reset": str(int(NOW.timestamp()) + 30)}
)
TOKEN = json_reply(400, {"code": 99991663})
DAY = 86400.0

CASES = [
    Case("nothing", first(text(b""), 0)),
    Case("trickled head", always(Trickled(text(b"a" * 10_000), 0.05)), True, "no whole answer within"),
    Case("trickled once", first(Trickled(text(b"a" * 10_000), 0.05))),
    Case("gzip bomb", packed(strings), True, "32 MiB", peak_mb_max=80),
    Case("gzip bomb of values", packed(values), True, "values", peak_mb_max=200),
    Case("gzip of gzip", packed(lambda: gzip.compress(strings()), "gzip, gzip"), True, "usable answer"),
    Case("cut gzip", first(text(gzip.compress(b"a" * 9999)[:20], Content_Encoding="gzip"))),
    Case("plain 40 MB", lambda *_: text(b" " * 40_000_000), True, "32 MiB", peak_mb_max=160),
    Case("nested 10,000 deep", deep),
    Case("number of 5,000 digits", long_number),
    Case("byte order mark", lambda items, *_: text(b"\xef\xbb\xbf" + body_of(items)), requests_max=8),
    Case("code as text", lambda items, *_: page(items, code="0"), requests_max=8),
    Case("invalid UTF-8", lambda items, *_: text(body_of(items).replace(b"chats", b"ch\xffts"))),
    Case("control bytes", lambda items, *_: text(body_of(items).replace(b"chats", b"ch\x01\nts"))),
    Case("null items", lambda items, *_: page([None, 7, "x", *items])),
    Case("endless same page", lambda items, _n, _t: page(items, "same"), True, "nothing new", requests_max=620),
    Case("endless duplicates", lambda items, _n, _t: page(items, f"t{next(_numbers)}"), True, "left for now", requests_max=640),
    Case("page without token", first(page([], ""))),
    Case("duplicate rows", lambda items, *_: page([*items, *items])),
    Case("reordered rows", lambda items, *_: page(items[::-1])),
    Case("rows of other hours", lambda *_: page(ITEMS)),
    Case("second page twice", lambda items, n, _t: page(items[:5], "b") if n < 2 else page(items[5:])),
    Case("connection dropped", first(Dropped(), 2)),
    Case("connection always dropped", always(Dropped()), True, "usable answer"),
    Case("half an answer", first(page(ITEMS)._replace(is_cut=True), 2)),
    Case("HTML with 200", first(text(b"<html>portal</html>"), 2)),
    Case("HTML always", always(text(b"<html>portal</html>")), True, "not an answer"),
    Case("wrong content type", lambda items, *_: text(body_of(items), kind="image/png")),
    Case("empty body", first(text(b""), 2)),
    Case("burst of 502", first(text(b"<html>", 502), 5)),
    Case("always 503", always(text(b"<html>", 503)), True, "server failed"),
    Case("code 0 with HTTP 500", first(json_reply(500, {"code": 0}), 2)),
    Case("code 0 with HTTP 429", first(json_reply(429, {"code": 0}), 2)),
    Case("code 0 with HTTP 403", first(json_reply(403, {"code": 0}), 2)),
    Case("always code 0 with 403", always(json_reply(403, {"code": 0})), True, "contradict"),
    Case("redirect", always(text(b"", 302, Location="http://127.0.0.1:1/")), True, "redirect"),
    Case("404", always(text(b"404 page not found", 404)), True, "no such path"),
    Case("rate limited", first(LIMITED, 2)),
    Case("reset as an epoch", first(EPOCH)),
    Case("token revoked", first(TOKEN)),
    Case("token refused", always(TOKEN), True, "new token is refused"),
    Case("array instead of object", first(text(b"[]"), 2)),
    Case("items is an object", always(json_reply(200, {"code": 0, "data": {"items": {}}})), True, "another shape"),
    Case("has_more as text", always(json_reply(200, {"code": 0, "data": {"has_more": "no"}})), True, "another shape"),
    *clocks({"1 h": 3600.0, "1 year": 365 * DAY}, {"2 h": 7200.0}),
]  # fmt: skip

MORE = [
    Case("gzip that is none", always(text(b"{}", Content_Encoding="gzip")), True, "usable answer"),
    Case("two documents", lambda items, *_: text(body_of(items) * 2), True, "not an answer"),
    Case("rest after the document", lambda items, *_: text(body_of(items) + b"\n<!-- proxy -->"), True, "not an answer"),
    Case("UTF-16", lambda items, *_: text(body_of(items).decode().encode("utf-16")), True, "not an answer"),
    Case("key twice", lambda items, *_: text(body_of(items).replace(b'"code": 0', b'"code": 7, "code": 0'))),
    Case("code is null", always(json_reply(200, {"code": None})), True, "not an answer"),
    Case("code as a float", lambda items, *_: page(items, code=0.0), True, "not an answer"),
    Case("nothing at all with 204", first(text(b"", 204), 2)),
    Case("401", first(json_reply(401, {"code": 99991663}))),
    Case("408", first(text(b"timeout", 408), 2)),
    Case("pause without a length", first(json_reply(429, {"code": 99991400}))),
    Case("pause as a date", first(json_reply(429, {"code": 99991400}, {"Retry-After": "Mon, 02 Mar 2026 15:00:40 GMT"}))),
    Case("endless pause", first(json_reply(429, {"code": 99991400}, {"Retry-After": "1e300"})), said="waiting 3600 s"),
    Case("negative pause", first(json_reply(429, {"code": 99991400}, {"Retry-After": "-5"}))),
    Case("pause that is no number", first(json_reply(429, {"code": 99991400}, {"Retry-After": "nan"}))),
    Case("limited with HTTP 200", first(json_reply(200, {"code": 99991400}, {"x-ogw-ratelimit-reset": "7"}))),
    Case("token of a megabyte", lambda items, n, _: page(items[:5], "t" * 10**6) if n == 0 else page(items[5:])),
    Case("token that is a number", lambda items, *_: json_reply(200, {"code": 0, "data": {"items": items, "has_more": True, "page_token": 7}}), True, "no page_token"),
    Case("header of 100 KB", first(text(b"{}", X_Long="a" * 100_000), 2)),
    Case("cookies and a log id that acts", lambda items, *_: page(items)._replace(headers={"Set-Cookie": "a=b", "X-Tt-Logid": "<script>"})),
    Case("times as text and in ms", lambda items, *_: page([{**i, "event_time": [str(i["event_time"]), i["event_time"] * 1000][n % 2]} for n, i in enumerate(items)])),
    Case("one id with two contents", lambda items, *_: page([*items, {**items[0], "app_id": "cli_2"}])),
    Case("half a character in an id", lambda items, *_: page([*items, {**items[0], "id": "\ud800"}]), extra=1),
    Case("endless empty pages", lambda _i, _n, _t: page([], f"t{next(_numbers)}"), True, "left for now", requests_max=620),
    *clocks({"2 h": 7200.0, "1 day": DAY}, {"1 day": DAY, "1 year": 365 * DAY}),
]  # fmt: skip
"""Run by ``tests/benchmarks/faults.py`` and ``pytest -m benchmark``."""


@contextmanager
def serving(case: Case, clock: FakeClock, date_ahead: list[float]) -> Any:
    """Serve the log with the fault; rows show as their time comes."""
    asked = count()
    requests: list[str] = []

    def answer(path: str, _headers: dict[str, str], body: bytes) -> Reply:
        if path == TOKEN_PATH:
            token = {"code": 0, "tenant_access_token": "t-1", "expire": 7200}
            return json_reply(200, token)
        requests.append(path)
        if len(requests) == JUMPS_AT:
            clock.ahead += case.client_jumps
            date_ahead[0] += case.server_jumps
        query = json.loads(body)
        low, high = query["start_time"], query["end_time"]
        true_now = clock.time() - clock.ahead
        items = [i for i in ITEMS if low <= i["event_time"] <= min(high, true_now)]
        if datetime.fromtimestamp(low + 1, UTC) == BAD_HOUR:
            return case.answer(items, next(asked), query.get("page_token", "")) or page(items)
        return page(items)

    def show_date() -> float:
        return clock.time() - clock.ahead + date_ahead[0]

    with OddServer(("127.0.0.1", 0), answer, show_date) as server:
        yield server, requests


class _Words(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def run_case(case: Case, *, watched: bool = False) -> Outcome:
    """Sync once with the fault; a wrong clock is put right afterwards, and synced with again."""
    # A wrong clock is met in the middle of the log, where rows are still to come.
    at = NOON - HOUR if case.heals_clock else NOW
    clock = FakeClock(at, case.client_ahead)
    words = _Words()
    log = logging.getLogger("audit_analytics")
    log.addHandler(words)
    date_ahead = [case.server_ahead]
    began, fake_began = time.monotonic(), clock.time()
    if watched or case.peak_mb_max:
        tracemalloc.start()
    try:
        with (
            tempfile.TemporaryDirectory() as name,
            serving(case, clock, date_ahead) as (server, requests),
        ):
            folder = Path(name)

            def fetch() -> str:
                limiter = SharedLimiter(
                    folder / "quota", limit=100_000, clock=clock.time, sleep=clock.sleep
                )
                with AuditLogClient(
                    Credentials("cli_1", "s"),
                    base_url=server.url,
                    limiter=limiter,
                    clock=clock.time,
                    sleep=clock.sleep,
                    timeout_seconds=1 if "trickle" in case.name else 10,
                    attempts=2 if "trickle" in case.name else 8,
                ) as client:
                    result = sync(
                        Settings(),
                        folder / "store",
                        since=NOON - HOURS * HOUR,
                        # of requests side by side, the one that began last may meet the old clock
                        workers=1 if case.client_jumps or case.server_jumps else 4,
                        until=None if case.heals_clock else NOON,
                        clock=clock.time,
                        client=client,
                    )
                return str(result.find_error() or "")

            said = fetch()
            if case.heals_clock:
                clock.sleep((NOW - at).total_seconds())
                clock.ahead = date_ahead[0] = 0.0
                fetch()
            ids = [
                one
                for path in folder.glob("store/day=*/*.parquet")
                for one in pq.read_table(path, columns=["id"])["id"].to_pylist()
            ]
        peak = tracemalloc.get_traced_memory()[1] / 1e6  # 0 where it is not watched
    finally:
        tracemalloc.stop()
        log.removeHandler(words)
    return Outcome(
        seconds=time.monotonic() - began,
        fake_seconds=clock.time() - fake_began,
        requests=len(requests),
        peak_mb=peak,
        served=ROWS,
        stored=len(set(ids)),
        doubled=len(ids) - len(set(ids)),
        said=" | ".join(dict.fromkeys([said, *words.lines])),
    )
