"""Open a client with the credentials of the settings, and let it be stopped."""

from __future__ import annotations

import math
import threading
from typing import Final

from audit_analytics.errors import ConfigError, RemoteError
from audit_analytics.feishu._auth import Credentials
from audit_analytics.feishu._calls import Stopped
from audit_analytics.feishu._client import AuditLogClient
from audit_analytics.settings import Settings

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
        The client; close it.

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
