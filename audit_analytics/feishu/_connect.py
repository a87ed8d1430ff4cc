"""Reach the platform: open a client that can be stopped, or only see whether somebody answers."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final

from audit_analytics.errors import ConfigError, RemoteError
from audit_analytics.feishu._answers import RateLimited
from audit_analytics.feishu._auth import TOKEN_PATH, Credentials
from audit_analytics.feishu._calls import Calls, Stopped
from audit_analytics.feishu._client import AuditLogClient
from audit_analytics.feishu._transport import check_base_url, open_session, request
from audit_analytics.settings import Settings

_log = logging.getLogger(__name__)

NO_APP_ID: Final = (
    "no app id: set AUDIT_ANALYTICS_APP_ID, or app_id in the TOML file; "
    "or try it without credentials: audit-analytics simulate serve"
)


class WaitTooLong(RemoteError):  # noqa: N818 - reads as what happened
    """The next request may leave only after more time than whoever asks has."""


def open_client(
    settings: Settings,
    stop: threading.Event | None = None,
    *,
    attempts: int = 8,
    longest_wait_seconds: float = math.inf,
) -> AuditLogClient:
    """Open a client with the credentials of the settings.

    Parameters
    ----------
    settings : Settings
        The settings.
    stop : threading.Event, optional
        Ends every wait of the client when it is set.
    attempts : int, default 8
        How often one page is asked for.
    longest_wait_seconds : float, default inf
        A longer wait in one go, such as the platform may ask for, ends in :class:`WaitTooLong`.

    Returns
    -------
    AuditLogClient
        The client; close it. ConfigError without credentials or with an unsafe base URL.

    Raises
    ------
    ConfigError
        The credentials are missing, or the base URL is unsafe.
    """
    if not settings.app_id:
        raise ConfigError(NO_APP_ID)
    event = stop or threading.Event()

    def sleep(seconds: float) -> None:
        if seconds > longest_wait_seconds:
            raise WaitTooLong(
                f"the platform asked for a pause, of which {seconds / 60:.0f} min are left"
            )
        if event.wait(seconds):
            raise Stopped

    secret = settings.read_app_secret().get_secret_value()
    return AuditLogClient(
        Credentials(settings.app_id, secret),
        base_url=settings.base_url,
        sleep=sleep,
        attempts=attempts,
    )


def measure_reach(
    base_url: str, *, clock: Callable[[], float] = time.time
) -> tuple[float, float | None]:
    """Ask the token endpoint for nothing.

    Parameters
    ----------
    base_url : str
        The platform.
    clock : callable, default time.time
        Returns seconds since the epoch.

    Returns
    -------
    round_trip_seconds : float
        How long the answer took.
    skew_seconds : float or None
        How far this machine's clock certainly is ahead; None if the answer has no date.

    Raises
    ------
    ConfigError, Unavailable, WrongAddress
        The base URL is unsafe, nobody answered, or somebody who is not the platform.
    """
    calls = Calls(clock)
    with open_session(base_url, calls) as session:
        asked_at = clock()
        try:
            url = check_base_url(base_url) + TOKEN_PATH
            request(session, "POST", url, json={}, timeout_seconds=10)
        except RateLimited:
            _log.info("%s is there, and asks for a pause", base_url)
        round_trip_seconds = clock() - asked_at
    return round_trip_seconds, calls.skew.certain_seconds if calls.skew else None
