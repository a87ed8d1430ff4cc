"""The client of the audit log: every page of a window, at the quota and not above it."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Self

import tenacity

from audit_analytics.errors import RemoteError
from audit_analytics.feishu._answers import Answer, RateLimited, Unavailable
from audit_analytics.feishu._auth import Credentials, TenantToken, refuse_answer, wait_seconds
from audit_analytics.feishu._calls import Calls, PacedAdapter
from audit_analytics.feishu._pages import (
    Budget,
    Page,
    PageTokenExpired,
    Query,
    Walk,
    WindowTooLong,
    write_body,
)
from audit_analytics.feishu._ratelimit import TOLD_FROM_SECONDS, SharedLimiter, open_limiter
from audit_analytics.feishu._transport import FEISHU, check_base_url, open_session, request

LOG_PATH: Final = "/open-apis/security_and_compliance/v1/openapi_logs/list_data"
SLOW_PATHS: Final = ("/open-apis/application/", "/open-apis/contact/")
"""What is asked for apart from the log; each of these APIs allows 100 requests a minute or more."""

LOG_SCOPE: Final = "security_and_compliance:audit_log.openapi_log:readonly"
BAD_PARAMETERS: Final = 1780103

_log = logging.getLogger(__name__)


class AuditLogClient:
    """Reads the OpenAPI audit log page by page; threads may share one.

    Parameters
    ----------
    credentials : Credentials
        The app that holds the scope ``security_and_compliance:audit_log.openapi_log:readonly``.
    base_url : str, default FEISHU
        The platform: https, or http on a loopback address.
    limiter, slow_limiter : SharedLimiter, optional
        Pace the requests to the log, and all others; by default those that all processes of this
        user share. Closed with the client.
    clock : callable, default time.time
        Returns seconds since the epoch.
    sleep : callable, default time.sleep
        Waits a number of seconds of `clock`.
    timeout_seconds : float, default 30
        Longest wait for a connection and for each part of an answer, in real seconds; a whole
        answer gets twice as long.
    attempts : int, default 8
        How often one page is asked for before its window fails. The waits between double from 1 to
        60 s, plus up to 1 s at random.
    max_pages : int, default 10,000
        Pages after which a window counts as too long.

    Attributes
    ----------
    counts : collections.Counter
        What happened so far, by name: those of :class:`~audit_analytics.feishu._pages.Walk` plus
        ``requests`` (sent to the log), ``retries``, ``rate_limited``, ``unavailable``.

    Raises
    ------
    ConfigError
        The base URL is unsafe, or the rate limit cannot be kept.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     limiter = SharedLimiter(Path(folder) / "quota.sqlite")
    ...     with AuditLogClient(Credentials("cli_a1", "hunter2"), limiter=limiter) as client:
    ...         client
    AuditLogClient('https://open.feishu.cn', Credentials(app_id='cli_a1'))
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str = FEISHU,
        limiter: SharedLimiter | None = None,
        slow_limiter: SharedLimiter | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        timeout_seconds: float = 30.0,
        attempts: int = 8,
        max_pages: int = 10_000,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._counts_lock = threading.Lock()
        self._credentials = credentials
        self._base_url = check_base_url(base_url)
        self._limiter = limiter or open_limiter(self._base_url, credentials.app_id, sleep=sleep)
        self._slow_limiter = slow_limiter
        self._sleep = sleep
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._max_pages = max_pages
        self._calls = Calls(clock)
        self._session = open_session(self._base_url, self._calls)
        self._session.mount(self._base_url + LOG_PATH, PacedAdapter(self._calls, self._take_slot))
        slow = PacedAdapter(self._calls, lambda: self._find_slow_limiter().acquire())
        for path in SLOW_PATHS:
            self._session.mount(self._base_url + path, slow)
        self._token = TenantToken(
            credentials,
            base_url=self._base_url,
            session=self._session,
            clock=clock,
            timeout_seconds=timeout_seconds,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base_url!r}, {self._credentials!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and the limiter."""
        self._session.close()
        self._limiter.close()
        if self._slow_limiter:
            self._slow_limiter.close()

    def stop(self) -> None:
        """End what every thread waits for; the client cannot be used any more."""
        self._calls.stop()

    def measure_skew(self) -> float | None:
        """Compare this machine's clock with the platform's.

        Returns
        -------
        float or None
            Seconds it certainly is ahead, negative if behind, as the last answer tells, or, if that was
            long ago, the answer to the exchange of the credentials for a token (CredentialsRefused if
            there is none); None if the platform names no date.

        Raises
        ------
        CredentialsRefused, RemoteError
            There is no token.
        """
        if not self._calls.tells_skew():
            self._token.renew()
        return self._calls.skew.certain_seconds if self._calls.skew else None

    def iter_pages(self, query: Query, budget: Budget | None = None) -> Iterator[Page]:
        """Read a window, page after page, each item of it once.

        What is odd about the pages is counted in `counts` when the window ends.

        Parameters
        ----------
        query : Query
            The window.
        budget : Budget, optional
            What may be spent on it; one of its own unless given.

        Yields
        ------
        Page
            The pages in order; one may be without items.

        Raises
        ------
        WindowTooLong
            Cut the window in half.
        PaginationBroken, PageTokenExpired
            Read the window again.
        QuotaExhausted
            Come back next month.
        Unavailable
            All attempts at one page failed.
        AnswerTooLong, BudgetSpent
            Leave the window.
        CredentialsRefused, AddressRefused, ScopeMissing, TokenRefused, WrongAddress, RemoteError
            The platform refuses the app or the request.
        """
        budget = budget or Budget()
        page_token = ""
        walk = Walk(query)
        try:
            for number in range(1, self._max_pages + 1):
                place = f"window {query}, page {number}"
                try:
                    answer = self._ask(query, page_token, place, budget)
                    page, page_token = walk.read(answer, number)
                except RemoteError as error:
                    error.args = (f"{place}: {error}",)
                    raise
                if page.items:
                    budget.earn()
                yield page
                if not page_token:
                    return
        finally:
            walk.close()
            self._count(walk.counts)
        raise WindowTooLong(f"window {query}: not at its end after {self._max_pages} pages")

    def get(self, path: str, params: Mapping[str, Any], *, scope: str, place: str) -> Answer:
        """Ask for anything but the log, with the same patience and a pace of its own.

        Parameters
        ----------
        path : str
            Path of the API, with a leading slash.
        params : mapping of str to Any
            Of the query string; a list is repeated.
        scope, place : str
            What it needs and what is asked, for errors.

        Returns
        -------
        Answer
            With code 0; it fails as :meth:`iter_pages` does at a refusal.

        Raises
        ------
        Unavailable
            All attempts failed.
        ScopeMissing, RemoteError
            The platform refuses the app or the request.
        """
        send = partial(self._send, "GET", path, params=params)
        try:
            answer = self._repeat(send, self._find_slow_limiter(), place)
            if answer.code:
                raise refuse_answer(answer, scope)
        except RemoteError as error:
            error.args = (f"{place}: {error}",)
            raise
        return answer

    def _ask(self, query: Query, page_token: str, place: str, budget: Budget) -> Answer:
        body = write_body(query, page_token)

        def send() -> Answer:
            budget.spend()
            return self._send("POST", LOG_PATH, json=body)

        answer = self._repeat(send, self._limiter, place)
        if answer.code == 0:
            return answer
        if answer.code == BAD_PARAMETERS and page_token:
            raise PageTokenExpired(f"the page token is refused ({answer}); read the window again")
        if answer.code == BAD_PARAMETERS:
            raise WindowTooLong(f"the window or a filter is refused ({answer}); halve the window")
        raise refuse_answer(answer, LOG_SCOPE)

    def _send(self, method: str, path: str, **content: Any) -> Answer:  # noqa: ANN401 - of requests
        return request(
            self._session,
            method,
            self._base_url + path,
            auth=self._token,
            timeout_seconds=self._timeout_seconds,
            **content,
        )

    def _repeat(self, send: Callable[[], Answer], limiter: SharedLimiter, place: str) -> Answer:
        def note_retry(state: tenacity.RetryCallState) -> None:
            self._count({"retries": 1})
            reason = state.outcome.exception() if state.outcome else None
            wait = state.next_action.sleep if state.next_action else 0.0
            is_long = wait > TOLD_FROM_SECONDS
            told = f"{place}, attempt {state.attempt_number} of {self._attempts}: {reason}"
            told += f"; waiting {wait:.0f} s" if is_long else ""
            _log.log(logging.WARNING if is_long else logging.INFO, "%s", told)

        def attempt() -> Answer:
            try:
                return send()
            except RateLimited as error:
                limiter.pause(error.pause_seconds, limit=error.limit)
                self._count({"rate_limited": 1})
                raise
            except Unavailable:
                self._count({"unavailable": 1})
                raise

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Unavailable),
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=wait_seconds,
            sleep=self._sleep,
            before_sleep=note_retry,
            reraise=True,
        )
        return retrying(attempt)

    def _find_slow_limiter(self) -> SharedLimiter:
        if self._slow_limiter is None:
            name = f"{self._credentials.app_id} apps"
            self._slow_limiter = open_limiter(self._base_url, name, sleep=self._sleep)
        return self._slow_limiter

    def _take_slot(self) -> None:
        self._limiter.acquire()
        self._count({"requests": 1})

    def _count(self, counts: Mapping[str, int]) -> None:
        with self._counts_lock:
            self.counts.update(counts)
