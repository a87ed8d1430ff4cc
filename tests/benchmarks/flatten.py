"""Flattening against ``pandas.json_normalize`` and other readers on the same pages.

All sides read the same file of pages (100 items a line) and decode the JSON themselves. Only ours
matches APIs, reads the JSON within the JSON, normalises, drops duplicates and sorts; the others
stop at one column a field. Every measurement is a process of its own, so that its peak memory is
its own, and the sides take turns, so that a busy machine slows all; ``busy`` is processor time, imports
included, which other programs hardly change. Ours is measured with one
thread and with two.
Run: ``python tests/benchmarks/flatten.py --rows 1000000``
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from audit_analytics.source import read_log

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 100
APIS = (
    ("GET", "/open-apis/contact/v3/users/:user_id", "ou_"),
    ("GET", "/open-apis/im/v1/messages/:message_id", "om_"),
    ("GET", "/open-apis/docx/v1/documents/:document_id/blocks", "doxcn"),
    ("GET", "/open-apis/drive/v1/files/:file_token/comments", "boxcn"),
    ("POST", "/open-apis/im/v1/messages", ""),
    ("POST", "/open-apis/contact/v3/users/batch_get_id", ""),
    ("GET", "/open-apis/contact/v3/users", ""),
    ("POST", "/open-apis/auth/v3/tenant_access_token/internal", ""),
)


def write_pages(path: Path, rows: int) -> None:
    """Write pages in which every id and most payloads differ and about 30 % of the paths do."""
    rng = random.Random(7)  # noqa: S311 - test data
    apps = [f"cli_{rng.randrange(16**16):016x}" for _ in range(200)]
    ips = [f"203.0.{rng.randrange(256)}.{rng.randrange(256)}" for _ in range(3000)]
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, rows, PAGE):
            items = [make_item(rng, start + n, apps, ips) for n in range(min(PAGE, rows - start))]
            page = {"code": 0, "msg": "success", "data": {"items": items, "has_more": True}}
            file.write(json.dumps(page, ensure_ascii=False, separators=(",", ":")) + "\n")


def make_item(
    rng: random.Random, number: int, apps: list[str], ips: list[str]
) -> dict[str, object]:
    method, template, prefix = rng.choices(APIS, (14, 10, 8, 8, 30, 10, 10, 10))[0]
    # Three in four concrete ids are new, so that about 30 % of all paths are distinct.
    name = f"{prefix}{rng.randrange(16**24) if rng.random() < 0.75 else rng.randrange(500):024x}"
    segments = [name if s.startswith(":") else s for s in template.split("/")]
    failed = rng.random() < 0.06
    response = (
        {
            "code": rng.choice((99991672, 99991663, 230002, 1254043)),
            "msg": "no permission",
            "error": {"log_id": f"{rng.randrange(16**32):032x}"},
        }
        if failed
        else {"code": 0, "msg": "success"}
    )
    query = {"user_id_type": "open_id"}
    if method == "GET" and rng.random() < 0.5:
        query |= {"page_size": "50", "page_token": f"{rng.randrange(16**16):016x}"}
    payload = ""
    if method == "POST":
        payload = json.dumps(
            {
                "receive_id": f"oc_{rng.randrange(16**20):020x}",
                "msg_type": "text",
                "content": json.dumps({"text": "x" * rng.randrange(20, 200)}),
            }
        )
    return {
        "id": f"{rng.randrange(16**12):012x}{number:08x}",
        "api_key": method + template,
        "event_time": 1_700_000_000 + number // 20,
        "app_id": rng.choice(apps),
        "ip": rng.choice(ips),
        "log_detail": {
            "path": "/".join(segments),
            "method": method,
            "query_param": json.dumps(query),
            "payload": payload,
            "status_code": 400 if failed else 200,
            "response": json.dumps(response),
        },
    }


def read_items(path: Path) -> list[dict[str, object]]:
    items = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            items += json.loads(line)["data"]["items"]
    return items


def read_plainly(path: Path) -> int:
    """Do what one writes without a library: a flat dict a row, then a frame."""
    rows = [{**item, **item.pop("log_detail")} for item in read_items(path)]  # type: ignore[dict-item]
    return len(pd.DataFrame(rows))


def read_polars(path: Path) -> int:
    import polars as pl  # noqa: PLC0415 - not a dependency

    pages = pl.read_ndjson(path, infer_schema_length=1)
    items = pages.select(pl.col("data").struct.field("items")).explode("items").unnest("items")
    return items.unnest("log_detail").height


def read_duckdb(path: Path) -> int:
    import duckdb  # noqa: PLC0415 - not needed by the other sides

    sql = """
        SELECT unnest(item, recursive := true)
        FROM (SELECT unnest(data.items) AS item FROM read_json(?, format = 'newline_delimited'))
    """
    with duckdb.connect() as connection:
        return len(connection.execute(sql, [str(path)]).df())


SIDES: dict[str, Callable[[Path], int]] = {
    "ours, 1 thread": lambda path: len(read_log(path, n_jobs=1).events),
    "ours, 2 threads": lambda path: len(read_log(path, n_jobs=2).events),
    "json_normalize": lambda path: len(pd.json_normalize(read_items(path))),
    "json, DataFrame": read_plainly,
    "polars": read_polars,
    "DuckDB read_json": read_duckdb,
}


def measure(side: str, path: Path) -> None:
    """Read the file once and print seconds, rows and peak memory; runs in a process of its own."""
    start = time.perf_counter()
    rows = SIDES[side](path)
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = used.ru_maxrss / 2**20
    busy = used.ru_utime + used.ru_stime
    print(json.dumps({"seconds": seconds, "busy": busy, "rows": rows, "peak": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--measure", nargs=2, metavar=("SIDE", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure[0], Path(arguments.measure[1]))
        return
    sides = [*arguments.sides]
    if "polars" in sides and importlib.util.find_spec("polars") is None:
        print("polars is not installed and left out")
        sides.remove("polars")
    results: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pages.jsonl"
        write_pages(path, arguments.rows)
        print(f"{arguments.rows:,} rows, {path.stat().st_size / 2**20:,.0f} MiB of pages")
        for _ in range(arguments.rounds):
            for side, runs in results.items():
                command = [sys.executable, __file__, "--measure", side, str(path)]
                answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                runs.append(json.loads(answer.stdout))
                assert runs[-1]["rows"] == arguments.rows
                seconds, busy, peak = (runs[-1][name] for name in ("seconds", "busy", "peak"))
                shown = f"{seconds:7.2f} s  busy {busy:6.2f} s  peak {peak:.2f} GiB"
                print(f"  {side:18} {shown}", flush=True)
    medians = {
        side: statistics.median(r["seconds"] for r in runs) for side, runs in results.items()
    }
    reference = medians.get("json_normalize")
    for side, seconds in medians.items():
        peak = max(run["peak"] for run in results[side])
        ratio = f"  {reference / seconds:5.2f} x json_normalize" if reference else ""
        print(f"{side:18} {arguments.rows / seconds:10,.0f} rows/s  peak {peak:.2f} GiB{ratio}")


if __name__ == "__main__":
    main()
