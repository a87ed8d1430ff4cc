"""Which calls a finding is about, as hours and columns; counting them, and leaving them out.

The calls of an attack must not become what is usual. What a person confirmed, and what a
suppression keeps out of the reports, leaves the history before anything is compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import floor_hour, format_utc, list_buckets, read_clocks
from audit_analytics.dates.weeks import Week
from audit_analytics.detect import Detector, list_detectors

MAX_NAMES: Final = 50
"""A column with more names than this is left out of a scope, which makes the scope wider."""

_COUNTS: Final = [f"{name}_count" for name in schema.OUTCOMES]
_WORDS: Final = ("app_id", "api", "severity", "category", "ip", "network")
_NONE: Final = np.array([], dtype="int64")
_SHORT_DAY: Final = pd.Timedelta(hours=23)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Calls, UTC, the end excluded, and the values that columns of events have in them."""

    start_at: pd.Timestamp
    end_at: pd.Timestamp
    where: Mapping[str, tuple[str, ...]]

    def within(self, other: Scope) -> bool:
        """Return whether its columns name nothing but what another scope's do, whenever it was."""
        return all(
            column in self.where and set(self.where[column]) <= set(values)
            for column, values in other.where.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Return ``start_at``, ``end_at`` and ``scope`` as plain values."""
        return {
            "start_at": format_utc(self.start_at),
            "end_at": format_utc(self.end_at),
            "scope": {column: list(values) for column, values in self.where.items()},
        }


def scope_of_hit(hit: Hit) -> Scope:
    """Return the calls a hit is about.

    Parameters
    ----------
    hit : Hit
        What a detector found.

    Returns
    -------
    Scope
        Without columns of very many names, unless there is no other: such a one is cut.
    """
    where = {c: tuple(map(str, v)) for c, v in hit.where.items() if len(v) <= MAX_NAMES}
    if not where:
        where = {c: tuple(map(str, v))[:MAX_NAMES] for c, v in list(hit.where.items())[:1]}
    return Scope(start_at=hit.start_at, end_at=hit.end_at, where=where)


def read_scope(entry: Mapping[str, Any]) -> Scope:
    """Read what :meth:`Scope.to_dict` wrote.

    Parameters
    ----------
    entry : mapping of str to Any
        ``start_at``, ``end_at`` and ``scope``.

    Returns
    -------
    Scope
        The scope.
    """
    start, end = (pd.Timestamp(entry[name]) for name in ("start_at", "end_at"))
    where = {str(column): tuple(map(str, values)) for column, values in entry["scope"].items()}
    return Scope(start_at=start, end_at=end, where=where)


def cover_reason(reason: Mapping[str, Any], *, until: pd.Timestamp) -> Scope:
    """Return all calls of the week that belong to a reason of a finding, as findings.json has it.

    What came from a new place or over a new API belongs to it `until` the week ends: else its second
    day would teach that it is usual.
    """
    scope = read_scope(reason)
    new = _begins(reason["detector"]) or bool({"network", "ip"} & scope.where.keys())
    return replace(scope, end_at=until if new else min(scope.end_at, until))


def _begins(name: str) -> bool:
    # an earlier report may know detectors that are not in use any more
    return any(found.begins for found in list_detectors(Detector) if found.name == name)


@dataclass(frozen=True, eq=False)
class IndexedCalls:
    """One table of the hourly rollup, laid out so that scopes by the hundred are found in it.

    Parameters
    ----------
    hours : numpy.ndarray of int64 of shape (n_rows,)
        Start of each row's hour in microseconds, rising.
    counts : numpy.ndarray of int64 of shape (n_rows, n_outcomes)
        Calls by outcome.
    codes, words : dict of str to numpy.ndarray or dict
        For each word column the number of each row's word, and the number of every word.
    zone : str
        IANA name of the tenant's zone, on whose clocks the hours are cut.
    """

    hours: NDArray[np.int64]
    counts: NDArray[np.int64]
    codes: dict[str, NDArray[np.int64]]
    words: dict[str, dict[str, int]]
    zone: str

    def find(self, scope: Scope) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Find the rows that hold calls of a scope.

        Parameters
        ----------
        scope : Scope
            Which calls; columns this table lacks are passed over.

        Returns
        -------
        rows, outcomes : numpy.ndarray
            Positions of the rows, and in ``schema.OUTCOMES`` of the outcomes the calls are counted under.
        """
        first = np.searchsorted(self.hours, _micros(floor_hour(scope.start_at, self.zone)))
        last = np.searchsorted(self.hours, _micros(scope.end_at))
        named = scope.where.get("outcome", schema.OUTCOMES)
        outcomes = np.flatnonzero([name in named for name in schema.OUTCOMES])
        mask = self.counts[first:last, outcomes].any(axis=1)
        for column, values in scope.where.items():
            if column in self.codes:
                wanted = [self.words[column].get(value, -1) for value in values]
                mask &= np.isin(self.codes[column][first:last], wanted)
        return first + np.flatnonzero(mask), outcomes

    def count(self, scope: Scope) -> int:
        """Count the calls of a scope, in whole hours.

        Parameters
        ----------
        scope : Scope
            Which calls.

        Returns
        -------
        int
            Calls.
        """
        rows, outcomes = self.find(scope)
        return int(self.counts[np.ix_(rows, outcomes)].sum())


def _micros(at: pd.Timestamp) -> int:
    """Return an instant as the index counts it."""
    return int(at.as_unit("us").asm8.astype("int64"))


def index_calls(table: pd.DataFrame, *, zone: str) -> IndexedCalls:
    """Lay out a table of the hourly rollup.

    Parameters
    ----------
    table : pandas.DataFrame
        Table :data:`audit_analytics.schema.CALLS_BY_API` or ``CALLS_BY_IP``, ordered by
        ``bucket_at``.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    IndexedCalls
        The same counts.
    """
    columns = {name: table[name].array for name in _WORDS if name in table.columns}
    return IndexedCalls(
        hours=pd.DatetimeIndex(table["bucket_at"]).as_unit("us").asi8,
        # column by column, as the table holds them
        counts=np.array([table[name].to_numpy(dtype="int64") for name in _COUNTS]).T,
        codes={name: np.asarray(column.codes, dtype="int64") for name, column in columns.items()},
        words={
            name: {str(word): code for code, word in enumerate(column.categories)}
            for name, column in columns.items()
        },
        zone=zone,
    )


def leave_out_calls(
    by_api: pd.DataFrame, by_ip: pd.DataFrame, scopes: Sequence[Scope], *, zone: str
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Take the calls of scopes out of the hourly rollup.

    Each table lacks columns of the other: where a scope names a network, an app's calls of that hour
    are taken from every API it called then, and the other way round: rather too much than too little.

    Parameters
    ----------
    by_api, by_ip : pandas.DataFrame
        The hourly rollup, ordered by ``bucket_at``.
    scopes : sequence of Scope
        Calls to leave out.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    by_api, by_ip, hours : pandas.DataFrame
        Without these calls; and ``bucket_at`` and ``app_id`` of hours that teach nothing: that lost
        calls, or that scopes of nothing but an app name, as a silence.
    """
    if not scopes:
        return by_api, by_ip, _make_pairs(_NONE, _NONE, [])
    tables = [index_calls(table, zone=zone) for table in (by_api, by_ip)]
    apps = sorted({word for table in tables for word in table.words["app_id"]})
    quiet = [_list_hours(scope, zone) for scope in scopes]
    starts = np.unique(np.concatenate([table.hours for table in tables] + quiet))
    pairs = [_number_pairs(table, apps, starts) for table in tables]
    lost = [_NONE]
    for scope, hours in zip(scopes, quiet, strict=True):
        if not scope.where:
            continue  # it names nothing, and must not take the whole tenant with it
        found = [table.find(scope) for table in tables]
        mine = [pair[rows] for pair, (rows, _) in zip(pairs, found, strict=True)]
        shared = np.intersect1d(mine[0], mine[1])
        for table, pair, (rows, outcomes) in zip(tables, mine, found, strict=True):
            table.counts[np.ix_(rows[np.isin(pair, shared)], outcomes)] = 0
        named = [apps.index(app) for app in scope.where.get("app_id", ()) if app in apps]
        at = np.searchsorted(starts, hours) * len(apps)
        lost += [shared, np.add.outer(at, np.array(named, dtype="int64")).ravel()]
    gone = _make_pairs(np.unique(np.concatenate(lost)), starts, apps)
    if gone.empty:
        return by_api, by_ip, gone
    return _replace_counts(by_api, tables[0]), _replace_counts(by_ip, tables[1]), gone


def _number_pairs(
    table: IndexedCalls, apps: list[str], starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return one number for the hour and the app of each row, the same in both tables."""
    place = {app: number for number, app in enumerate(apps)}
    numbers = np.array([place[word] for word in table.words["app_id"]], dtype="int64")
    hour = np.searchsorted(starts, table.hours)
    return np.asarray(hour * len(apps) + numbers[table.codes["app_id"]])


def _list_hours(scope: Scope, zone: str) -> NDArray[np.int64]:
    """Return every hour of a scope that names apps and nothing else."""
    if scope.where.keys() != {"app_id"}:
        return _NONE
    first = floor_hour(scope.start_at, zone)
    hours = list_buckets(first, scope.end_at, "1h", zone=zone)
    return np.asarray(hours[hours < scope.end_at].as_unit("us").asi8)


def _make_pairs(
    pairs: NDArray[np.int64], starts: NDArray[np.int64], apps: list[str]
) -> pd.DataFrame:
    hour, app = np.divmod(pairs, max(len(apps), 1))
    at = pd.to_datetime(starts[hour], unit="us", utc=True).as_unit("us")
    return pd.DataFrame({"bucket_at": at, "app_id": [apps[number] for number in app]})


def _replace_counts(table: pd.DataFrame, left: IndexedCalls) -> pd.DataFrame:
    total = left.counts.sum(axis=1)
    columns = dict(zip(_COUNTS, left.counts.T, strict=True))
    return table.assign(calls_count=total, **columns)[total > 0]


def shift_scope(scope: Scope, week: Week, weeks: int) -> Scope:
    """Return the same hours of the week and columns, weeks earlier or later.

    Parameters
    ----------
    scope : Scope
        Which calls.
    week : Week
        The week `scope` lies in.
    weeks : int
        How many weeks later; negative for earlier.

    Returns
    -------
    Scope
        On the tenant's clocks at the same time of the week.
    """
    if not weeks:
        return scope
    start = _shift(scope.start_at, week.zone, weeks)
    length = scope.end_at - scope.start_at
    # a day may have 23 or 25 hours, and ends at midnight whatever it has; fewer hours stay as many
    end = start + length if length < _SHORT_DAY else _shift(scope.end_at, week.zone, weeks)
    return Scope(start_at=start, end_at=end, where=scope.where)


def _shift(at: pd.Timestamp, zone: str, weeks: int) -> pd.Timestamp:
    """Return the same time on the clocks; the first of two, and the next after a missing one."""
    wall = at.tz_convert(zone).tz_localize(None) + pd.Timedelta(weeks=weeks)
    return read_clocks(pd.DatetimeIndex([wall]), zone)[0]
