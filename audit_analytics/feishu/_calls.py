"""The requests that are running: each has a deadline and a bound, and all can be ended at once.

A timeout of ``requests`` begins anew with every byte, so a server that trickles would hold a thread
for ever. Here a timer shuts the connection down instead, whatever the thread waits for: the
handshake, a header or the body.
"""

from __future__ import annotations

import email.utils
import io
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import requests
from requests import exceptions
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

CONNECTIONS: Final = 32
"""Connections kept open; more threads than that would reconnect for each request."""

ANSWER_BYTES_MAX: Final = 32 * 2**20
"""Longest answer after decompression: 100 rows of 320 kB each."""

PARTS_MAX: Final = 2
"""How many times the timeout of one part a whole answer may take."""

SKEW_SPREAD_SECONDS: Final = 60.0
"""How vague a comparison of the clocks may be; another one is made then."""

SKEW_AGE_SECONDS: Final = 60.0
"""How long a comparison of the clocks is good for."""

_CHUNK_BYTES: Final = 16 * 2**10
_running = threading.local()


class Stopped(BaseException):
    """The sync is stopping; its threads leave what they do."""


class TooSlow(requests.Timeout):
    """The answer was not whole at its deadline. No arguments: they would hold the token."""


class TooLong(requests.RequestException):
    """The answer is longer than any page is. No arguments: they would hold the token."""


@dataclass(frozen=True)
class Skew:
    """How far this machine's clock is ahead of the platform's, in seconds, as far as one answer tells."""

    low: float  # the difference lies between these; negative if this clock is behind
    high: float

    @property
    def certain_seconds(self) -> float:
        """Return the smallest difference that explains the answer; 0 if both clocks may agree."""
        return max(self.low, 0.0) + min(self.high, 0.0)


class Calls:
    """Keeps the running requests of a session, and what the last answer told of the clocks."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.skew: Skew | None = None
        self.time = clock
        self._noted_at = self._noted_of = -math.inf
        self._lock = threading.Lock()
        self._open: set[_Call] = set()
        self._is_stopped = False

    def stop(self) -> None:
        """End every running request, and let no further one begin."""
        with self._lock:
            self._is_stopped = True
            running = list(self._open)
        for call in running:
            call.end()

    @contextmanager
    def begin(self, seconds: float) -> Iterator[_Call]:
        """Run a request against a deadline in real seconds; its connection reports to what it yields."""
        call = _Call()
        timer = threading.Timer(seconds, call.end)
        timer.daemon = True
        with self._lock:
            if self._is_stopped:
                raise Stopped
            self._open.add(call)
        _running.call = call
        timer.start()
        try:
            yield call
        finally:
            timer.cancel()
            _running.call = None
            with self._lock:
                self._open.discard(call)
            call.close()
            if self._is_stopped:
                raise Stopped

    def note_date(self, asked_at: float, date: float | None) -> None:
        """Compare the clocks, by a request that left at `asked_at` and has just been answered.

        `date` is the platform's time, cut to its second; None if the answer has none.
        """
        call = getattr(_running, "call", None)
        began_at = call.began_at if call else time.monotonic()
        with self._lock:
            # threads report in any order: who asked last knows the clocks as they are now
            if date is not None and began_at >= self._noted_of:
                self.skew = Skew(asked_at - date - 1.0, self.time() - date)
                self._noted_of, self._noted_at = began_at, time.monotonic()

    def tells_skew(self) -> bool:
        """Tell whether the last comparison of the clocks is still good, in real seconds."""
        # a clock that jumps while an answer is under way makes it a slow one
        is_vague = self.skew is not None and self.skew.high - self.skew.low > SKEW_SPREAD_SECONDS
        return not is_vague and time.monotonic() - self._noted_at < SKEW_AGE_SECONDS


class _Call:
    """A running request."""

    def __init__(self) -> None:
        self.began_at = time.monotonic()
        self.is_over = False
        self._lock = threading.Lock()
        self._sockets: dict[int, socket.socket] = {}

    def take(self, number: int) -> None:
        """Hold on to a connection by its file descriptor."""
        with self._lock:
            if number not in self._sockets:
                # a descriptor of our own: that of the connection may be closed and given to another
                self._sockets[number] = socket.socket(fileno=os.dup(number))
            if self.is_over:
                self._shut()

    def end(self) -> None:
        """Shut the connection down; whoever waits for it wakes up."""
        with self._lock:
            self.is_over = True
            self._shut()

    def close(self) -> None:
        """Let go of the connections; they stay as they are."""
        with self._lock:
            for connection in self._sockets.values():
                connection.close()
            self._sockets.clear()

    def _shut(self) -> None:
        for connection in self._sockets.values():
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                # the other side was faster
                continue


class _Watched:
    """A connection that tells the running request of its thread about itself."""

    sock: Any

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        _tell(made)
        return made

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as urllib3's
        if self.sock is not None:
            _tell(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc]


def _tell(connection: socket.socket) -> None:
    call = getattr(_running, "call", None)
    if call is not None:
        call.take(connection.fileno())


class _WatchedHTTP(_Watched, HTTPConnection):
    pass


class _WatchedHTTPS(_Watched, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


_POOLS: Final = {"http": _HTTPPool, "https": _HTTPSPool}


class BoundedAdapter(HTTPAdapter):
    """Sends requests whose answers are whole, bounded and in time, or an error."""

    def __init__(self, calls: Calls) -> None:
        super().__init__(pool_maxsize=CONNECTIONS)
        self._calls = calls

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the parent's
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the parent's
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, *args: Any, **how: Any) -> requests.Response:  # noqa: ANN401 - as the parent's
        with self._calls.begin(PARTS_MAX * how["timeout"]) as call:
            asked_at = self._calls.time()
            try:
                response = super().send(*args, **{**how, "stream": True})
                self._calls.note_date(asked_at, read_date(response.headers.get("Date", "")))
                body = _read_body(response)
            except requests.RequestException:
                if call.is_over:
                    raise TooSlow from None
                raise
            if call.is_over:
                # a body without a length just ends, wherever it was
                raise TooSlow
        response.raw = io.BytesIO(body)
        return response


class PacedAdapter(BoundedAdapter):
    """Takes a slot of the quota at the last moment, with the token already in hand.

    A slot taken earlier would grow stale while a token is fetched, and a replay would take none.
    """

    def __init__(self, calls: Calls, take_slot: Callable[[], None]) -> None:
        super().__init__(calls)
        self._take_slot = take_slot

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - as the parent's
        self._take_slot()
        return super().send(*args, **kwargs)


def _read_body(response: requests.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    # closed, a connection that holds the rest of an answer is not used again
    with closing(response):
        if "," in response.headers.get("Content-Encoding", ""):
            raise exceptions.ContentDecodingError("compressed more than once")
        try:
            for part in response.raw.stream(_CHUNK_BYTES, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > ANSWER_BYTES_MAX:
                    raise TooLong
        except HTTPError as error:
            raise requests.ConnectionError(error) from None
    return b"".join(parts)


def read_date(header: str) -> float | None:
    """Read a date of HTTP as seconds since the epoch; None if it is no date.

    >>> read_date("Mon, 02 Mar 2026 09:00:00 GMT"), read_date("soon")
    (1772442000.0, None)
    """
    try:
        return email.utils.parsedate_to_datetime(header).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
