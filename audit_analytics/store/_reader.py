"""Read events and hourly counts out of a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from audit_analytics.catalogue import Catalogue
from audit_analytics.rollup import Rollup, to_frame
from audit_analytics.schema import EVENTS, REJECTS, Table
from audit_analytics.store._folder import Store
from audit_analytics.store._manifest import Manifest, read_rejects
from audit_analytics.store._rollups import KINDS, Rollups
from audit_analytics.store._window import WindowGone, WindowUnreadable, read_window

RETRIES: Final = 4
"""How often a store is looked through again whose windows are replaced while they are read."""

_WORDS = [column.name for column in EVENTS.columns if column.dtype == "category"]


def read_store(
    folder: Path,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read the events of a span of time.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    start, end : datetime.datetime, optional
        The span ``[start, end)``; everything unless given.
    columns : sequence of str, optional
        Columns of ``schema.EVENTS``; all of them unless given.

    Returns
    -------
    pandas.DataFrame
        Table ``schema.EVENTS`` or the named columns of it, sorted by (at, id); no id is there
        twice, even where stored windows overlap. ``attrs["store"]`` counts windows, damaged files
        and rejected items.

    Raises
    ------
    StoreUnusable, StoreTooNew
        There is no store, it is empty, or it was written by a later version.

    Examples
    --------
    >>> from pathlib import Path
    >>> read_store(Path("nowhere"))
    Traceback (most recent call last):
        ...
    audit_analytics.store._failure.StoreUnusable: nowhere: there is no store; ...
    """
    store = Store(folder)
    store.check()
    wanted = [name for name in EVENTS.names if columns is None or name in columns]
    for is_last in (*[False] * RETRIES, True):
        stored = store.scan(start, end)
        tables, damaged, is_changed = [], len(stored.damaged), False
        for manifest in stored.manifests:
            try:
                tables.append(_read_window(store, manifest, wanted, start, end))
            except WindowGone:
                is_changed, damaged = True, damaged + 1
            except WindowUnreadable:
                damaged += 1
        if not is_changed or is_last:
            break
    events = _join(tables)[wanted] if tables else EVENTS.empty()[wanted]
    events.attrs["store"] = {
        "windows_count": len(tables),
        "damaged_count": damaged,
        "rejects_count": sum(manifest.rejects_count for manifest in stored.manifests),
    }
    return events


def read_stored_rejects(folder: Path) -> pd.DataFrame:
    """Read the items that could not be read when they were fetched.

    Parameters
    ----------
    folder : pathlib.Path
        The store.

    Returns
    -------
    pandas.DataFrame
        Table ``schema.REJECTS``, at most 100 rows a window; ``raw`` is empty unless the store was
        set to keep it.
    """
    store = Store(folder)
    manifests = [m for m in store.scan().manifests if m.rejects_count]
    rows = [row for m in manifests for row in read_rejects(store.file_of(m))]
    return REJECTS.coerce(pd.DataFrame(rows, columns=REJECTS.names))


def read_calls(
    store: Store,
    windows: list[Manifest],
    catalogue: Catalogue,
    *,
    zone: str = "UTC",
    damaged: list[str] | None = None,
) -> Rollup:
    """Read the hourly counts of a store; hours that are not counted yet are counted first.

    Parameters
    ----------
    store : Store
        The store.
    windows : list of Manifest
        All of its windows, in order of time; in place of those that another process replaced, and
        without those that turn out to be damaged, they are what was counted in the end.
    catalogue : Catalogue
        The APIs and their sensitivity, as they stand now.
    zone : str, default 'UTC'
        IANA name of the tenant's zone, on whose clocks hours are cut.
    damaged : list of str, optional
        Takes the files that cannot be read, with the reason; nothing of them is counted.

    Returns
    -------
    Rollup
        Counts of whole hours. They are kept in the store where it can be written.
    """
    rollups = Rollups(store, catalogue, zone=zone)
    for _ in range(RETRIES):
        found = list(rollups.refresh(windows, saving="try"))
        if not any(day.damaged for day in found):
            break
        # replaced while they were read, or damaged, which was noted
        windows[:] = store.scan().manifests
    unread = {start for day in found for start in day.damaged}
    if damaged is not None:
        damaged += store.scan().damaged
        damaged += [f"{store.file_of(w)}: cannot be read" for w in windows if w.start in unread]
    days = [day.tables for day in found]
    by_api, by_ip = (
        to_frame([tables[kind] for tables in days], table) if days else table.empty()
        for kind, table in KINDS.items()
    )
    return Rollup(by_api, by_ip, "1h")


def _read_window(
    store: Store,
    manifest: Manifest,
    wanted: list[str],
    start: datetime | None,
    end: datetime | None,
) -> pa.Table:
    needed = [name for name in EVENTS.names if name in {*wanted, "id", "at"}]
    table = read_window(store, manifest, needed, [name for name in _WORDS if name in needed])
    at = table["at"]
    if start and manifest.start < start:
        table = table.filter(pc.greater_equal(at, pa.scalar(start, at.type)))
    if end and manifest.end > end:
        table = table.filter(pc.less(table["at"], pa.scalar(end, at.type)))
    return table


def _join(tables: list[pa.Table]) -> pd.DataFrame:
    table = pa.concat_tables(tables)
    table = table.take(pc.sort_indices(table, [("at", "ascending"), ("id", "ascending")]))
    frame = table.unify_dictionaries().to_pandas()
    columns = tuple(column for column in EVENTS.columns if column.name in frame.columns)
    events = Table("events", columns).coerce(frame)
    return events[~events["id"].duplicated()].reset_index(drop=True)
