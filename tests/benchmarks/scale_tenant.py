"""Make a store of many events quickly: the simulated tenant, each of its calls many times over.

An hour of the store has the apps, addresses, APIs, errors and payloads that the simulated tenant
has at that hour of the week, so that rates, rhythm and mixture are the tenant's; ids, seconds,
objects and paths are new for every row. Weeks of history know nothing of the report week.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audit_analytics.catalogue import Catalogue
from audit_analytics.simulate import simulate_company
from audit_analytics.source import read_log
from audit_analytics.store import Manifest, Store
from audit_analytics.store._manifest import MANIFEST_KEY, REJECTS_KEY, SCHEMA

WEEK_HOURS = 168
WEEKS = 5
HOUR = pd.Timedelta(hours=1)
ROW_GROUP = 122_880
"""Rows of a row group, as ``store compact`` leaves them."""

COPIES_PER_OBJECT = 3


def simulate_base(path: Path, *, apps: int, seed: int, weeks: int = WEEKS) -> None:
    """Write the simulated tenant's events; its last week ends the log."""
    company = simulate_company(seed=seed, apps=apps, weeks=weeks)
    read_log(list(company.items())).events.to_parquet(path)


@cache
def _load_base(path: str) -> tuple[pd.Timestamp, list[pa.Table], list[pa.Table]]:
    """Return the first hour, and the rows of each hour of a week: of history, and of all weeks."""
    events = pd.read_parquet(path)
    at = events["at"]
    monday = at.max().tz_convert("Asia/Shanghai").normalize()
    monday -= pd.Timedelta(days=monday.day_of_week)
    start = monday.tz_convert("UTC") - pd.Timedelta(weeks=WEEKS - 1)
    events = events[at >= start]
    hour = ((events["at"] - start) // HOUR).to_numpy()
    words = [c for c in events if isinstance(events[c].dtype, pd.CategoricalDtype)]
    table = pa.Table.from_pandas(
        events.astype(dict.fromkeys(words, "str")), schema=SCHEMA, preserve_index=False
    )
    for name in [*words, "path"]:
        place = table.column_names.index(name)
        table = table.set_column(place, name, table[name].combine_chunks().dictionary_encode())
    table = table.combine_chunks()
    past = [
        table.take(np.flatnonzero((hour % WEEK_HOURS == h) & (hour < (WEEKS - 1) * WEEK_HOURS)))
        for h in range(WEEK_HOURS)
    ]
    last = [
        table.take(np.flatnonzero((hour % WEEK_HOURS == h) & (hour >= (WEEKS - 1) * WEEK_HOURS)))
        for h in range(WEEK_HOURS)
    ]
    return start, past, last


def _count_rows(base: str, events_per_week: int) -> np.ndarray:
    _, past, _ = _load_base(base)
    share = np.array([len(rows) for rows in past], float)
    rows = np.floor(share / share.sum() * events_per_week).astype(int)
    rows[np.argmax(rows)] += events_per_week - rows.sum()
    return rows


def _write_hour(task: tuple[str, str, int, int, int]) -> int:
    base, folder, place, rows_count, seed = task
    start, past, last = _load_base(base)
    week, hour = divmod(place, WEEK_HOURS)
    table = pa.concat_tables([past[hour], last[hour]] if week == WEEKS - 1 else [past[hour]])
    rng = np.random.default_rng([seed, place])
    begin = (start + place * HOUR).to_pydatetime()
    copies = np.resize(np.arange(len(table)), rows_count) if len(table) else np.empty(0, int)
    rows_count = len(copies)
    rng.shuffle(copies)
    drawn = table.take(copies).combine_chunks()
    seconds = np.sort(rng.integers(0, 3600, rows_count))
    at = np.datetime64(begin.replace(tzinfo=None), "us") + seconds.astype("timedelta64[s]")
    pool = max(rows_count // max(len(table), 1) // COPIES_PER_OBJECT, 1)
    which = rng.integers(0, pool, rows_count)
    mixed = drawn["object"].to_numpy(zero_copy_only=False)
    known = ~np.isnan(mixed) if mixed.dtype.kind == "f" else np.ones(rows_count, bool)
    plain = drawn["object"].fill_null(0).to_numpy().view(np.uint64)
    hashed = (plain ^ (which.astype(np.uint64) << np.uint64(20))) * np.uint64(0x9E3779B97F4A7C15)
    ids = 7_690_000_000_000_000_000 + place * 4_000_000_000 + np.arange(rows_count) * 997
    path = pc.binary_join_element_wise(
        drawn["path"].cast(pa.string()), pc.cast(pa.array(which), pa.string()), ""
    )
    new = {
        "id": pc.cast(pa.array(ids), pa.string()),
        "at": pa.array(at, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
        "object": pa.array(hashed.view(np.int64), pa.int64(), mask=~known),
        "path": path,
    }
    columns = {name: new.get(name, drawn[name]) for name in SCHEMA.names}
    manifest = Manifest(
        start=begin,
        end=begin + timedelta(hours=1),
        read_at=begin + timedelta(hours=3),
        rows_count=rows_count,
        first_at=begin + timedelta(seconds=int(seconds[0])) if rows_count else None,
        last_at=begin + timedelta(seconds=int(seconds[-1])) if rows_count else None,
        catalogue=Catalogue.default().digest(),
    )
    footer = {MANIFEST_KEY: msgspec.json.encode(manifest), REJECTS_KEY: b"[]"}
    file = Store(Path(folder)).path_of(begin)
    file.parent.mkdir(exist_ok=True)
    written = pa.table(columns).replace_schema_metadata({**SCHEMA.metadata, **footer})
    pq.write_table(
        written, file, compression="zstd", row_group_size=ROW_GROUP, write_page_checksum=True
    )
    return rows_count


def make_store(
    base: Path, folder: Path, events_per_week: int, *, weeks: range, seed: int = 0, workers: int = 2
) -> int:
    """Write hour after hour of the given weeks (4 is the report week); return the rows."""
    Store(folder).create()
    rows = _count_rows(str(base), events_per_week)
    tasks = [
        (str(base), str(folder), week * WEEK_HOURS + hour, int(rows[hour]), seed)
        for week in weeks
        for hour in range(WEEK_HOURS)
    ]
    with ProcessPoolExecutor(workers) as pool:
        return sum(pool.map(_write_hour, tasks, chunksize=6))
