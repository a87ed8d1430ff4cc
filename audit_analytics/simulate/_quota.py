"""The rate limit as a server keeps it."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

ALGORITHMS: Final = ("sliding", "fixed")


class Quota:
    """Counts requests as they arrive; refused ones do not count.

    The period ends now (``sliding``), or begins at a multiple of its length (``fixed``).

    Examples
    --------
    >>> quota = Quota(limit=1, period_seconds=60, algorithm="sliding")
    >>> quota.take(100.0), quota.take(101.0), quota.take(160.0)
    (0.0, 59.0, 0.0)
    """

    def __init__(self, *, limit: int, period_seconds: float, algorithm: str = "sliding") -> None:
        if algorithm not in ALGORITHMS:
            raise ValueError(f"quota: algorithm {algorithm!r}; give one of {', '.join(ALGORITHMS)}")
        self.limit = limit
        self._period_seconds = period_seconds
        self._is_sliding = algorithm == "sliding"
        self._arrivals: deque[float] = deque()
        self._lock = threading.Lock()

    def take(self, now: float) -> float:
        """Count a request and return 0, or the seconds until the next one may."""
        with self._lock:
            period = self._period_seconds
            first = now - period if self._is_sliding else now - now % period
            while self._arrivals and (
                self._arrivals[0] <= first if self._is_sliding else self._arrivals[0] < first
            ):
                self._arrivals.popleft()
            if len(self._arrivals) < self.limit:
                self._arrivals.append(now)
                return 0.0
            return (self._arrivals[0] if self._is_sliding else first) + period - now
