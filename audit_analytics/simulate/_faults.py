"""What can go wrong with the log endpoint, on request and repeatable."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, fields
from typing import Final

KINDS: Final = (
    "rate_limited",
    "server_error",
    "token_refused",
    "page_token_expired",
    "slow",
    "cut_body",
    "html",
    "repeated_page",
    "duplicates",
    "unsorted",
    "empty_page",
    "endless",
    "outside_window",
)
"""The faults a request can meet, one at a time.

``repeated_page`` serves the page before once more, ``duplicates`` adds rows of the page before,
``empty_page`` has no rows but more to come, ``endless`` leads from the last page back to it.
"""

DELIVERY_KINDS: Final = ("rate_limited", "server_error", "slow", "cut_body", "html", "redirect")
"""The faults a request to the webhook, to messages or to files can meet.

A ``slow`` or ``cut_body`` request is carried out all the same; a ``redirect`` leads to the webhook.
"""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """The share of requests that meet each fault, and what is wrong all the time.

    Parameters
    ----------
    seed : int, default 0
        Decides which requests are hit.
    rate_limited, server_error, token_refused, page_token_expired, slow, cut_body, html, \
repeated_page, duplicates, unsorted, empty_page, endless, outside_window : float, default 0
        Probability 0 to 1 that a request meets the fault; see :data:`KINDS`.
    script : tuple of str, default ()
        Faults of the first requests in order, '' for none; the probabilities come after.
    delivery : tuple of str, default ()
        Faults of the first requests to webhook, messages and files in order, '' for none; see
        :data:`DELIVERY_KINDS`.
    slow_seconds : float, default 5
        How long a slow page takes, in seconds of the server's clock.
    late_share : float, default 0
        Share of rows that show up late.
    late_seconds : float, default 300
        How long after its event time a late row shows, in seconds.
    clock_skew_seconds : float, default 0
        How far the server's clock is ahead.

    Examples
    --------
    >>> plan = FaultPlan(Faults(script=("html", "")))
    >>> [plan.next_fault() for _ in range(3)]
    ['html', '', '']
    """

    seed: int = 0
    rate_limited: float = 0.0
    server_error: float = 0.0
    token_refused: float = 0.0
    page_token_expired: float = 0.0
    slow: float = 0.0
    cut_body: float = 0.0
    html: float = 0.0
    repeated_page: float = 0.0
    duplicates: float = 0.0
    unsorted: float = 0.0
    empty_page: float = 0.0
    endless: float = 0.0
    outside_window: float = 0.0
    script: tuple[str, ...] = ()
    delivery: tuple[str, ...] = ()
    slow_seconds: float = 5.0
    late_share: float = 0.0
    late_seconds: float = 300.0
    clock_skew_seconds: float = 0.0

    def __post_init__(self) -> None:
        shares = {f.name: getattr(self, f.name) for f in fields(self) if f.name in KINDS}
        if not all(0 <= share <= 1 for share in shares.values()) or sum(shares.values()) > 1:
            raise ValueError(f"faults: probabilities of 0 to 1, at most 1 in all, not {shares}")
        unknown = set(self.script) - {*KINDS, ""} | set(self.delivery) - {*DELIVERY_KINDS, ""}
        if unknown:
            raise ValueError(f"faults: no such fault: {', '.join(sorted(unknown))}")


class FaultPlan:
    """Deals the faults out to requests, whichever thread they come from."""

    def __init__(self, faults: Faults) -> None:
        self._script = list(reversed(faults.script))
        self._delivery = list(reversed(faults.delivery))
        self._random = random.Random(faults.seed)  # noqa: S311 - repeatable, not secret
        self._kinds = [*KINDS, ""]
        shares = [getattr(faults, kind) for kind in KINDS]
        self._weights = [*shares, max(0.0, 1.0 - sum(shares))]
        self._lock = threading.Lock()

    def next_fault(self) -> str:
        """Return the fault of the next request, one of :data:`KINDS`, or '' for none."""
        with self._lock:
            if self._script:
                return self._script.pop()
            return self._random.choices(self._kinds, self._weights)[0]

    def next_delivery_fault(self) -> str:
        """Return the fault of the next request to webhook, messages or files, or '' for none."""
        with self._lock:
            return self._delivery.pop() if self._delivery else ""
