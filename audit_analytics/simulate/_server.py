"""A stand-in of the platform on loopback: tokens, the audit log, the webhook and messages.

It answers as the platform's documents say, so that a client made for the real one can talk to it.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from audit_analytics.simulate._directory import Directory, find_endpoint
from audit_analytics.simulate._inbox import Inbox, decode_object
from audit_analytics.simulate._ledger import BadRequest, FaultPlan, Faults, Ledger
from audit_analytics.simulate._loopback import LoopbackServer, Quota, Reply, json_reply, not_found

TOKEN_PATH: Final = "/open-apis/auth/v3/tenant_access_token/internal"  # noqa: S105
LOG_PATH: Final = "/open-apis/security_and_compliance/v1/openapi_logs/list_data"
HOOK_PATH: Final = "/open-apis/bot/v2/hook/"
MESSAGES_PATH: Final = "/open-apis/im/v1/messages"
FILES_PATH: Final = "/open-apis/im/v1/files"

APP_ID: Final = "cli_standin"
APP_SECRET: Final = "standin-secret"  # noqa: S105
HOOK: Final = "standin-hook"
HOOK_SECRET: Final = "demo"  # noqa: S105
TOKEN_SECONDS: Final = 7200

_SAME_TOKEN_SECONDS = 1800


class Served(NamedTuple):
    """One request that was answered."""

    at: float  # when it arrived, in epoch seconds of the server's clock
    path: str  # its path, without the query string
    status: int  # HTTP status of the answer
    code: int  # business code of the answer; -1 if it had none


class StandIn:
    """Serves a log on loopback while the context is open.

    Parameters
    ----------
    items : Ledger, iterable of dict, or pathlib.Path
        The log: items, or a folder of pages; see :class:`~audit_analytics.simulate._ledger.Ledger`.
    app_id, app_secret : str
        The only credentials that get a token.
    limit : int, default 100
        Requests to the log each minute of the server's clock.
    latency_seconds : float, default 0
        How long each request to the log takes, in seconds of the server's clock.
    faults : Faults, optional
        What goes wrong; nothing by default.
    clock : object, default the module time
        Has ``time()`` and ``sleep(seconds)``.
    directory : Directory, optional
        The tenant's apps and people; nobody unless given.
    hook_secret, keyword : str
        Security settings of the webhook ``server.hook_url``; empty for none.
    port : int, default 0
        0 for a free one.

    Attributes
    ----------
    url, hook_url : str
        Base URL, and URL of the webhook.
    ledger, directory, inbox
        The log, the tenant's apps and people, and what was delivered.
    requests : list of Served
        Every answered request.
    served_ids : set of str
        Ids of the items served at least once in a whole answer.

    Raises
    ------
    ConfigError
        `host` is no loopback address.

    Examples
    --------
    >>> with StandIn([{"id": "1", "api_key": "GET/x", "event_time": 100}]) as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self,
        items: Ledger | Iterable[dict[str, Any]] | Path,
        *,
        app_id: str = APP_ID,
        app_secret: str = APP_SECRET,
        limit: int = 100,
        latency_seconds: float = 0.0,
        faults: Faults | None = None,
        clock: Any = time,  # noqa: ANN401 - a module
        directory: Directory | None = None,
        hook_secret: str = HOOK_SECRET,
        keyword: str = "",
        port: int = 0,
    ) -> None:
        faults = faults or Faults()
        self.clock = clock
        self.ledger = items if isinstance(items, Ledger) else Ledger(items)
        self.directory = directory or Directory()
        self.inbox = Inbox(hook=HOOK, hook_secret=hook_secret, keyword=keyword)
        self.requests: list[Served] = []
        self.served_ids: set[str] = set()
        self._credentials = {"app_id": app_id, "app_secret": app_secret}
        self._quota = Quota(limit=limit, period_seconds=60.0)
        self._latency_seconds = latency_seconds
        self._faults = faults
        self._plan = FaultPlan(faults)
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()
        self._address = ("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._server = LoopbackServer(self._address, self._answer, self.clock.time, self._show)
        self.url = self._server.url
        self.hook_url = self.url + HOOK_PATH + HOOK
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def revoke_tokens(self) -> None:
        """Let every token given out so far be refused."""
        with self._lock:
            self._tokens.clear()

    def _answer(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        arrived_at, parts = self.clock.time(), urlsplit(path)
        reply = self._route(parts.path, parse_qs(parts.query), headers, body)
        return self._note(arrived_at, parts.path, reply)

    def _show(self, path: str, headers: dict[str, str]) -> Reply:
        arrived_at, parts = self.clock.time(), urlsplit(path)
        endpoint = find_endpoint(parts.path)
        reply = self._check_token(headers.get("authorization", ""), arrived_at)
        if not endpoint:
            reply = not_found()
        elif reply is None and (wait_seconds := self.directory.take(endpoint, arrived_at)):
            reply = self._rate_limited(wait_seconds)
        elif reply is None:
            reply = self._spoil_reply(self._plan.next_fault())
        query = parse_qs(parts.query)
        return self._note(
            arrived_at, parts.path, reply or json_reply(*self.directory.answer(parts.path, query))
        )

    def _deliver(self, accept: Callable[[], tuple[int, dict[str, Any]]]) -> Reply:
        return json_reply(*accept())

    def _note(self, arrived_at: float, path: str, reply: Reply) -> Reply:
        with self._lock:
            self.requests.append(Served(arrived_at, path, reply.status, reply.code))
        return reply

    def _route(
        self, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes
    ) -> Reply:
        now = self.clock.time()
        if path == TOKEN_PATH:
            return self._give_token(decode_object(body), now)
        if path.startswith(HOOK_PATH):
            return self._deliver(
                lambda: self.inbox.accept_hook(path.removeprefix(HOOK_PATH), body, now=now)
            )
        if path not in {LOG_PATH, MESSAGES_PATH, FILES_PATH}:
            return not_found()
        if refused := self._check_token(headers.get("authorization", ""), now):
            return refused
        if path == LOG_PATH:
            return self._list_data(decode_object(body), now)
        return self._deliver(lambda: self._accept(path, query, headers, body))

    def _accept(
        self, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, Any]]:
        if path == MESSAGES_PATH:
            return self.inbox.accept_message(query.get("receive_id_type", [""])[0], body)
        return self.inbox.accept_file(headers.get("content-type", ""), body)

    def _give_token(self, body: dict[str, Any], now: float) -> Reply:
        if not all(isinstance(body.get(name), str) for name in self._credentials):
            return json_reply(200, {"code": 10003, "msg": "invalid param"})
        if body["app_id"] != self._credentials["app_id"]:
            return json_reply(200, {"code": 10014, "msg": "app is not available"})
        if body["app_secret"] != self._credentials["app_secret"]:
            return json_reply(200, {"code": 10015, "msg": "app secret invalid"})
        with self._lock:
            token, ends_at = max(self._tokens.items(), key=lambda one: one[1], default=("", 0.0))
            if ends_at - now < _SAME_TOKEN_SECONDS:
                token, ends_at = "t-" + secrets.token_hex(20), now + TOKEN_SECONDS
                self._tokens[token] = ends_at
        expire = int(ends_at - now)
        return json_reply(
            200, {"code": 0, "msg": "ok", "tenant_access_token": token, "expire": expire}
        )

    def _check_token(self, header: str, now: float) -> Reply | None:
        if not header.startswith("Bearer "):
            return json_reply(
                400, {"code": 99991661, "msg": "Missing access token for authorization"}
            )
        with self._lock:
            is_good = self._tokens.get(header.removeprefix("Bearer "), 0.0) > now
        return (
            None if is_good else json_reply(400, {"code": 99991663, "msg": "Invalid access token"})
        )

    def _spoil_reply(self, fault: str) -> Reply | None:
        match fault:
            case "rate_limited":
                return self._rate_limited(1.0)
            case "server_error":
                return json_reply(500, {"code": 1780001, "msg": "internal error"})
            case "token_refused":
                self.revoke_tokens()
                return json_reply(400, {"code": 99991663, "msg": "Invalid access token"})
            case "html":
                return Reply(200, b"<html><title>Portal</title></html>", -1, {}, "text/html")
            case "slow":
                self.clock.sleep(self._faults.slow_seconds)
        return None

    def _list_data(self, query: dict[str, Any], now: float) -> Reply:
        if wait_seconds := self._quota.take(now):
            return self._rate_limited(wait_seconds)
        fault = self._plan.next_fault()
        self.clock.sleep(self._latency_seconds)
        if spoilt := self._spoil_reply(fault):
            return spoilt
        try:
            if fault == "page_token_expired" and query.get("page_token"):
                query = {**query, "page_token": "forgotten"}
            page = self.ledger.spoil(fault, query, self.ledger.read(query, now=now), now=now)
        except BadRequest as error:
            return json_reply(400, {"code": 1780103, "msg": f"invalid parameter: {error}"})
        reply = Reply(200, self.ledger.render(page), 0, {}, is_cut=fault == "cut_body")
        if not reply.is_cut:
            with self._lock:
                self.served_ids.update(self.ledger.ids[row] for row in page.rows)
        return reply

    def _rate_limited(self, wait_seconds: float) -> Reply:
        headers = {
            "x-ogw-ratelimit-limit": str(self._quota.limit),
            "x-ogw-ratelimit-reset": str(math.ceil(wait_seconds)),
        }
        return json_reply(
            429, {"code": 99991400, "msg": "request trigger frequency limit"}, headers
        )
