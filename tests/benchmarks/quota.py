"""How much of the quota does a long sync use, and is it ever told to slow down?

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/quota.py``.
Each line is one sync of 24 windows against the stand-in, which counts 100 requests a minute on a
clock that runs faster than the sun. The share is taken over whole hundreds of requests, each of which
waits for the one a hundred before it, so it is what an endless sync would reach.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from stand_ins import FixedQuota, ScaledClock

from audit_analytics.feishu._auth import Credentials
from audit_analytics.feishu._client import AuditLogClient
from audit_analytics.feishu._pages import Query
from audit_analytics.feishu._ratelimit import SharedLimiter
from audit_analytics.simulate._server import APP_ID, APP_SECRET, LOG_PATH, StandIn

START = datetime(2026, 3, 2, tzinfo=UTC)
WINDOWS = 24
PAGE_SIZE = 10
THREADS = 8
LIMIT = 100


def sync(url: str, clock: ScaledClock, record: Path, windows: range, threads: int) -> None:
    limiter = SharedLimiter(record, clock=clock.time, sleep=clock.sleep)
    with (
        AuditLogClient(
            Credentials(APP_ID, APP_SECRET),
            base_url=url,
            limiter=limiter,
            clock=clock.time,
            sleep=clock.sleep,
        ) as client,
        ThreadPoolExecutor(threads) as pool,
    ):

        def read(hour: int) -> int:
            at = START + timedelta(hours=hour)
            query = Query(at, at + timedelta(hours=1), page_size=PAGE_SIZE)
            return sum(len(page.items) for page in client.iter_pages(query))

        for _ in pool.map(read, windows):
            pass


def measure(*, latency: float, processes: int, quota: str, minutes: int, speed: float) -> str:
    pages = minutes * LIMIT // WINDOWS
    items = [
        {
            "id": f"{hour}-{i}",
            "api_key": "GET/x",
            "event_time": int(START.timestamp()) + hour * 3600 + i % 3500,
        }
        for hour in range(WINDOWS)
        for i in range(pages * PAGE_SIZE)
    ]
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        StandIn(items, latency_seconds=latency, clock=ScaledClock(speed)) as server,
    ):
        if quota == "fixed":
            server._quota = FixedQuota(limit=LIMIT, period_seconds=60.0)
        record = Path(folder) / "quota.sqlite"
        workers = [
            spawn.Process(
                target=sync,
                args=(
                    server.url,
                    server.clock,
                    record,
                    range(part, WINDOWS, processes),
                    THREADS // processes,
                ),
            )
            for part in range(processes)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        asked = [served for served in server.requests if served.path == LOG_PATH]
        refused = sum(served.status == 429 for served in asked)
        arrivals = sorted(served.at for served in asked if served.status == 200)
        later = (len(arrivals) - 1) // LIMIT * LIMIT
        took = arrivals[-1] - arrivals[-1 - later]
        complete = server.served_ids == {item["id"] for item in items}
        return (
            f"{latency:4.1f} s  {processes} process(es)  {quota:7}  "
            f"{later / (took / 60 * LIMIT):6.1%} of the quota  {refused} x 429  "
            f"{len(arrivals)} requests in {took / 60:.1f} min  complete: {complete}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=8, help="length of each sync at the quota")
    parser.add_argument("--speed", type=float, default=10.0, help="clock seconds a real second")
    options = parser.parse_args()
    for quota in ("sliding", "fixed"):
        for processes in (1, 2):
            for latency in (0.3, 2.0):
                print(
                    measure(
                        latency=latency,
                        processes=processes,
                        quota=quota,
                        minutes=options.minutes,
                        speed=options.speed,
                    ),
                    flush=True,
                )
