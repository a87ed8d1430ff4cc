"""What a notebook user would do instead: msticpy on the same week, and what it finds.

Run from the project root:
``PYTHONPATH=. python tests/benchmarks/msticpy_week.py --peers VENV/bin/python`` where VENV has
``msticpy[ml]`` and ``pyarrow``. Both get the hourly counts of apps and addresses; msticpy's
time-series decomposition (``ts_anomalies_stl``) of each of them, the hours it flags ranked by their
score, and its ``identify_outliers`` fitted on the weeks before. Worlds, labels and grading are
those of detection.py.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import pandas as pd
from detection import OURS, parse_seeds, print_results, run
from detection_methods import COUNTS, HOUR, METHODS, Judged

PEER = Path(__file__).with_name("msticpy_peer.py")
WAYS = {
    "msticpy, STL of calls": "stl of calls",
    "msticpy, STL of calls, weekly": "stl of calls, weekly",
    "msticpy, STL of every count": "stl of every count",
    "msticpy, outliers": "outliers",
}
IP_COUNTS = ["calls_count", "auth_count", "permission_count", "not_found_count", "objects_count"]


def count_hours(judged: Judged) -> pd.DataFrame:
    """Active hours of apps and of addresses with their counts, and whether they are of the week."""
    apps = judged.hourly[["entity", "bucket_at", "now", *COUNTS]]
    by_ip = judged.calls.by_ip
    by_ip = by_ip[by_ip["ip"] != ""]
    sums = by_ip.groupby(["ip", "bucket_at"], observed=True, as_index=False)[IP_COUNTS].sum()
    sums["entity"] = "ip:" + sums["ip"].astype("str")
    sums["now"] = sums["bucket_at"] >= judged.week.start_at
    return pd.concat([apps, sums[["entity", "bucket_at", "now", *IP_COUNTS]]]).fillna(0)


def rank_by_msticpy(judged: Judged, *, python: str, way: str) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as made:
        source, target = Path(made) / "hourly.parquet", Path(made) / "cases.parquet"
        count_hours(judged).to_parquet(source, index=False)
        command = [python, str(PEER), str(source), way, str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{PEER.name}: {done.stderr}")
        cases = pd.read_parquet(target)
    start = pd.to_datetime(cases["start_at"], utc=True)
    return cases.assign(start_at=start, end_at=start + HOUR)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="Python with msticpy[ml] and pyarrow.")
    parser.add_argument("--seeds", type=parse_seeds, default="100-103")
    parser.add_argument("--apps", type=int, default=200)
    parser.add_argument("--weeks", type=int, default=5)
    parser.add_argument("--sizes", default="1")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "audit-analytics-worlds"
    )
    options = parser.parse_args()
    for name, way in WAYS.items():
        METHODS[name] = partial(rank_by_msticpy, python=options.peers, way=way)
    options.methods = [OURS, *WAYS]
    sizes = [float(size) for size in options.sizes.split(",")]
    results = [run((seed, False, sizes, options)) for seed in options.seeds]
    attacks, weeks = (pd.concat(tables, ignore_index=True) for tables in zip(*results, strict=True))
    print_results(attacks, weeks)
