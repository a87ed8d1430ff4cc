"""How long counting and the weekly report take at 1, 10 and 100.8 million events a week.

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/scale.py rollup`` or ``weekly``, or
``growth`` for how judging and report grow with rows, apps, weeks and findings;
``--events 1000000 --events 10000000`` chooses the sizes, ``--rounds`` how often each method runs.
Every run is a process of its own, so that its peak memory is its own; rounds are interleaved and
medians shown. The ratio of processor seconds stands beside that of seconds: on a machine that is
busy with other things the second one depends on these. polars is used where it is installed. The
stores are made in a temporary folder, or kept in ``--folder`` for the next run.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from string import Template

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scale_growth import POINTS, time_growth
from scale_tenant import WEEKS, make_store, simulate_base

from audit_analytics import features
from audit_analytics.catalogue import Catalogue
from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.report import build_report
from audit_analytics.rollup import COLUMNS, keys_of
from audit_analytics.schema import CALLS_BY_API, CALLS_BY_IP, OUTCOMES
from audit_analytics.settings import Settings
from audit_analytics.store import Rollups, Store, read_calls
from audit_analytics.store._rollups import KINDS, path_of, read_day

SIZES = (1_000_000, 10_000_000, 100_800_000)
PANDAS_MAX = 10_000_000
"""pandas needs the whole week in memory; more than this is not tried."""

IP_DENIED = 99991401

ONE_SHOT = Template(
    "SELECT $keys, COUNT(*) AS calls_count, "  # noqa: S608 - our own names
    + ", ".join(f"SUM(CASE WHEN outcome = '{o}' THEN 1 ELSE 0 END) AS {o}_count" for o in OUTCOMES)
    + ", SUM(CASE WHEN response_code = 99991401 THEN 1 ELSE 0 END) AS ip_denied_count, "
    "COUNT(DISTINCT object) AS objects_count, "
    "COUNT(DISTINCT CASE WHEN outcome = 'ok' THEN object END) AS ok_objects_count, "
    "MIN(events.at) AS first_at, MAX(events.at) AS last_at FROM events GROUP BY $keys"
)


def list_files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.glob("day=*/*.parquet"))


def clear_counts(folder: Path) -> None:
    shutil.rmtree(folder / ".rollup", ignore_errors=True)


def count_ours(folder: Path) -> list[pa.Table]:
    store = Store(folder)
    days = list(Rollups(store, Catalogue.default()).refresh(store.scan().manifests, saving="held"))
    return [pa.concat_tables([day.tables[kind] for day in days]) for kind in KINDS]


def count_duckdb(folder: Path) -> list[pa.Table]:
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        connection.read_parquet(list_files(folder)).create_view("stored")
        connection.execute(
            "CREATE VIEW events AS SELECT date_trunc('hour', stored.at) AS bucket_at, * FROM stored"
        )
        return [
            connection.sql(ONE_SHOT.substitute(keys=", ".join(keys_of(table)))).to_arrow_table()
            for table in (CALLS_BY_API, CALLS_BY_IP)
        ]


def count_polars(folder: Path) -> list[pa.Table]:
    import polars as pl  # noqa: PLC0415 - only where it is installed

    events = pl.scan_parquet(list_files(folder)).select(COLUMNS)
    events = events.with_columns(bucket_at=pl.col("at").dt.truncate("1h"))
    objects = pl.col("object").drop_nulls()
    counts = [
        pl.len().alias("calls_count"),
        *((pl.col("outcome") == name).sum().alias(f"{name}_count") for name in OUTCOMES),
        (pl.col("response_code") == IP_DENIED).sum().alias("ip_denied_count"),
        objects.n_unique().alias("objects_count"),
        pl.col("object")
        .filter((pl.col("outcome") == "ok") & pl.col("object").is_not_null())
        .n_unique()
        .alias("ok_objects_count"),
        pl.col("at").min().alias("first_at"),
        pl.col("at").max().alias("last_at"),
    ]
    return [
        events.group_by(keys_of(table)).agg(counts).collect(engine="streaming").to_arrow()
        for table in (CALLS_BY_API, CALLS_BY_IP)
    ]


def count_pandas(folder: Path, *, categories: bool) -> list[pa.Table]:
    words = [name for name in COLUMNS if name not in {"at", "object", "response_code"}]
    read = words if categories else []
    tables = [
        pq.ParquetFile(path, read_dictionary=read).read(columns=list(COLUMNS))
        for path in list_files(folder)
    ]
    events = pa.concat_tables(tables).unify_dictionaries().replace_schema_metadata(None)
    del tables
    # a double holds no 64-bit hash
    place = events.column_names.index("object")
    events = events.set_column(place, "object", events["object"].fill_null(0)).to_pandas()
    for name in OUTCOMES:
        events[f"{name}_count"] = events["outcome"] == name
    events["bucket_at"] = events["at"].dt.floor("h")
    object_ = events["object"].astype("Int64").mask(events["object"] == 0)
    events["object"] = object_
    events["ok_object"] = object_.where(events["ok_count"])
    events["ip_denied_count"] = events["response_code"] == IP_DENIED
    counts = {"calls_count": ("at", "size"), "ip_denied_count": ("ip_denied_count", "sum")}
    counts |= {f"{name}_count": (f"{name}_count", "sum") for name in OUTCOMES}
    counts |= {"objects_count": ("object", "nunique"), "ok_objects_count": ("ok_object", "nunique")}
    counts |= {"first_at": ("at", "min"), "last_at": ("at", "max")}
    return [
        pa.Table.from_pandas(events.groupby(keys_of(table), observed=True).agg(**counts))
        for table in (CALLS_BY_API, CALLS_BY_IP)
    ]


def count_pandas_categories(folder: Path) -> list[pa.Table]:
    return count_pandas(folder, categories=True)


def count_pandas_strings(folder: Path) -> list[pa.Table]:
    return count_pandas(folder, categories=False)


def run_features(folder: Path) -> list[pa.Table]:
    store = Store(folder)
    calls = read_calls(store, store.scan().manifests, Catalogue.default())
    made = [
        f(calls, zero_fill=False) for f in (features.per_app, features.per_ip, features.per_api)
    ]
    return [pa.table({"calls_count": [int(table["calls_count"].sum())]}) for table in made]


def run_weekly(folder: Path) -> list[pa.Table]:
    settings = Settings()
    began = time.perf_counter()
    log = count_log(folder, settings)
    counted = time.perf_counter()
    data = judge_week(log, settings=settings)
    judged = time.perf_counter()
    build_report(data)
    parts = [counted - began, judged - counted, time.perf_counter() - judged]
    rows = [len(log.calls.by_api), len(log.calls.by_ip), len(data.findings)]
    return [pa.table({"calls_count": [log.counts["events"]], "parts": [parts], "rows": [rows]})]


METHODS = {
    "ours": count_ours,
    "DuckDB, one shot": count_duckdb,
    "polars, streaming": count_polars,
    "pandas, categories": count_pandas_categories,
    "pandas, strings": count_pandas_strings,
}


WEEKLY = ("cold: nothing of the week counted", "warm", "Monday: last day not counted")


def measure(function: object, folder: Path) -> dict:
    """Run in a process of its own: seconds, peak memory, and what came out."""
    began, used = time.perf_counter(), time.process_time()
    tables = function(folder)
    took, used = time.perf_counter() - began, time.process_time() - used
    # not ru_maxrss: that of a new process begins with what the process that made it had
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 2**20
    sums = [
        tuple(
            int(pc.sum(table[name]).as_py())
            for name in ("calls_count", "ip_denied_count", "objects_count", "ok_objects_count")
            if name in table.column_names
        )
        for table in tables
    ]
    more = tables[0].to_pylist()[0] if "parts" in tables[0].column_names else {}
    return {
        "seconds": took,
        "processor": used,
        "peak_gib": peak,
        "check": (sums, [len(t) for t in tables]),
        **more,
    }


def in_process(function: object, folder: Path) -> dict:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, function, folder).result()


def exponent(sizes: list[int], seconds: list[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def make_week(base: Path, target: Path, size: int) -> Path:
    if not target.exists():
        made = target.with_name(f"{target.name}.part")
        make_store(base, made, size, weeks=range(WEEKS - 1, WEEKS))
        made.rename(target)
    return target


def compare_rollups(options: argparse.Namespace, folder: Path, base: Path) -> None:
    names = [n for n in METHODS if "polars" not in n or importlib.util.find_spec("polars")]
    names = [n for n in names if n == "ours" or not options.method or n in options.method]
    medians: dict[str, list[tuple[int, float]]] = {name: [] for name in (*names, "features")}
    processors: dict[str, list[tuple[int, float]]] = {name: [] for name in medians}
    for size in options.events:
        target = make_week(base, folder / f"week-{size}", size)
        disk = sum(Path(path).stat().st_size for path in list_files(target)) / 1e9
        print(f"\n== {size:,} events, {disk:.2f} GB")
        runs: dict[str, list[dict]] = {name: [] for name in medians}
        chosen = [n for n in names if size <= PANDAS_MAX or "pandas" not in n]
        for _ in range(options.rounds if size <= PANDAS_MAX else options.large_rounds):
            for name in chosen:
                clear_counts(target)
                runs[name].append(in_process(METHODS[name], target))
                print(f"   {name}: {runs[name][-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
            clear_counts(target)
            in_process(count_ours, target)
            runs["features"].append(in_process(run_features, target))
        check = runs["ours"][0]["check"]
        ours = statistics.median(run["seconds"] for run in runs["ours"])
        ours_processor = statistics.median(run["processor"] for run in runs["ours"])
        for name in [*chosen, "features"]:
            seconds = statistics.median(run["seconds"] for run in runs[name])
            processor = statistics.median(run["processor"] for run in runs[name])
            medians[name].append((size, seconds))
            processors[name].append((size, processor))
            peak = max(run["peak_gib"] for run in runs[name])
            same = "" if name == "features" else runs[name][0]["check"] == check
            print(
                f"{name:<20}{seconds:>9.2f} s{processor:>9.2f} s processor{peak:>8.2f} GiB"
                f"   ours/this {ours / seconds:5.2f}, processor {ours_processor / processor:5.2f}"
                f"   same counts: {same}",
                flush=True,
            )
    print_exponents(medians)
    print_exponents(processors, "processor seconds")


def time_weekly(options: argparse.Namespace, folder: Path, base: Path) -> None:
    """Time the weekly report on a report week of every size and four weeks of history.

    The events of the history are made at a million a week, and their counts are then multiplied
    to the size of the report week: every hour has the tenant's own keys at any size, so that what
    weekly reads is as large as it would be.
    """
    history = folder / "history"
    if not history.exists():
        make_store(base, history, SIZES[0], weeks=range(WEEKS - 1))
        in_process(count_ours, history)
    points: dict[str, list[tuple[int, float]]] = {name: [] for name in WEEKLY}
    for size in options.events:
        week = make_week(base, folder / f"week-{size}", size)
        clear_counts(week)
        target = folder / f"weekly-{size}"
        shutil.copytree(history, target, copy_function=os.link)
        multiply_counts(target, size / SIZES[0])
        kept = target / ".kept"
        shutil.copytree(target / ".rollup", kept)
        for day in week.glob("day=*"):
            # the two meet in the middle of a UTC day
            shutil.copytree(day, target / day.name, copy_function=os.link, dirs_exist_ok=True)
        print(f"\n== report week of {size:,} events on a history of four such weeks")
        runs: dict[str, list[dict]] = {name: [] for name in WEEKLY}
        for _ in range(options.rounds if size <= PANDAS_MAX else options.large_rounds):
            clear_counts(target)
            shutil.copytree(kept, target / ".rollup")
            for name in WEEKLY:
                if "last day" in name:
                    for path in (target / ".rollup").glob(f"*/{last_day(target)}"):
                        path.unlink()
                runs[name].append(in_process(run_weekly, target))
        for name in WEEKLY:
            seconds = statistics.median(run["seconds"] for run in runs[name])
            processor = statistics.median(run["processor"] for run in runs[name])
            points[name].append((size, seconds))
            parts = ", ".join(f"{part:.1f}" for part in runs[name][0]["parts"])
            peak = max(run["peak_gib"] for run in runs[name])
            rows_read = runs[name][0]["rows"]
            print(
                f"{name:<32}{seconds:>8.1f} s{processor:>8.1f} s processor{peak:>7.2f} GiB"
                f"   counting, judging, report: {parts}   rows of counts {rows_read[0]:,} + "
                f"{rows_read[1]:,}, {rows_read[2]} findings",
                flush=True,
            )
        shutil.rmtree(target)
    print_exponents(points)


def multiply_counts(folder: Path, factor: float) -> None:
    for day in {window.start.date() for window in Store(folder).scan().manifests}:
        for kind in KINDS:
            path = path_of(folder, kind, day)
            _, table = read_day(folder, kind, day)
            for place, name in enumerate(table.column_names):
                if name.endswith("_count"):
                    counts = pc.cast(pc.round(pc.multiply(table[name], factor)), pa.int64())
                    table = table.set_column(place, name, counts)
            metadata = pq.read_metadata(path).metadata
            path.unlink()  # it is a link
            pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")


def last_day(folder: Path) -> str:
    """Name the file of the last whole UTC day: the week may end in the middle of one."""
    return f"{max(folder.glob('day=*/23-00-00.parquet')).parent.name}.parquet"


def print_exponents(
    medians: dict[str, list[tuple[int, float]]], what: str = "seconds", of: str = "events"
) -> None:
    print(f"\ngrowth exponent ({what} ~ {of}^x), all sizes and the last two")
    for name, points in medians.items():
        if len(points) > 1:
            both = [exponent(*map(list, zip(*part, strict=True))) for part in (points, points[-2:])]
            print(f"{name:<32}{both[0]:6.2f}{both[1]:6.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["rollup", "weekly", "growth"])
    parser.add_argument("--events", type=int, action="append")
    parser.add_argument("--method", action="append", help="Beside ours; all unless given.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large-rounds", type=int, default=1)
    parser.add_argument("--apps", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="Keeps what was made; it must exist.")
    chosen = parser.parse_args()
    chosen.events = chosen.events or list(SIZES)
    with tempfile.TemporaryDirectory() as made:
        kept = chosen.folder or Path(made)
        if chosen.what == "growth":
            grown = {name: time_growth(kept, name, rounds=chosen.rounds) for name in POINTS}
            print_exponents(grown, "processor seconds", of="what is named")
            sys.exit()
        start = kept / "base.parquet"
        if not start.exists():
            simulate_base(start, apps=chosen.apps, seed=1)
        {"rollup": compare_rollups, "weekly": time_weekly}[chosen.what](chosen, kept, start)
