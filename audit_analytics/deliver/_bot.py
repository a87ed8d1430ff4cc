"""Feishu's custom bot: a signed card to a group's webhook.

The webhook's URL lets anybody who has it write into the group, so it is a secret like the one that
signs. There is no idempotency key: a request that was not answered may have been carried out, and
is not sent again.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from audit_analytics.deliver._card import build_card
from audit_analytics.deliver._channel import HIDDEN, send_with_retries
from audit_analytics.errors import ConfigError, RemoteError
from audit_analytics.feishu.transport import Answer, Unanswered, check_base_url, open_session, post

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import SecretStr

    from audit_analytics.deliver._channel import Parcel

_NEXT_STEPS: Final = {
    9499: "the platform cannot read the message; report this with the log id",
    11232: "the bot sends too often; run deliver again in a minute",
    19001: "the webhook does not exist (any more); copy its URL again from the bot's settings",
    19021: "the signature or the time is wrong; copy the secret again, and check this machine's "
    "clock",
    19022: "this machine's address is not in the bot's allow-list",
    19024: "the message has none of the bot's keywords; make 'audit' one of them",
}


class CustomBot:
    """Sends to the webhook of a custom bot, signed if the bot asks for it (`secret`).

    A `url` that a secret may not be sent to is a ConfigError.

    Examples
    --------
    >>> from pydantic import SecretStr
    >>> CustomBot(SecretStr("https://open.feishu.cn/open-apis/bot/v2/hook/0a1b"))
    CustomBot('https://open.feishu.cn/****')
    """

    has_file = False

    def __init__(
        self,
        url: SecretStr,
        secret: SecretStr | None = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        timeout_seconds: float = 30.0,
    ) -> None:
        self._base = _check_webhook(url.get_secret_value())
        self._place = f"{self._base}/{HIDDEN}"
        self._url = url
        self._secret = secret
        self._clock = clock
        self._sleep = sleep
        self._timeout_seconds = timeout_seconds

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._place!r})"

    @property
    def target(self) -> str:
        """Return where it sends to."""
        return self._url.get_secret_value()

    def preview(self, parcel: Parcel) -> str:
        """Return what would be sent: address and body; the hidden parts are stars."""
        body = self._sign(build_card(parcel.message))
        if "sign" in body:
            body["sign"] = HIDDEN
        return f"POST {self._place}\n{json.dumps(body, indent=1, ensure_ascii=False)}"

    def send(self, parcel: Parcel) -> None:
        """Send the card."""
        card = build_card(parcel.message)
        path = urlsplit(self._url.get_secret_value()).path
        with _unlogged(path), open_session(self._base) as session:

            def send_once() -> Answer:
                # Signed anew each time: after a long wait the old timestamp would be refused.
                return post(
                    session,
                    self._url.get_secret_value(),
                    self._sign(card),
                    timeout_seconds=self._timeout_seconds,
                )

            try:
                answer = send_with_retries(
                    send_once, what=f"card to {self._place}", sleep=self._sleep, may_repeat=False
                )
            except Unanswered as error:
                raise RemoteError(
                    f"{self._place} did not answer ({error}); the card may have arrived, so it is "
                    "not sent again: look into the group, then run deliver again"
                ) from None
            except RemoteError as error:
                raise RemoteError(f"{self._place}: {error}") from None
        if answer.code:
            step = _NEXT_STEPS.get(answer.code, "look the code up in the platform's documentation")
            raise RemoteError(f"{self._place} refuses the card ({answer}): {step}")

    def _sign(self, card: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {"msg_type": "interactive", "card": card}
        if self._secret is None:
            return body
        timestamp = int(self._clock())
        signature = _sign_request(timestamp, self._secret.get_secret_value())
        return {"timestamp": str(timestamp), "sign": signature, **body}


@contextmanager
def _unlogged(path: str) -> Iterator[None]:
    """Keep the webhook's path out of the log: urllib3 notes each request at level DEBUG."""

    def hide(record: logging.LogRecord) -> bool:
        return path not in record.getMessage()

    log = logging.getLogger("urllib3.connectionpool")
    log.addFilter(hide)
    try:
        yield
    finally:
        log.removeFilter(hide)


def _sign_request(timestamp: int, secret: str) -> str:
    """Sign a request to a webhook as the platform documents it, in seconds since the epoch.

    Examples
    --------
    >>> _sign_request(1599360473, "demo")
    'l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8='
    """
    key = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.digest(key, b"", "sha256")).decode()


def _check_webhook(url: str) -> str:
    """Return the part of the URL that may be shown: scheme, host and port."""
    try:
        parts = urlsplit(url)
        base = check_base_url(f"{parts.scheme}://{parts.netloc}")
    except (ConfigError, ValueError):
        # Neither the URL nor the reason is shown: both may hold the secret.
        raise ConfigError(
            "setting deliver.webhook_url: not an https address (http on loopback only); copy it "
            "from the bot's settings"
        ) from None
    if not parts.path.strip("/") or any(c.isspace() for c in url):
        raise ConfigError(
            "setting deliver.webhook_url: has no path or has white space in it; copy it whole from "
            "the bot's settings"
        )
    return base
