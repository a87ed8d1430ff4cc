"""Which calls a finding is about, as hours and columns; counting them, and leaving them out.

The calls of an attack must not become what is usual. What a person confirmed, and what a
suppression keeps out of the reports, leaves the history before anything is compared with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.buckets import format_utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from audit_analytics.buckets import Week
    from audit_analytics.cases import Hit

MAX_NAMES: Final = 50
"""A column with more names than this is left out of a scope, which makes the scope wider."""

NEW_PAIRS: Final = (
    "NEWAPI",
    "NEWNET",
    "rule:chain",
    "rule:first_sensitive",
    "rule:high_impact_write",
    "rule:new_network",
    "rule:own_app",
)
"""Detectors whose hits begin something that was not there before."""

_COUNTS: Final = [f"{name}_count" for name in schema.OUTCOMES]
_PAIR: Final = ["bucket_at", "app_id"]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Calls, by when they were made and what their columns hold.

    Parameters
    ----------
    start_at, end_at : pandas.Timestamp
        From when to when, UTC, the end excluded.
    where : mapping of str to tuple of str
        Column of :data:`audit_analytics.schema.EVENTS` to its values.
    """

    start_at: pd.Timestamp
    end_at: pd.Timestamp
    where: Mapping[str, tuple[str, ...]]

    def select(self, events: pd.DataFrame) -> pd.DataFrame:
        """Return the calls of this scope.

        Parameters
        ----------
        events : pandas.DataFrame
            Table :data:`audit_analytics.schema.EVENTS`.

        Returns
        -------
        pandas.DataFrame
            Its rows, in their order.
        """
        mask = (events["at"] >= self.start_at) & (events["at"] < self.end_at)
        for column, values in self.where.items():
            mask &= events[column].isin(values)
        return events[mask]

    def to_dict(self) -> dict[str, Any]:
        """Return the scope as plain values.

        Returns
        -------
        dict of str to Any
            ``start_at``, ``end_at`` and ``scope``.
        """
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
    """Return all calls of the week that belong to a reason of a finding.

    A reason speaks about the hours that stood out. What came over a new network, from an address
    or over a new API goes on to belong to it afterwards: else its second day would teach that it
    is usual.

    Parameters
    ----------
    reason : mapping of str to Any
        As it stands in findings.json.
    until : pandas.Timestamp
        End of the finding's week, UTC.

    Returns
    -------
    Scope
        The calls.
    """
    scope = read_scope(reason)
    new = reason["detector"] in NEW_PAIRS or bool({"network", "ip"} & scope.where.keys())
    return replace(scope, end_at=until if new else min(scope.end_at, until))


def count_calls(scope: Scope, by_api: pd.DataFrame, by_ip: pd.DataFrame) -> int:
    """Count the calls of a scope, in whole hours.

    Parameters
    ----------
    scope : Scope
        Which calls.
    by_api, by_ip : pandas.DataFrame
        The hourly rollup, ordered by ``bucket_at``.

    Returns
    -------
    int
        Calls.
    """
    table = by_ip if {"ip", "network"} & scope.where.keys() else by_api
    rows, outcomes = _match(table, scope)
    return int(table.iloc[rows][[_COUNTS[i] for i in outcomes]].to_numpy().sum())


def leave_out_calls(
    by_api: pd.DataFrame, by_ip: pd.DataFrame, scopes: Sequence[Scope]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Take the calls of scopes out of the hourly rollup.

    Each of the two tables lacks columns of the other: where a scope names a network, an app's
    calls of that hour are taken from every API it called then, and the other way round. Too much
    is taken rather than too little, which is why the app-hours are handed back: they are not
    quiet hours, but hours that teach nothing.

    Parameters
    ----------
    by_api, by_ip : pandas.DataFrame
        The hourly rollup, ordered by ``bucket_at``.
    scopes : sequence of Scope
        Calls to leave out.

    Returns
    -------
    by_api, by_ip : pandas.DataFrame
        Without these calls; rows left without a call are gone.
    hours : pandas.DataFrame
        ``bucket_at`` and ``app_id`` of the hours that lost calls, and of those that scopes of
        nothing but an app name: a silence is no example of what is usual either.
    """
    tables, lost = (by_api, by_ip), []
    counts = [table[_COUNTS].to_numpy().copy() for table in tables]
    for scope in scopes:
        if not scope.where:
            continue  # it names nothing, and must not take the whole tenant with it
        found = [_match(table, scope) for table in tables]
        keys = [
            pd.MultiIndex.from_frame(table.iloc[rows][_PAIR].astype({"app_id": "str"}))
            for table, (rows, _) in zip(tables, found, strict=True)
        ]
        shared = keys[0].intersection(keys[1]).unique()
        lost += [shared.to_frame(index=False, name=_PAIR), _list_hours(scope)]
        for table_counts, key, (rows, outcomes) in zip(counts, keys, found, strict=True):
            table_counts[np.ix_(rows[key.isin(shared)], outcomes)] = 0
    if not any(len(hours) for hours in lost):
        return by_api, by_ip, pd.DataFrame({name: by_api[name].iloc[:0] for name in _PAIR})
    hours = pd.concat(lost, ignore_index=True).drop_duplicates(ignore_index=True)
    left = [_replace_counts(table, kept) for table, kept in zip(tables, counts, strict=True)]
    return left[0], left[1], hours


def _list_hours(scope: Scope) -> pd.DataFrame:
    """List every hour of a scope that names apps and nothing else."""
    apps = scope.where["app_id"] if scope.where.keys() == {"app_id"} else ()
    hours = pd.date_range(scope.start_at.floor("h"), scope.end_at, freq="h", inclusive="left")
    return pd.MultiIndex.from_product([hours, apps]).to_frame(index=False, name=_PAIR)


def _match(table: pd.DataFrame, scope: Scope) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the rows that hold such calls, and of the counts they stand in."""
    # hours are found by bisection: a walk over the whole history for each scope would take longest
    edges = pd.DatetimeIndex([scope.start_at.floor("h"), scope.end_at.ceil("h")])
    first, last = table["bucket_at"].array.searchsorted(edges.array)
    part = table.iloc[first:last]
    named = scope.where.get("outcome", schema.OUTCOMES)
    outcomes = np.flatnonzero([name in named for name in schema.OUTCOMES])
    mask = part[[_COUNTS[i] for i in outcomes]].to_numpy().any(axis=1)
    for column, values in scope.where.items():
        if column in part.columns:
            mask &= part[column].isin(values).to_numpy()
    return first + np.flatnonzero(mask), outcomes


def _replace_counts(table: pd.DataFrame, counts: NDArray[np.int64]) -> pd.DataFrame:
    total = counts.sum(axis=1)
    columns = dict(zip(_COUNTS, counts.T, strict=True))
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
    start, end = (
        (at.tz_convert(week.zone) + pd.DateOffset(weeks=weeks)).tz_convert("UTC")
        for at in (scope.start_at, scope.end_at)
    )
    return Scope(start_at=start, end_at=end, where=scope.where)
