"""HTTP on loopback: how a stand-in's answers travel, at which quota, and by which clock."""

from __future__ import annotations

import http.server
import json
import logging
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Self

_BODY_BYTES_MAX: Final = 40 * 2**20

_log = logging.getLogger(__name__)


class Reply(NamedTuple):
    """What goes back."""

    status: int
    body: bytes
    code: int  # business code in the body; -1 without one
    headers: dict[str, str]
    content_type: str = "application/json; charset=utf-8"
    is_cut: bool = False  # whether the connection breaks in the middle of the body


def json_reply(
    status: int, content: dict[str, Any], headers: dict[str, str] | None = None
) -> Reply:
    """Answer in JSON."""
    return Reply(status, json.dumps(content).encode(), content["code"], headers or {})


def not_found() -> Reply:
    """Answer a wrong path or method as the gateway does."""
    return Reply(404, b"404 page not found", -1, {}, "text/plain")


class LoopbackServer(http.server.ThreadingHTTPServer):
    """Hands each POST request (path, headers, body) to `answer`, or GET (path, headers) to `show`.

    `clock` gives the Date header. As a context it serves in a thread of its own.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        answer: Callable[[str, dict[str, str], bytes], Reply],
        clock: Callable[[], float] = time.time,
        show: Callable[[str, dict[str, str]], Reply] | None = None,
    ) -> None:
        self.show = show
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.answer = answer
        self.clock = clock
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        """Return the base URL: scheme, address and port."""
        host, port = str(self.server_address[0]), self.server_address[1]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002
        _log.debug("connection from %s broke", client_address, exc_info=True)

    def server_close(self) -> None:
        """Stop listening, and end the connections clients keep open."""
        super().server_close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                _log.debug("a connection was closed already")


class _Handler(http.server.BaseHTTPRequestHandler):
    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    # One packet an answer: a header sent alone waits 40 ms for its acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _BODY_BYTES_MAX:
            self.close_connection = True
            self._send(json_reply(413, {"code": 9499, "msg": "Bad Request"}))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.answer(self.path, headers, self.rfile.read(length)))

    def do_GET(self) -> None:
        if self.server.show is None or self.headers.get("Content-Length"):
            self.do_PUT()
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.show(self.path, headers))

    def do_PUT(self) -> None:
        self.close_connection = True  # Its body, if any, is not read.
        self._send(not_found())

    do_DELETE = do_PATCH = do_PUT  # noqa: N815 - the names http.server looks for

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("X-Tt-Logid", secrets.token_hex(17))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if reply.is_cut:
            self.close_connection = True
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.is_cut else reply.body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(int(timestamp or self.server.clock()))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as the parent's
        _log.debug(format, *args)


class Quota:
    """Counts requests as they arrive, over the time that ends now; refused ones do not count."""

    def __init__(self, *, limit: int, period_seconds: float) -> None:
        self.limit = limit
        self._period_seconds = period_seconds
        self._arrivals: deque[float] = deque()
        self._lock = threading.Lock()

    def take(self, now: float) -> float:
        """Count a request and return 0, or the seconds until the next one may."""
        with self._lock:
            while self._arrivals and self._arrivals[0] <= now - self._period_seconds:
                self._arrivals.popleft()
            if len(self._arrivals) < self.limit:
                self._arrivals.append(now)
                return 0.0
            return self._arrivals[0] + self._period_seconds - now
