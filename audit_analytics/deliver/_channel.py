"""What every way out shares: the parcel it carries, and the retries."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import tenacity

from audit_analytics.deliver._mask import mask_report
from audit_analytics.deliver._message import Message
from audit_analytics.errors import AuditAnalyticsError, InputError
from audit_analytics.feishu import RateLimited, Unanswered, Unavailable

ATTEMPTS: Final = 4
LONGEST_PAUSE_SECONDS: Final = 120.0
"""A platform that asks for a longer pause is not waited for."""

HIDDEN: Final = "****"
"""What stands for a secret in a dry run."""

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A report on its way."""

    folder: Path
    report: dict[str, Any]
    message: Message
    raw_ids: bool  # whether the report goes as it is; else its ids and addresses are masked
    again: bool = False  # whether it is sent though it was sent before

    @property
    def file_name(self) -> str:
        """Name the file that is sent along by its week: those of many weeks end in one folder."""
        return f"report-{self.message.week}.html"

    @cached_property
    def html(self) -> bytes:
        """Return the report as one HTML file: report.html, or drawn anew from the masked report."""
        if self.raw_ids:
            path = self.folder / "report.html"
            try:
                return path.read_bytes()
            except OSError as error:
                raise InputError(
                    f"{path}: cannot be read ({error.strerror}); run weekly again"
                ) from None
        from audit_analytics.report import render_html  # noqa: PLC0415 - loads matplotlib

        return render_html(mask_report(self.report)).encode()

    def digest(self, target: str, *, has_file: bool) -> str:
        """Return a hash of what is sent and where to: a secret cannot be read back from it."""
        parts = [target, repr(self.message)]
        if has_file:
            # the report dict is what the file is made of, and is here without drawing it
            parts += [str(self.raw_ids), repr(self.report)]
        text = "\x1f".join(parts).encode("utf-8", "backslashreplace")
        return hashlib.sha256(text).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one way out."""

    channel: str
    status: str  # sent, already sent, dry run or failed
    detail: str = ""  # what a dry run would send; why it failed
    error: AuditAnalyticsError | None = None  # why it failed

    def __str__(self) -> str:
        said = f"{self.channel}: {self.status}"
        return f"{said}: {self.detail}" if self.error else said


def send_with_retries(
    send: Callable[[], _T], *, what: str, sleep: Callable[[float], None], may_repeat: bool
) -> _T:
    """Try again while the other side is down or slow, and only then.

    `may_repeat` says that it does no harm if an unanswered request was carried out and comes again.
    """

    def is_worth_it(error: BaseException) -> bool:
        if isinstance(error, RateLimited):
            return error.pause_seconds <= LONGEST_PAUSE_SECONDS
        return isinstance(error, Unavailable) and (may_repeat or not isinstance(error, Unanswered))

    def note(state: tenacity.RetryCallState) -> None:
        reason = state.outcome.exception() if state.outcome else None
        _log.info("%s, attempt %d of %d: %s", what, state.attempt_number, ATTEMPTS, reason)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_worth_it),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=_wait_seconds,
        sleep=sleep,
        before_sleep=note,
        reraise=True,
    )
    return retrying(send)


_wait_backoff = tenacity.wait_exponential_jitter(initial=1, max=30, jitter=1)


def _wait_seconds(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return error.pause_seconds if isinstance(error, RateLimited) else _wait_backoff(state)
