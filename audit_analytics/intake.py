"""From a source to hourly counts: the first half of a run, whatever the log lies in."""

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from audit_analytics.cases import EvidenceSource
from audit_analytics.catalogue import load_catalogue
from audit_analytics.dates.buckets import format_utc
from audit_analytics.dates.weeks import (
    Week,
    choose_report_week,
    find_end,
    parse_week,
    read_since,
    week_of,
)
from audit_analytics.errors import ConfigError, DataIncompleteError
from audit_analytics.findings import FrameEvidence
from audit_analytics.inventory import Inventory, Origins, find_inventory
from audit_analytics.rollup import Rollup, rollup
from audit_analytics.settings import Settings, settle
from audit_analytics.source import Log, read_log
from audit_analytics.store import Store, StoreEvidence, read_calls, read_store, read_stored_rejects

__all__ = ["CountedLog", "check_span", "choose_week", "count_log", "load"]


_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CountedLog:
    """A log as hourly counts, with the way back to the rows behind them.

    Parameters
    ----------
    calls : Rollup
        The hourly counts of the whole log.
    evidence : EvidenceSource
        Where the rows are.
    counts : dict of str to int
        ``rows_read``, ``events``, ``duplicates`` and ``rejects``.
    rejects, reject_reasons : pandas.DataFrame and dict of str to int
        Table :data:`audit_analytics.schema.REJECTS`, and how many have which reason.
    damaged : list of str
        Files of a store that could not be read, with the reason; grows while evidence is fetched.
    inventory, origins : Inventory and Origins
        Who the apps are, and where addresses are from, as far as anything says.
    """

    calls: Rollup
    evidence: EvidenceSource
    counts: dict[str, int]
    rejects: pd.DataFrame
    reject_reasons: dict[str, int]
    damaged: list[str] = field(default_factory=list)
    inventory: Inventory = field(default_factory=Inventory)
    origins: Origins = field(default_factory=Origins)


def load(
    source: Any,  # noqa: ANN401 - everything read_log takes
    *,
    settings: Settings | None = None,
    **options: object,
) -> pd.DataFrame:
    """Read an audit log into a table of events, one row a call.

    Parameters
    ----------
    source : path, list of paths, pandas.DataFrame or list of dict
        The log: a file or folder of API pages, JSONL or Parquet, a frame of events, or pages.
    settings : Settings, optional
        Settings; environment, TOML file and defaults if not given.
    **options : object
        Single settings by their names, such as ``catalogue``; they win over `settings`.

    Returns
    -------
    pandas.DataFrame of shape (n_events, 18)
        Table :data:`audit_analytics.schema.EVENTS` in time order; ``attrs["ingest"]`` holds the
        counts of rows read, duplicates and rejects.

    Raises
    ------
    InputError, ConfigError
        The source is no audit log, or a setting cannot be understood.
    """
    settings = settle(settings, options, where="load()", known=("settings",))
    log = _read(source, settings)
    log.events.attrs["ingest"] = log.counts
    return log.events


def count_log(
    source: Any,  # noqa: ANN401 - everything read_log takes
    settings: Settings,
) -> CountedLog:
    """Read a log and count its calls hour by hour.

    Parameters
    ----------
    source : path, list of paths, pandas.DataFrame or list of dict
        The log: a store, or whatever :func:`load` takes.
    settings : Settings
        Settings.

    Returns
    -------
    CountedLog
        What :func:`judge_week` takes; errors are those of :func:`load`.

    Raises
    ------
    InputError
        The source is no audit log, or what lies beside it no inventory.
    ConfigError
        What people wrote of the apps cannot be understood, or the file of origins be read.
    """
    folder = Path(source) if isinstance(source, str | Path) else None
    inventory, origins = find_inventory(folder, settings.apps), Origins(settings.origin_file)
    log = replace(_count(source, settings), inventory=inventory, origins=origins)
    # what reading needed and counting no longer does: Arrow would keep it for itself
    pa.default_memory_pool().release_unused()
    return log


def _count(source: Any, settings: Settings) -> CountedLog:  # noqa: ANN401 - everything read_log takes
    store = _find_store(source)
    if store:
        return _count_store(store, settings)
    log = _read_files(source, settings)
    return CountedLog(
        calls=rollup(log.events, zone=settings.tenant_zone),
        evidence=FrameEvidence(log.events),
        counts=log.counts,
        rejects=log.rejects,
        reject_reasons=log.reject_reasons,
    )


def _find_store(source: Any) -> Store | None:  # noqa: ANN401 - everything read_log takes
    store = Store(Path(source)) if isinstance(source, str | Path) else None
    return store if store and store.exists() else None


def _read_files(source: Any, settings: Settings) -> Log:  # noqa: ANN401 - everything read_log takes
    catalogue = load_catalogue(settings.catalogue)
    keeps_texts = settings.redaction.rejects == "masked"
    return read_log(source, catalogue=catalogue, n_jobs=settings.n_jobs, keeps_texts=keeps_texts)


def _count_store(store: Store, settings: Settings) -> CountedLog:
    """Take the hourly counts a store keeps; its events are read as evidence only."""
    store.check()
    windows = store.scan().manifests
    catalogue = load_catalogue(settings.catalogue)
    damaged: list[str] = []
    calls = read_calls(store, windows, catalogue, zone=settings.tenant_zone, damaged=damaged)
    keys = {window.redaction["key"] for window in windows if "key" in window.redaction}
    if len(keys) > 1:
        _log.warning(
            "%s: its windows were hashed with %d keys, so the same object counts once for each",
            store.folder,
            len(keys),
        )
    reasons: Counter[str] = Counter()
    for window in windows:
        reasons.update(window.reject_reasons)
    counts = {"events": int(calls.by_api["calls_count"].sum()), "duplicates": 0}
    counts["rejects"] = sum(window.rejects_count for window in windows)
    return CountedLog(
        calls=calls,
        evidence=StoreEvidence(store, windows, catalogue, damaged),
        counts=counts | {"rows_read": counts["events"] + counts["rejects"]},
        rejects=read_stored_rejects(store.folder),
        reject_reasons=dict(reasons),
        damaged=damaged,
    )


def _read(source: Any, settings: Settings) -> Log:  # noqa: ANN401 - everything read_log takes
    """Read a store together with the rejects it counted; anything else as a log."""
    store = _find_store(source)
    if not store:
        return _read_files(source, settings)
    events = read_store(store.folder)
    if damaged_count := events.attrs["store"]["damaged_count"]:
        _log.warning(
            "%s: %d windows cannot be read and are left out; run: sync", store.folder, damaged_count
        )
    rejects_count = events.attrs["store"]["rejects_count"]
    counts = {"events": len(events), "duplicates": 0, "rejects": rejects_count}
    counts["rows_read"] = len(events) + rejects_count
    return Log(events, read_stored_rejects(store.folder), counts)


def choose_week(log: CountedLog, week: str | None, since: str | None, settings: Settings) -> Week:
    """Choose the week that is judged.

    Parameters
    ----------
    log : CountedLog
        The log.
    week, since : str or None
        As for :func:`audit_analytics.pipeline.run_week`, with its errors.
    settings : Settings
        Settings.

    Returns
    -------
    Week
        The week asked for, the one in progress with `since`, or the log's last complete one.

    Raises
    ------
    DataIncompleteError
        The log holds no event at all, or none after `since`.
    ConfigError
        The week or the instant cannot be understood, or both are given.
    """
    by_api = log.calls.by_api
    if by_api.empty:
        remedy = (
            "look at the rejects file for the reasons"
            if log.counts["rejects"]
            else "fetch it first (audit-analytics sync), or name another folder"
        )
        raise DataIncompleteError(
            f"the log holds no readable event ({log.counts['rows_read']:,} rows read, "
            f"{log.counts['rejects']:,} rejected); {remedy}"
        )
    # the first and the last call of an hour say as much as all of them
    hours = by_api.groupby("bucket_at", sort=False).agg({"first_at": "min", "last_at": "max"})
    at, zone = pd.concat([hours["first_at"], hours["last_at"]]), settings.tenant_zone
    if since:
        return _choose_hours(find_end(at, zone=zone), week, since, zone)
    return parse_week(week, zone=zone) if week else choose_report_week(at, zone=zone)


def check_span(week: str | None, since: str | None, *, zone: str) -> None:
    """Check what is asked for before anything is read; a ConfigError if it cannot be.

    Parameters
    ----------
    week, since : str or None
        As for :func:`audit_analytics.pipeline.run_week`.
    zone : str
        IANA name of the tenant's zone.

    Raises
    ------
    ConfigError
        The week or the instant cannot be understood, or both are given.
    """
    if week and since:
        raise ConfigError("a week and since exclude each other: since judges the week in progress")
    if week:
        parse_week(week, zone=zone)
    if since:
        read_since(since, datetime.now(UTC), zone=zone)


def _choose_hours(end: pd.Timestamp, week: str | None, since: str, zone: str) -> Week:
    check_span(week, since, zone=zone)
    since_at = pd.Timestamp(read_since(since, end.to_pydatetime(), zone=zone))
    if since_at >= end:
        raise DataIncompleteError(
            f"the log ends at {format_utc(end)} and holds nothing after {format_utc(since_at)}; "
            "fetch it first (audit-analytics sync), or name an earlier instant"
        )
    running = week_of(end - pd.Timedelta(hours=1), zone=zone)
    # what was before Monday is in last week's report
    return replace(running, since_at=max(since_at, running.start_at))
