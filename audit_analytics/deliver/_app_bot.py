"""The app itself as a bot: a card to a chat or a person, and the report as a file."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from audit_analytics.deliver._card import build_card
from audit_analytics.deliver._channel import send_with_retries
from audit_analytics.errors import RemoteError
from audit_analytics.feishu.client import Credentials, TenantToken
from audit_analytics.feishu.transport import Answer, check_base_url, open_session, post, request

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from audit_analytics.deliver._channel import Parcel

MESSAGES_PATH: Final = "/open-apis/im/v1/messages"
FILES_PATH: Final = "/open-apis/im/v1/files"

_NEXT_STEPS: Final = {
    230001: "receive_id or receive_id_type is wrong; copy the chat's id again",
    230002: "the app is not in this chat; add its bot to the group",
    230006: "the app has no bot; switch it on in the developer console and publish a version",
    230013: "the person is outside what the app is made available to",
    99991672: "grant the app the scopes im:message:send_as_bot and im:resource, and publish a "
    "version of it",
}


class AppBot:
    """Sends as the app that reads the log.

    It needs the scopes ``im:message:send_as_bot`` and ``im:resource``. A `base_url` that is neither
    https nor loopback is a ConfigError.

    Examples
    --------
    >>> AppBot(
    ...     Credentials("cli_a1", "hunter2"), base_url="https://open.feishu.cn", receive_id="oc_1"
    ... )
    AppBot('https://open.feishu.cn', Credentials(app_id='cli_a1'))
    """

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

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base_url!r}, {self._credentials!r})"

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
            lambda: post(session, url, body, auth=token, timeout_seconds=self._timeout_seconds),
        )

    def _try(self, what: str, send: Callable[[], Answer]) -> Answer:
        answer = send_with_retries(send, what=what, sleep=self._sleep, may_repeat=True)
        if answer.code:
            step = _NEXT_STEPS.get(answer.code, "look the code up in the platform's documentation")
            raise RemoteError(f"the platform refuses {what} ({answer}): {step}")
        return answer
