"""What every call to the platform shares: a checked address, a session, an answer that was read.

Nothing the server wrote as free text reaches an exception: an error answer may echo a token or a
payload, and no pattern finds every secret. The code, the status and the log id say enough.
"""

from __future__ import annotations

import email.utils
import http.cookiejar
import ipaddress
import json
import math
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from requests import exceptions
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from audit_analytics.errors import ConfigError, RemoteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests.auth import AuthBase

FEISHU: Final = "https://open.feishu.cn"
"""Base URL of Feishu; Lark's is ``https://open.larksuite.com``."""

CONNECTIONS: Final = 32
"""Connections kept open; more threads than that would reconnect for each request."""

RATE_LIMITED: Final = 99991400
SERVER_FAILED: Final = 1780001
QUOTA_SPENT: Final = 99991403


_DEFAULT_PAUSE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 3600.0


class Unavailable(RemoteError):  # noqa: N818 - reads as what happened
    """The platform could not be reached or answered nonsense; another try may succeed."""


class Unanswered(Unavailable):
    """The request left, and nothing that is an answer came: it may have been carried out."""


class RateLimited(Unavailable):
    """The platform asks for a pause.

    Parameters
    ----------
    message : str
        What happened.
    pause_seconds : float
        How long to send nothing.
    """

    def __init__(self, message: str, pause_seconds: float) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds


@dataclass(frozen=True)
class Answer:
    """An answer of the platform that is a JSON object with a code.

    Parameters
    ----------
    status : int
        HTTP status.
    code : int
        Business code; 0 is success.
    content : dict
        The whole decoded answer.
    body : bytes
        The answer as it came.
    log_id : str
        Header ``X-Tt-Logid``, which the platform's support asks for; ``-`` if absent.
    """

    status: int
    code: int
    content: dict[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    log_id: str

    def __str__(self) -> str:
        return f"HTTP {self.status}, code {self.code}, log id {self.log_id}"


def check_base_url(url: str) -> str:
    """Return `url` if a token may be sent there.

    Parameters
    ----------
    url : str
        Scheme, host and, at most, a port and a path prefix.

    Returns
    -------
    str
        The URL without a trailing slash.

    Raises
    ------
    ConfigError
        The URL is neither https nor http on a loopback address, or carries a user, a query or a
        fragment.

    Examples
    --------
    >>> check_base_url("https://open.larksuite.com/")
    'https://open.larksuite.com'
    >>> check_base_url("http://open.larksuite.com")
    Traceback (most recent call last):
        ...
    audit_analytics.errors.ConfigError: base URL: use https, or http on a loopback address; ...
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError("base URL: not a URL; give one such as " + FEISHU) from None
    if not host or parts.username is not None or parts.query or parts.fragment:
        # The text is not shown: a user part may hold a password.
        raise ConfigError(f"base URL: give only scheme, host and port, such as {FEISHU}")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return url.rstrip("/")
    raise ConfigError(
        "base URL: use https, or http on a loopback address; a token never travels in the clear"
    )


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine.

    Parameters
    ----------
    host : str
        Name or address.

    Returns
    -------
    bool
        True for a loopback address and for ``localhost``.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost.example.com")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def open_session(base_url: str) -> requests.Session:
    """Open a session that threads may share.

    Proxies and certificate bundles named by the environment are honoured on https, as every tool
    does, and ignored on loopback, where a proxy would read the token in the clear. ``.netrc`` never
    applies, because every request of this package says how it authenticates. Cookies are refused.

    Parameters
    ----------
    base_url : str
        A URL that passed :func:`check_base_url`.

    Returns
    -------
    requests.Session
        The session; close it.
    """
    session = requests.Session()
    session.trust_env = base_url.startswith("https")
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    session.mount(base_url, HTTPAdapter(pool_maxsize=CONNECTIONS))
    return session


def post(
    session: requests.Session,
    url: str,
    body: Mapping[str, Any],
    *,
    timeout_seconds: float,
    auth: AuthBase | None = None,
) -> Answer:
    """Send one request and read its answer.

    Parameters
    ----------
    session : requests.Session
        From :func:`open_session`.
    url : str
        Where to send it.
    body : mapping
        Sent as JSON.
    timeout_seconds : float
        Longest wait for a connection and for each part of the answer, in seconds.
    auth : requests.auth.AuthBase, optional
        Adds the token; without it the request carries none.

    Returns
    -------
    Answer
        An answer with any code; the caller judges it.

    Raises
    ------
    Unavailable
        No connection, HTTP 5xx or code 1780001.
    Unanswered
        A timeout after the request left, a cut or non-JSON body.
    RateLimited
        HTTP 429 or code 99991400.
    RemoteError
        A redirect, or HTTP 404 without JSON: the base URL is wrong.
    """
    return _send(
        session,
        url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
        auth=auth or _leave_as_is,
        timeout=timeout_seconds,
    )


def upload(
    session: requests.Session,
    url: str,
    fields: Mapping[str, str],
    file: tuple[str, bytes],
    *,
    timeout_seconds: float,
    auth: AuthBase,
) -> Answer:
    """Send a file as a multipart form and read the answer.

    Parameters
    ----------
    session : requests.Session
        From :func:`open_session`.
    url : str
        Where to send it.
    fields : mapping of str to str
        The other fields of the form.
    file : tuple of str and bytes
        Name and content of the field ``file``.
    timeout_seconds : float
        Longest wait for a connection and for each part of the answer, in seconds.
    auth : requests.auth.AuthBase
        Adds the token.

    Returns
    -------
    Answer
        An answer with any code; the caller judges it.

    Raises
    ------
    Unavailable, Unanswered, RateLimited, RemoteError
        As :func:`post` says.
    """
    return _send(
        session,
        url,
        data=dict(fields),
        files={"file": file},
        auth=auth,
        timeout=timeout_seconds,
    )


def _send(session: requests.Session, url: str, **how: Any) -> Answer:  # noqa: ANN401 - those of requests
    try:
        response = session.post(url, allow_redirects=False, **how)
    except requests.RequestException as error:
        # `from None`: the error holds the request, and the request holds the token.
        kind = Unanswered if _may_have_arrived(error) else Unavailable
        raise kind(
            f"no usable answer ({type(error).__name__}); check the network and the base URL"
        ) from None
    return read_answer(response)


def _may_have_arrived(error: requests.RequestException) -> bool:
    if isinstance(error, (requests.ConnectTimeout, exceptions.SSLError, exceptions.ProxyError)):
        return False
    # a refused connection and an unknown host are ConnectionErrors, and so is one that broke later
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return not isinstance(reason, NewConnectionError)


def read_answer(response: requests.Response) -> Answer:
    """Read an answer, or say why it is none.

    Parameters
    ----------
    response : requests.Response
        A response whose body has arrived.

    Returns
    -------
    Answer
        The answer.

    Raises
    ------
    Unavailable, Unanswered, RateLimited, RemoteError
        As :func:`post` says.
    """
    status, log_id = response.status_code, _clean_log_id(response.headers.get("X-Tt-Logid", ""))
    content = _decode(response.content)
    code = content.get("code")
    label = f"HTTP {status}, code {code if type(code) is int else '-'}, log id {log_id}"
    is_limited = status == requests.codes.too_many_requests and code != QUOTA_SPENT
    if is_limited or code == RATE_LIMITED:
        pause = _pause_seconds(response.headers)
        raise RateLimited(f"{label}: rate limited, wait {pause:.0f} s", pause)
    if status >= requests.codes.internal_server_error or code == SERVER_FAILED:
        raise Unavailable(f"{label}: the server failed")
    if requests.codes.multiple_choices <= status < requests.codes.bad_request:
        raise RemoteError(f"{label}: a redirect, which is not followed; correct the base URL")
    if type(code) is not int:
        if status == requests.codes.not_found:
            raise RemoteError(f"{label}: no such path; correct the base URL")
        size = len(response.content)
        raise Unanswered(f"{label}: {size} bytes that are not an answer of the API")
    if status >= requests.codes.bad_request and code == 0:
        raise Unanswered(f"{label}: status and code contradict each other")
    return Answer(status, code, content, response.content, log_id)


def _leave_as_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _decode(body: bytes) -> dict[str, Any]:
    # Lenient on purpose: one bad byte in a logged path must not hide the other 99 calls of a page.
    try:
        content = json.loads(body.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _clean_log_id(text: str) -> str:
    return text if re.fullmatch(r"[\w.-]{1,128}", text, re.ASCII) else "-"


def _pause_seconds(headers: Mapping[str, str]) -> float:
    named = [
        _seconds(headers.get("x-ogw-ratelimit-reset", "")),
        _seconds(headers.get("Retry-After", "")),
    ]
    pause = max((seconds for seconds in named if seconds is not None), default=None)
    return _DEFAULT_PAUSE_SECONDS if pause is None else min(max(pause, 1.0), _LONGEST_PAUSE_SECONDS)


def _seconds(header: str) -> float | None:
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return None
    return seconds if math.isfinite(seconds) else None
