"""Two bots: a signed card to a group's webhook, and the app itself, with the report as a file.

The webhook's URL lets anybody who has it write into the group, so it is a secret like the one that
signs. There is no idempotency key: a request that was not answered may have been carried out, and
is not sent again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from audit_analytics.deliver._channel import HIDDEN, Parcel, send_with_retries
from audit_analytics.deliver._message import build_card
from audit_analytics.errors import ConfigError, RemoteError
from audit_analytics.feishu import (
    Answer,
    Credentials,
    TenantToken,
    Unanswered,
    check_base_url,
    open_session,
    request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests
    from pydantic import SecretStr


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
    """Sends to the webhook of a custom bot, signed if the bot asks for it (`secret`)."""

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
                return request(
                    session,
                    "POST",
                    self._url.get_secret_value(),
                    json=self._sign(card),
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


MESSAGES_PATH: Final = "/open-apis/im/v1/messages"
FILES_PATH: Final = "/open-apis/im/v1/files"

_APP_NEXT_STEPS: Final = {
    230001: "receive_id or receive_id_type is wrong; copy the chat's id again",
    230002: "the app is not in this chat; add its bot to the group",
    230006: "the app has no bot; switch it on in the developer console and publish a version",
    230013: "the person is outside what the app is made available to",
    99991672: "grant the app the scopes im:message:send_as_bot and im:resource, and publish a "
    "version of it",
}


class AppBot:
    """Sends as the app that reads the log, with the scopes ``im:message:send_as_bot`` and ``im:resource``."""

    has_file = True

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str,
        receive_id: str,
        receive_id_type: str = "chat_id",
        sleep: Callable[[float], None] = time.sleep,
        timeout_seconds: float = 30.0,
    ) -> None:
        self._credentials = credentials
        self._base_url = check_base_url(base_url)
        self._receive_id = receive_id
        self._receive_id_type = receive_id_type
        self._sleep = sleep
        self._timeout_seconds = timeout_seconds

    @property
    def target(self) -> str:
        """Return where it sends to."""
        return f"{self._base_url} {self._receive_id_type} {self._receive_id}"

    def preview(self, parcel: Parcel) -> str:
        """Return what would be sent: addresses, the card, the file's name and size, and no secret."""
        card = json.dumps(build_card(parcel.message), indent=1, ensure_ascii=False)
        return (
            f"POST {self._base_url}{FILES_PATH}\n{parcel.file_name}, {len(parcel.html):,} bytes\n"
            f"POST {self._base_url}{MESSAGES_PATH} to {self._receive_id_type} {self._receive_id}\n"
            f"{card}\nand the file as a second message"
        )

    def send(self, parcel: Parcel) -> None:
        """Upload the report, send the card, then the file."""
        html = parcel.html
        name = parcel.digest(self.target, has_file=True) + (
            secrets.token_hex(8) if parcel.again else ""
        )
        with open_session(self._base_url) as session:
            token = TenantToken(
                self._credentials,
                base_url=self._base_url,
                session=session,
                timeout_seconds=self._timeout_seconds,
            )
            answer = self._try(
                "the file",
                lambda: request(
                    session,
                    "POST",
                    self._base_url + FILES_PATH,
                    data={"file_type": "stream", "file_name": parcel.file_name},
                    files={"file": (parcel.file_name, html)},
                    auth=token,
                    timeout_seconds=self._timeout_seconds,
                ),
            )
            data = answer.content.get("data")
            key = data.get("file_key") if isinstance(data, dict) else None
            if not isinstance(key, str):
                raise RemoteError(f"the answer to the upload has no file key in it ({answer})")
            card = build_card(parcel.message)
            self._send_message(session, token, "interactive", card, f"{name} card")
            self._send_message(session, token, "file", {"file_key": key}, f"{name} file")

    def _send_message(
        self,
        session: requests.Session,
        token: TenantToken,
        kind: str,
        content: dict[str, Any],
        name: str,
    ) -> None:
        url = f"{self._base_url}{MESSAGES_PATH}?receive_id_type={self._receive_id_type}"
        body = {
            "receive_id": self._receive_id,
            "msg_type": kind,
            "content": json.dumps(content),
            # The platform drops a second message of this name within an hour, so that a request
            # that was not answered may be sent again.
            "uuid": hashlib.sha256(name.encode()).hexdigest()[:32],
        }
        self._try(
            f"the {kind} message",
            lambda: request(
                session, "POST", url, json=body, auth=token, timeout_seconds=self._timeout_seconds
            ),
        )

    def _try(self, what: str, send: Callable[[], Answer]) -> Answer:
        answer = send_with_retries(send, what=what, sleep=self._sleep, may_repeat=True)
        if answer.code:
            step = _APP_NEXT_STEPS.get(
                answer.code, "look the code up in the platform's documentation"
            )
            raise RemoteError(f"the platform refuses {what} ({answer}): {step}")
        return answer
