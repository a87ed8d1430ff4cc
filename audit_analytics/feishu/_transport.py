"""What every call to the platform shares: a checked address, a session, a request and its answer."""

from __future__ import annotations

import http.cookiejar
import ipaddress
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests import exceptions
from requests.auth import AuthBase
from urllib3.exceptions import NewConnectionError

from audit_analytics.errors import ConfigError
from audit_analytics.feishu._answers import (
    Answer,
    AnswerTooLong,
    Unanswered,
    Unavailable,
    WrongAddress,
    read_answer,
)
from audit_analytics.feishu._calls import (
    ANSWER_BYTES_MAX,
    PARTS_MAX,
    BoundedAdapter,
    Calls,
    TooLong,
    TooSlow,
)

FEISHU: Final = "https://open.feishu.cn"
"""Base URL of Feishu; Lark's is ``https://open.larksuite.com``."""

_MAY_PASS: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""Errors of TLS that say that the connection broke, not that it is the wrong one."""


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


def open_session(base_url: str, calls: Calls | None = None) -> requests.Session:
    """Open a session that threads may share.

    Proxies and certificate bundles named by the environment are honoured on https, and ignored on
    loopback, where a proxy would read the token in the clear. ``.netrc`` never applies, because
    every request says how it authenticates. Cookies are refused.

    Parameters
    ----------
    base_url : str
        A URL that passed :func:`check_base_url`.
    calls : Calls, optional
        Keeps the running requests.

    Returns
    -------
    requests.Session
        The session; close it.
    """
    session = requests.Session()
    session.trust_env = base_url.startswith("https")
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    session.mount(base_url, BoundedAdapter(calls or Calls()))
    return session


def request(
    session: requests.Session,
    method: str,
    url: str,
    *,
    timeout_seconds: float,
    auth: AuthBase | None = None,
    **content: Any,  # noqa: ANN401 - those of requests
) -> Answer:
    """Send one request and read its answer.

    Parameters
    ----------
    session : requests.Session
        From :func:`open_session`.
    method, url : str
        Such as ``GET``, and where to send it.
    timeout_seconds : float
        Longest wait for a connection and for each part of the answer, in seconds; the whole of it
        gets twice as long.
    auth : requests.auth.AuthBase, optional
        Adds the token; without it the request carries none.
    **content
        What is sent, as :meth:`requests.Session.request` takes it.

    Returns
    -------
    Answer
        An answer with any code, which the caller judges; else an error of ``_answers`` by what went wrong.

    Raises
    ------
    Unavailable
        No connection, HTTP 5xx or code 1780001.
    Unanswered
        A timeout after the request left, an answer that is not whole in time, a cut or non-JSON body.
    RateLimited
        HTTP 429 or code 99991400.
    WrongAddress
        A redirect, HTTP 404 without JSON, or a certificate that is not the platform's.
    AnswerTooLong
        More than :data:`~audit_analytics.feishu._calls.ANSWER_BYTES_MAX` bytes.
    """
    if "json" in content:
        # what the platform asks for names the charset, which requests leaves out
        content["headers"] = {"Content-Type": "application/json; charset=utf-8"}
    try:
        response = session.request(
            method,
            url,
            allow_redirects=False,
            # without any, requests would look for a .netrc
            auth=auth or (lambda prepared: prepared),
            timeout=timeout_seconds,
            **content,
        )
    except TooSlow:
        raise Unanswered(f"no whole answer within {PARTS_MAX * timeout_seconds:g} s") from None
    except TooLong:
        raise AnswerTooLong(
            f"an answer of more than {ANSWER_BYTES_MAX >> 20} MiB, which no page is; not read"
        ) from None
    except requests.RequestException as error:
        # `from None`: the error holds the request, and the request holds the token.
        if _is_wrong_address(error):
            raise WrongAddress(
                "the connection is not a safe one to the platform "
                f"({_find_reason(error)}); correct the base URL, or let REQUESTS_CA_BUNDLE name the "
                "certificates of your proxy"
            ) from None
        kind = Unanswered if _may_have_arrived(error) else Unavailable
        raise kind(
            f"no usable answer ({type(error).__name__}); check the network and the base URL"
        ) from None
    except OSError as error:
        # requests names the file, and says so as an error of the file system
        raise WrongAddress(
            f"the certificates cannot be read ({type(error).__name__}); correct REQUESTS_CA_BUNDLE"
        ) from None
    return read_answer(response)


def _is_wrong_address(error: requests.RequestException) -> bool:
    if isinstance(error, (exceptions.InvalidURL, exceptions.InvalidSchema)):
        return True
    cause = _find_tls_error(error)
    return cause is not None and not isinstance(cause, _MAY_PASS)


def _find_tls_error(error: BaseException) -> ssl.SSLError | None:
    """Find what OpenSSL said within what urllib3 and requests made of it."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ssl.SSLError):
            return one
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return None


def _find_reason(error: requests.RequestException) -> str:
    cause = _find_tls_error(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate: {cause.verify_message}"
    # a word of OpenSSL, such as WRONG_VERSION_NUMBER
    return (cause.reason if cause else None) or type(error).__name__


def _may_have_arrived(error: requests.RequestException) -> bool:
    if isinstance(error, (requests.ConnectTimeout, exceptions.SSLError, exceptions.ProxyError)):
        return False
    # a refused connection and an unknown host are ConnectionErrors, and so is one that broke later
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return not isinstance(reason, NewConnectionError)
