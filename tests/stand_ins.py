"""What takes the place of something slow that a test is not about, or that a test can turn."""

from __future__ import annotations

import time
import zlib
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import NamedTuple

from audit_analytics.simulate._ledger import Ledger
from audit_analytics.simulate._loopback import LoopbackServer, Quota, Reply, _Handler


class Flat:
    """A detector that finds nothing, in the forest's place."""

    def fit(self, X):  # noqa: N803
        pass

    def score_samples(self, X):  # noqa: N803
        return X[:, 0] * 0.0


@dataclass(frozen=True)
class ScaledClock:
    """Seconds since the epoch, `speed` times as fast; the same in every process it is sent to.

    It starts at the real time `started_at`, `skew_seconds` ahead.
    """

    speed: float = 1.0
    skew_seconds: float = 0.0
    started_at: float = field(default_factory=time.time)

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return self.started_at + self.skew_seconds + (time.time() - self.started_at) * self.speed

    def sleep(self, seconds: float) -> None:
        """Wait seconds of this clock."""
        ends_at = self.time() + seconds
        while (left := ends_at - self.time()) > 0:
            time.sleep(left / self.speed)


class OddLedger(Ledger):
    """A log whose ends, order and lateness are what nobody documents."""

    def __init__(
        self,
        items,
        *,
        late_share=0.0,
        late_seconds=0.0,
        page_token_seconds=7200.0,
        includes_start=True,
        includes_end=True,
        is_descending=False,
    ):
        super().__init__(items)
        self.page_token_seconds = page_token_seconds
        self._late = late_share, late_seconds
        self._includes_start = includes_start
        self._includes_end = includes_end
        self._is_descending = is_descending

    def _find_span(self, first_second, last_second):
        low = bisect_left(self.times, first_second + (not self._includes_start))
        span = range(low, bisect_left(self.times, last_second + self._includes_end))
        return span[::-1] if self._is_descending else span

    def _shows_at(self, row):
        share, seconds = self._late
        is_late = zlib.crc32(self.ids[row].encode("utf-8", "replace")) / 2**32 < share
        return self.times[row] + (seconds if is_late else 0.0)


class FixedQuota(Quota):
    """Counts requests over periods that begin at multiples of their length."""

    def take(self, now):
        begin = now - now % self._period_seconds
        with self._lock:
            while self._arrivals and self._arrivals[0] < begin:
                self._arrivals.popleft()
            if len(self._arrivals) < self.limit:
                self._arrivals.append(now)
                return 0.0
            return begin + self._period_seconds - now


class Dropped:
    """The connection ends without an answer."""


class Trickled(NamedTuple):
    """An answer each byte of which takes some real seconds."""

    reply: Reply
    seconds: float


class _OddHandler(_Handler):
    def _send(self, reply):
        if isinstance(reply, Reply):
            super()._send(reply)
            return
        self.close_connection = True
        if isinstance(reply, Trickled):
            for byte in b"HTTP/1.1 %d OK\r\nX-Slow: %b" % (reply.reply.status, reply.reply.body):
                time.sleep(reply.seconds)
                # fails, and so ends, when the other side has left
                self.wfile.write(bytes([byte]))
                self.wfile.flush()


class OddServer(LoopbackServer):
    """One whose answers may be dropped or trickle."""

    def __init__(self, *args):
        super().__init__(*args)
        self.RequestHandlerClass = _OddHandler
