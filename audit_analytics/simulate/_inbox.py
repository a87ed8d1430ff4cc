"""What a stand-in receives: the custom bot's webhook, messages and files of an app bot."""

from __future__ import annotations

import base64
import email
import hmac
import json
import secrets
import threading
from typing import Any, Final

from audit_analytics.simulate._loopback import Quota

HOOK_BYTES_MAX: Final = 20 * 1024
CLOCK_SECONDS_MAX: Final = 3600
_ID_TYPES: Final = ("chat_id", "open_id", "user_id", "union_id", "email")
_CONTENT_BYTES_MAX: Final = {"text": 150 * 1024, "post": 150 * 1024, "interactive": 30 * 1024}
_FILE_BYTES_MAX: Final = 30 * 2**20

Reply = tuple[int, dict[str, Any]]


class Inbox:
    """Checks and keeps what is delivered: bodies in order, and uploads by file key.

    `hook` ends the webhook's path, `hook_secret` signs, `keyword` has to be in each of its messages.
    """

    def __init__(self, *, hook: str, hook_secret: str, keyword: str = "") -> None:
        self.delivered: list[dict[str, Any]] = []
        self.uploads: dict[str, bytes] = {}
        self._hook = hook
        self._hook_secret = hook_secret
        self._keyword = keyword
        self._message_ids: dict[str, str] = {}
        self._quotas = (Quota(limit=100, period_seconds=60), Quota(limit=5, period_seconds=1))
        self._lock = threading.Lock()

    def accept_hook(self, hook: str, body: bytes, *, now: float) -> Reply:  # noqa: PLR0911 - one a rule
        """Answer a request to the webhook: HTTP status, 200 even if refused, with code and message."""
        if hook != self._hook:
            return 200, _answer(19001, "param invalid: incoming webhook access token invalid")
        if any(quota.take(now) for quota in self._quotas):
            return 200, _answer(11232, "frequency limited")
        message = decode_object(body)
        if len(body) > HOOK_BYTES_MAX or not ({"content", "card"} & message.keys()):
            return 200, _answer(9499, "Bad Request")
        if message.get("msg_type") not in _CONTENT_BYTES_MAX:
            return 200, _answer(9499, "Bad Request")
        if self._hook_secret and not self._is_signed(message, now):
            return 200, _answer(19021, "sign match fail or timestamp is not within one hour")
        if self._keyword not in json.dumps(message, ensure_ascii=False):
            return 200, _answer(19024, "Key Words Not Found")
        with self._lock:
            self.delivered.append(message)
        return 200, {
            "StatusCode": 0,
            "StatusMessage": "success",
            **_answer(0, "success"),
            "data": {},
        }

    def accept_message(self, id_type: str, body: bytes) -> Reply:
        """Answer a request to im/v1/messages."""
        message = decode_object(body)
        content, uuid = message.get("content"), str(message.get("uuid", ""))
        limit = _CONTENT_BYTES_MAX.get(str(message.get("msg_type")), HOOK_BYTES_MAX)
        if id_type not in _ID_TYPES or not message.get("receive_id") or len(uuid) > 50:
            return 400, _answer(230001, "invalid request parameters")
        if not isinstance(content, str) or not decode_object(content.encode()):
            return 400, _answer(230001, "content is not a JSON string")
        is_file = message.get("msg_type") == "file"
        if is_file and str(decode_object(content.encode()).get("file_key")) not in self.uploads:
            return 400, _answer(230001, "no such file")
        if len(content.encode()) > limit:
            return 400, _answer(230025, "the message is too long")
        with self._lock:
            message_id = self._message_ids.get(uuid) if uuid else None
            if message_id is None:
                message_id = "om_" + secrets.token_hex(16)
                self._message_ids[uuid] = message_id
                self.delivered.append(message)
        return 200, {**_answer(0, "success"), "data": {"message_id": message_id}}

    def accept_file(self, content_type: str, body: bytes) -> Reply:
        """Answer a request to im/v1/files, whose body is multipart."""
        head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
        parts = email.message_from_bytes(head + body).walk()
        found = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in parts
            if not part.is_multipart()
        }
        content = found.get("file")
        if not isinstance(content, bytes) or not 0 < len(content) <= _FILE_BYTES_MAX:
            return 400, _answer(234001, "invalid request parameters")
        if not found.get("file_type"):
            return 400, _answer(234001, "invalid request parameters")
        key = f"file_v3_{secrets.token_hex(16)}"
        with self._lock:
            self.uploads[key] = content
        return 200, {**_answer(0, "success"), "data": {"file_key": key}}

    def _is_signed(self, message: dict[str, Any], now: float) -> bool:
        stamp, sign = str(message.get("timestamp", "")), str(message.get("sign", ""))
        expected = base64.b64encode(
            hmac.digest(f"{stamp}\n{self._hook_secret}".encode(), b"", "sha256")
        )
        is_recent = stamp.isdecimal() and abs(now - int(stamp)) <= CLOCK_SECONDS_MAX
        return is_recent and hmac.compare_digest(expected, sign.encode())


def _answer(code: int, msg: str) -> dict[str, Any]:
    return {"code": code, "msg": msg}


def decode_object(body: bytes) -> dict[str, Any]:
    """Decode a JSON object; empty if it is none."""
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
