"""An answer of the platform: read, or said why it is none.

Nothing the server wrote as free text reaches an exception: an error answer may echo a token or a
payload, and no pattern finds every secret. The code, the status and the log id say enough.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from audit_analytics.catalogue import contradicts
from audit_analytics.errors import RemoteError
from audit_analytics.feishu._calls import read_date
from audit_analytics.source import decode_anyhow

RATE_LIMITED: Final = 99991400
SERVER_FAILED: Final = 1780001
QUOTA_SPENT: Final = 99991403

VALUES_MAX: Final = 500_000
"""Most objects and lists of an answer; decoded they would fill the memory."""

_DEFAULT_PAUSE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 3600.0
_EPOCH_FROM = 1e9
_CODE = re.compile(r"-?\d{1,12}")
# a text that is never closed reaches to the end, or each quote in it would be tried as a beginning
_TEXT = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)


class Unavailable(RemoteError):  # noqa: N818 - reads as what happened
    """The platform could not be reached or answered nonsense; another try may succeed."""


class Unanswered(Unavailable):
    """The request left, and nothing that is an answer came: it may have been carried out."""


class WrongAddress(RemoteError):  # noqa: N818 - reads as what happened
    """Who answers is not the platform, or cannot prove to be; trying again does not help."""


class AnswerTooLong(RemoteError):  # noqa: N818 - reads as what happened
    """The answer is longer than any page is, and was not read."""


class RateLimited(Unavailable):
    """The platform asks for a pause.

    Parameters
    ----------
    message : str
        What happened.
    pause_seconds : float
        How long to send nothing.
    limit : int or None, default None
        How many requests a minute it allows, if it says so.
    """

    def __init__(self, message: str, pause_seconds: float, limit: int | None = None) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds
        self.limit = limit


@dataclass(frozen=True)
class Answer:
    """An answer of the platform that is a JSON object with a code.

    Parameters
    ----------
    status, code : int
        Of HTTP, and the business code; 0 is success.
    content : dict
        The whole decoded answer.
    body : bytes
        The answer as it came.
    log_id : str
        Header ``X-Tt-Logid``, which the platform's support asks for; ``-`` if absent.
    served_at : float or None, default None
        Header ``Date`` in seconds since the epoch; None if absent.
    """

    status: int
    code: int
    content: dict[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    log_id: str
    served_at: float | None = None

    def __str__(self) -> str:
        return f"HTTP {self.status}, code {self.code}, log id {self.log_id}"


def read_answer(response: requests.Response) -> Answer:
    """Read an answer whose body has arrived, or raise why it is none, as ``request`` says."""
    status, log_id = response.status_code, _clean_log_id(response.headers.get("X-Tt-Logid", ""))
    body, served_at = response.content, read_date(response.headers.get("Date", ""))
    content = _decode(body)
    code = _read_code(content.get("code"))
    label = f"HTTP {status}, code {'-' if code is None else code}, log id {log_id}"
    is_limited = status == requests.codes.too_many_requests and code != QUOTA_SPENT
    if is_limited or code == RATE_LIMITED:
        pause = _pause_seconds(response.headers, served_at)
        stated = re.fullmatch(r"[1-9]\d{0,4}", response.headers.get("x-ogw-ratelimit-limit", ""))
        limit = int(stated.group()) if stated else None
        raise RateLimited(f"{label}: rate limited, wait {pause:.0f} s", pause, limit)
    if status >= requests.codes.internal_server_error or code == SERVER_FAILED:
        raise Unavailable(f"{label}: the server failed")
    if requests.codes.multiple_choices <= status < requests.codes.bad_request:
        raise WrongAddress(f"{label}: a redirect, which is not followed; correct the base URL")
    if code is None:
        if status == requests.codes.not_found:
            raise WrongAddress(f"{label}: no such path; correct the base URL")
        raise Unanswered(f"{label}: {len(body)} bytes that are not an answer of the API")
    if contradicts(code, status):
        raise Unanswered(f"{label}: status and code contradict each other")
    return Answer(status, code, content, body, log_id, served_at)


def _read_code(value: object) -> int | None:
    if isinstance(value, str) and _CODE.fullmatch(value):
        return int(value)
    return value if type(value) is int else None


def _decode(body: bytes) -> dict[str, Any]:
    # Lenient on purpose: one bad byte in a logged path must not hide the other 99 calls of a page.
    text = body.decode("utf-8-sig", "replace")
    if text.count("{") + text.count("[") > VALUES_MAX:
        # those within texts cost nothing
        bare = _TEXT.sub("", text)
        opened = bare.count("{") + bare.count("[")
        if opened > VALUES_MAX:
            raise AnswerTooLong(f"an answer of {opened:,} values, more than any page has")
    content = decode_anyhow(text)
    return content if isinstance(content, dict) else {}


def _clean_log_id(text: str) -> str:
    return text if re.fullmatch(r"[\w.-]{1,128}", text, re.ASCII) else "-"


def _pause_seconds(headers: Mapping[str, str], served_at: float | None) -> float:
    now = time.time() if served_at is None else served_at
    named = [
        _seconds(headers.get("x-ogw-ratelimit-reset", ""), now),
        _seconds(headers.get("Retry-After", ""), now),
    ]
    pause = max((seconds for seconds in named if seconds is not None), default=None)
    return _DEFAULT_PAUSE_SECONDS if pause is None else min(max(pause, 1.0), _LONGEST_PAUSE_SECONDS)


def _seconds(header: str, now: float) -> float | None:
    try:
        seconds = float(header)
    except ValueError:
        date = read_date(header)
        return None if date is None else date - now
    if not math.isfinite(seconds):
        return None
    if seconds >= _EPOCH_FROM * 1000:
        seconds /= 1000
    # nobody waits for 30 years: it is the end of the pause, not its length
    return seconds - now if seconds >= _EPOCH_FROM else seconds
