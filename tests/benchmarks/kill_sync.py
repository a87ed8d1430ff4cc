"""Does a sync that is killed with -9 at random moments lose or double anything?

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/kill_sync.py``.
In each round a fresh store is filled by syncs that are killed, while the stand-in answers with every
fault it knows; the clock moves on between them, so that stored windows are read again and replaced.
After each kill every stored window must be whole, and no id be there twice. A round ends with syncs
that are left alone, after which the store must hold exactly the tenant's events.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
from stand_ins import ScaledClock

from audit_analytics.feishu._auth import Credentials
from audit_analytics.feishu._client import AuditLogClient
from audit_analytics.feishu._ratelimit import SharedLimiter
from audit_analytics.settings import Settings
from audit_analytics.simulate._ledger import KINDS, Faults
from audit_analytics.simulate._server import APP_ID, APP_SECRET, StandIn
from audit_analytics.source import read_log
from audit_analytics.store import Store
from audit_analytics.sync import sync

HOUR = timedelta(hours=1)
END = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOURS = 16
ROWS = 8000
UNLIMITED = 10_000_000


def make_items():
    first = int((END - HOURS * HOUR).timestamp())
    return [
        {
            "id": f"id-{n}",
            "api_key": "GET/open-apis/contact/v3/users/:user_id",
            "app_id": f"cli_{n % 9}",
            "event_time": first + n * HOURS * 3600 // ROWS,
        }
        for n in range(ROWS)
    ]


def fetch(url, clock, folder, now, began=None):
    limiter = SharedLimiter(folder / "quota", limit=UNLIMITED, period_seconds=0.001)
    credentials = Credentials(APP_ID, APP_SECRET)
    with AuditLogClient(
        credentials, base_url=url, limiter=limiter, sleep=clock.sleep, attempts=20
    ) as client:
        if began:
            began.set()
        return sync(
            Settings(),
            folder / "store",
            since=END - HOURS * HOUR,
            until=END,
            clock=now.timestamp,
            client=client,
        )


def check_windows(folder, times):
    """Count the ids on the disk; every stored window has to be whole."""
    store = Store(folder)
    found = Counter()
    stored = store.scan()
    if stored.damaged:
        raise SystemExit(f"damaged: {stored.damaged}")
    for manifest in stored.manifests:
        ids = pq.read_table(store.path_of(manifest.start))["id"].to_pylist()
        span = range(int(manifest.start.timestamp()), int(manifest.end.timestamp()))
        if sorted(ids) != sorted(name for name, at in times.items() if at in span):
            raise SystemExit(f"window {manifest.start} is not whole")
        found.update(ids)
    return found


def run_round(number, kills, chance):
    context = multiprocessing.get_context("forkserver")
    items = make_items()
    times = {item["id"]: item["event_time"] for item in items}
    faults = Faults(seed=number, slow_seconds=1, **dict.fromkeys(KINDS, 0.01))
    halfway = 0
    with (
        tempfile.TemporaryDirectory() as name,
        StandIn(
            items,
            limit=UNLIMITED,
            faults=faults,
            clock=ScaledClock(100),
            latency_seconds=chance.uniform(0, 4),
        ) as server,
    ):
        folder = Path(name)
        # The log grows while the syncs are killed.
        now = END - 3 * HOUR
        for _ in range(kills):
            began = context.Event()
            child = context.Process(
                target=fetch, args=(server.url, server.clock, folder, now, began)
            )
            child.start()
            began.wait()
            time.sleep(chance.uniform(0, 1.2))
            halfway += child.is_alive()
            child.kill()
            child.join()
            if (folder / "store").is_dir():
                found = check_windows(folder / "store", times)
                if max(found.values(), default=1) > 1:
                    # A whole window and the later half that was to replace it may both be there
                    # until the next sync; readers see each id once.
                    ids = read_log(folder / "store").events["id"]
                    if ids.duplicated().any():
                        raise SystemExit("an id is read twice")
            now += timedelta(minutes=chance.randrange(1, 40))
        for _ in range(20):
            result = fetch(server.url, server.clock, folder, END + 5 * HOUR)
            if not result.missing:
                break
        found = check_windows(folder / "store", times)
        is_same = found == Counter(list(times)) == Counter(server.served_ids)
        left = list((folder / "store" / ".partial").iterdir())
        return halfway, is_same and not left, len(server.requests)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--kills", type=int, default=10, help="kills a round")
    options = parser.parse_args()
    multiprocessing.set_forkserver_preload(["audit_analytics.sync"])
    chance = random.Random(0)  # noqa: S311 - repeatable
    killed = wrong = requests = 0
    for number in range(options.rounds):
        halfway, is_right, sent = run_round(number, options.kills, chance)
        killed, wrong, requests = killed + halfway, wrong + (not is_right), requests + sent
        print(
            f"round {number + 1}: {halfway} of {options.kills} kills hit a running sync, "
            f"{sent} requests, every event stored once: {is_right}",
            flush=True,
        )
    total = options.rounds * options.kills
    print(
        f"{total} kills, {killed} of them on a running sync; {wrong} of {options.rounds} stores wrong"
    )
    raise SystemExit(1 if wrong else 0)
