"""Two clocks, this machine's and the platform's, of which one may be wrong.

Nobody can tell which. So a sync goes by the earlier of the two: a window read too early is read
again, while one that seems to have been read later than it was would never be.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from audit_analytics.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from audit_analytics.feishu.client import AuditLogClient, Skew

TOLERANCE_SECONDS: Final = 60.0
"""Difference that is nothing to speak of; rows are given ten times as long to show."""


_log = logging.getLogger(__name__)


def compare_clocks(client: AuditLogClient, clock: Callable[[], float]) -> tuple[datetime, str]:
    """Compare this machine's clock with the platform's: the earlier time, and what to say of it.

    The sentence has no full stop, and is empty if they agree.
    """
    try:
        skew = client.measure_skew()
    except RemoteError as error:
        # the windows fail for the same reason, and say so
        _log.info("the clocks were not compared: %s", error)
        skew = None
    return _find_earlier(clock(), skew), _describe_skew(skew)


def _find_earlier(at: float, skew: Skew | None) -> datetime:
    """Return the time by the clock that is behind; `at` is this machine's, in seconds since the epoch.

    Examples
    --------
    >>> from audit_analytics.feishu._calls import Skew
    >>> str(_find_earlier(1772445600, Skew(3600, 3601)))
    '2026-03-02 09:00:00+00:00'
    """
    ahead = max(skew.certain_seconds, 0.0) if skew else 0.0
    return datetime.fromtimestamp(at - ahead, UTC)


def _describe_skew(skew: Skew | None) -> str:
    """Say that the clocks disagree, in a sentence without its full stop; empty if they agree.

    Examples
    --------
    >>> from audit_analytics.feishu._calls import Skew
    >>> _describe_skew(Skew(-86400, -86399)).partition(";")[0]
    "this machine's clock is 24 h behind the platform's"
    """
    seconds = skew.certain_seconds if skew else 0.0
    if abs(seconds) <= TOLERANCE_SECONDS:
        return ""
    way = "ahead of" if seconds > 0 else "behind"
    return (
        f"this machine's clock is {_show(abs(seconds))} {way} the platform's; one of them is wrong. "
        "The log is read up to the earlier one, and what may have come later is read again; set this "
        "machine's clock by NTP"
    )


def _show(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < 72 else f"{round(seconds / 86400):,} days"
