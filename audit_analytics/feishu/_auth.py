"""Who we are, the token that proves it, and what it means when the platform refuses."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import requests
import tenacity
from requests.auth import AuthBase

from audit_analytics.errors import ConfigError, RemoteError
from audit_analytics.feishu._answers import QUOTA_SPENT, Answer, RateLimited, read_answer
from audit_analytics.feishu._transport import check_base_url, request

TOKEN_PATH: Final = "/open-apis/auth/v3/tenant_access_token/internal"  # noqa: S105
TOKEN_CODES: Final = frozenset({99991661, 99991663, 99991664, 99991665, 99991668, 99991671})
"""Codes that say a token is missing, unknown or expired."""

REFRESH_SECONDS: Final = 600
"""A token with less than this left is exchanged for a new one."""

_NEXT_STEPS: Final = {
    10003: "the app id is unknown or malformed; copy it again from the developer console",
    10014: "the app is disabled or not installed in this tenant; have an administrator enable it",
    10015: "the app secret is wrong; copy it again from the developer console",
}

_log = logging.getLogger(__name__)


ADDRESS_REFUSED: Final = 99991401


class AddressRefused(RemoteError):  # noqa: N818 - reads as what happened
    """The app may not be used from this machine's address.

    Parameters
    ----------
    answer : Answer
        The refusal.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(
            f"the platform refuses this machine's address ({answer}): it is not in the app's "
            "allow-list; add it in the console"
        )


class CredentialsRefused(RemoteError):  # noqa: N818 - reads as what happened
    """The platform gives no token for these credentials."""


@dataclass(frozen=True)
class Credentials:
    """An app's identity; no repr or str of it shows the secret.

    Parameters
    ----------
    app_id, app_secret : str
        Of a custom app: ``cli_...``, and its secret.

    Raises
    ------
    ConfigError
        One of them is empty or has white space in it.

    Examples
    --------
    >>> Credentials("cli_a1", "hunter2")
    Credentials(app_id='cli_a1')
    """

    app_id: str
    app_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        for name, value in (("app id", self.app_id), ("app secret", self.app_secret)):
            if not value or any(c.isspace() for c in value):
                raise ConfigError(f"credentials: the {name} is empty or has white space in it")


class TenantToken(AuthBase):
    """Adds the tenant access token to requests, and renews it.

    One token is kept in memory, never on disk, and shared by all threads. It is renewed when less
    than 10 minutes are left, and when the platform refuses it: then the request is sent once more
    with the new one.

    Parameters
    ----------
    credentials : Credentials
        Exchanged for the token.
    base_url : str
        Where; https, or http on loopback.
    session : requests.Session
        Used for the exchange.
    clock : callable, default time.time
        Returns seconds since the epoch.
    timeout_seconds : float, default 30
        Longest wait for each part of an answer, in seconds.

    Examples
    --------
    >>> import requests
    >>> with requests.Session() as session:
    ...     token = TenantToken(
    ...         Credentials("cli_a1", "hunter2"), base_url="https://open.feishu.cn", session=session
    ...     )
    >>> "hunter2" in repr(token)
    False
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str,
        session: requests.Session,
        clock: Callable[[], float] = time.time,
        timeout_seconds: float = 30.0,
    ) -> None:
        self._credentials = credentials
        self._url = check_base_url(base_url) + TOKEN_PATH
        self._session = session
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._token = ""
        self._expires_at = 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request.

        CredentialsRefused or AddressRefused if there is no token for the credentials or for this
        machine, Unavailable if the token endpoint could not be reached.
        """
        request.headers["Authorization"] = f"Bearer {self._current()}"
        request.register_hook("response", self._replay_once)  # type: ignore[no-untyped-call]
        return request

    def renew(self) -> None:
        """Exchange the credentials for a new token; fails as signing does.

        Raises
        ------
        CredentialsRefused
            There is no token for the credentials.
        Unavailable
            The token endpoint could not be reached.
        """
        with self._lock:
            self._fetch()

    def _current(self) -> str:
        with self._lock:
            # Monotonic time would stand still while a laptop sleeps; the token does not.
            if self._clock() > self._expires_at - REFRESH_SECONDS:
                self._fetch()
            return self._token

    def _fetch(self) -> None:
        asked_at = self._clock()
        answer = request(
            self._session,
            "POST",
            self._url,
            json={"app_id": self._credentials.app_id, "app_secret": self._credentials.app_secret},
            timeout_seconds=self._timeout_seconds,
        )
        if answer.code == ADDRESS_REFUSED:
            raise AddressRefused(answer)
        if answer.code:
            step = _NEXT_STEPS.get(answer.code, "look the code up in the platform's documentation")
            raise CredentialsRefused(
                f"no token for app {self._credentials.app_id} ({answer}): {step}"
            )
        token, expire = (answer.content.get(key) for key in ("tenant_access_token", "expire"))
        if not isinstance(token, str) or not token.isascii() or not isinstance(expire, int):
            raise CredentialsRefused(f"the token endpoint's answer has no token in it ({answer})")
        self._token, self._expires_at = token, asked_at + expire
        _log.debug("new tenant access token, good for %d s", expire)

    def _replay_once(self, response: requests.Response, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - whatever requests passes to send
        if not _is_token_refused(response):
            return response
        request = response.request.copy()
        with self._lock:
            # Another thread may have renewed it already.
            if request.headers["Authorization"] == f"Bearer {self._token}":
                self._expires_at = 0.0
        request.headers["Authorization"] = f"Bearer {self._current()}"
        _log.info("the token was refused; sending the request once more with a new one")
        response.close()
        # Sent below the session, so that this hook does not run again; the adapter still paces it.
        replay: requests.Response = response.connection.send(request, **kwargs)
        replay.history.append(response)
        return replay


def _is_token_refused(response: requests.Response) -> bool:
    try:
        return read_answer(response).code in TOKEN_CODES
    except RemoteError:
        return False


NOT_SHOWN_CODES: Final = frozenset({210503, 210504, 210505, 210506, 210507, 211005})
"""There is no such app, or it is none of this tenant's own."""

SCOPE_CODES: Final = frozenset({99991672, 211006, 210508})
"""The app lacks a scope, or may not see other apps."""


class ScopeMissing(RemoteError):  # noqa: N818 - reads as what happened
    """The app lacks a scope."""


class AppNotShown(RemoteError):  # noqa: N818 - reads as what happened
    """The platform shows nothing more of this app, whoever asks."""


class TokenRefused(RemoteError):  # noqa: N818 - reads as what happened
    """The platform gives a token and does not take it."""


class QuotaExhausted(RemoteError):  # noqa: N818 - reads as what happened
    """The tenant's monthly quota of API calls is spent."""


def refuse_answer(answer: Answer, scope: str) -> RemoteError:
    """Say why an answer is a refusal, as an error to be raised; `scope` is what the request needs."""
    if answer.code == QUOTA_SPENT:
        return QuotaExhausted(
            f"the tenant's monthly quota of API calls is spent ({answer}); what is stored stays, "
            "and the same sync resumes once the quota renews or is raised"
        )
    if answer.code == ADDRESS_REFUSED:
        return AddressRefused(answer)
    refusal = f"the platform refuses the request ({answer})"
    if answer.code in SCOPE_CODES:
        return ScopeMissing(
            f"{refusal}: grant the app the scope {scope} and publish a version of it"
        )
    if answer.code in NOT_SHOWN_CODES:
        return AppNotShown(refusal)
    if answer.code in TOKEN_CODES:
        return TokenRefused(
            f"{refusal}: a new token is refused too; see whether the app is still enabled"
        )
    return RemoteError(f"{refusal}: look the code up in the platform's documentation")


_wait_backoff = tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1)


def wait_seconds(state: tenacity.RetryCallState) -> float:
    """Say how long to wait before a request is made again.

    Not at all after a rate limit, for the limiter holds everybody back already.
    """
    error = state.outcome.exception() if state.outcome else None
    return 0.0 if isinstance(error, RateLimited) else _wait_backoff(state)
