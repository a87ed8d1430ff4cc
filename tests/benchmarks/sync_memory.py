"""Does a sync take more memory when the hour is dense?

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/sync_memory.py``.
Each line is one sync of a single window in a process of its own; the stand-in runs in another.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from audit_analytics.feishu._auth import Credentials
from audit_analytics.feishu._client import AuditLogClient
from audit_analytics.feishu._ratelimit import SharedLimiter
from audit_analytics.settings import Settings
from audit_analytics.simulate._server import APP_ID, APP_SECRET, StandIn
from audit_analytics.store import Store
from audit_analytics.sync import sync

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
UNLIMITED = 10_000_000


def make_items(count):
    first = int(START.timestamp())
    for n in range(count):
        yield {
            "id": f"7{n:018d}",
            "api_key": "GET/open-apis/contact/v3/users/:user_id",
            "app_id": f"cli_{n % 50:016x}",
            "event_time": first + n * 3600 // count,
            "ip": f"203.0.{n % 200}.{n % 7}",
            "log_detail": {
                "path": f"/open-apis/contact/v3/users/ou_{n % 90_000:032x}",
                "method": "GET",
                "query_param": '{"user_id_type":"open_id"}',
                "payload": "",
                "status_code": 200,
                "response": '{"code":0,"msg":"success"}',
            },
        }


def serve(count, pipe):
    with StandIn(make_items(count), limit=UNLIMITED) as server:
        pipe.send(server.url)
        pipe.recv()


def fetch(url, folder, pipe):
    limiter = SharedLimiter(folder / "quota", limit=UNLIMITED, period_seconds=0.001)
    credentials = Credentials(APP_ID, APP_SECRET)
    with AuditLogClient(credentials, base_url=url, limiter=limiter) as client:
        began = time.monotonic()
        result = sync(
            Settings(),
            folder / "store",
            since=START,
            until=START + timedelta(hours=1),
            clock=(START + timedelta(hours=3)).timestamp,
            client=client,
        )
        took = time.monotonic() - began
    size = Store(folder / "store").path_of(START).stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send((result.stored[0].rows_count, peak, took, size / 1e6))


def measure(count):
    spawn = multiprocessing.get_context("spawn")
    near, far = spawn.Pipe()
    server = spawn.Process(target=serve, args=(count, far))
    server.start()
    url = near.recv()
    with tempfile.TemporaryDirectory() as folder:
        mine, theirs = spawn.Pipe()
        child = spawn.Process(target=fetch, args=(url, Path(folder), theirs))
        child.start()
        rows, peak, took, size = mine.recv()
        child.join()
    near.send("stop")
    server.join()
    print(
        f"{rows:>9,} rows  peak {peak:6.1f} MiB  {took:6.1f} s  {size:6.1f} MB stored", flush=True
    )
    return peak


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs=2, default=[10_000, 600_000])
    few, many = (measure(count) for count in parser.parse_args().rows)
    print(f"peak of the dense window / of the thin one: {many / few:.3f}")
