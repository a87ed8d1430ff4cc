"""Small operations on rollup tables that several rules need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECOND: Final = pd.Timedelta(seconds=1)
HOUR: Final = pd.Timedelta(hours=1)
DAY: Final = pd.Timedelta(days=1)
WEEK: Final = pd.Timedelta(days=7)

TIMES_USUAL: Final = 3.0
"""So many times what any earlier week brought is a burst."""


def find_places(words: pd.Series, names: pd.Index) -> NDArray[np.intp]:
    """Find the place of each word among some names, asking for each distinct word once.

    >>> find_places(pd.Series(["b", "x", "b"]), pd.Index(["a", "b"]))
    array([ 1, -1,  1])
    """
    kinds = words.astype("category").cat
    # what is missing has the code -1, so the last of the places counts for it
    places = np.append(names.get_indexer(pd.Index(kinds.categories.astype("str"))), -1)
    return np.asarray(places[kinds.codes])


def sort_words(words: pd.Series) -> pd.Series:
    """Make words categories in their order, which are grouped and compared as numbers.

    Parameters
    ----------
    words : pandas.Series of category or str
        The words.

    Returns
    -------
    pandas.Series of category
        The same words.

    Examples
    --------
    >>> sort_words(pd.Series(["b", "a"])).cat.codes.tolist()
    [1, 0]
    """
    kinds = words.astype("category")
    names = kinds.cat.categories
    if names.dtype == "str" and names.is_monotonic_increasing:
        return kinds
    return kinds.cat.set_categories(pd.Index(names.astype("str")).sort_values())


def cut(
    table: pd.DataFrame,
    column: str,
    start: pd.Timestamp | None = None,
    end: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Return the rows between two instants.

    Parameters
    ----------
    table : pandas.DataFrame
        A table.
    column : str
        Its column of instants.
    start, end : pandas.Timestamp, optional
        The rows in ``[start, end)``; open if not given.

    Returns
    -------
    pandas.DataFrame
        These rows; of a table in order of time they are not copied.

    Examples
    --------
    >>> table = pd.DataFrame({"at": pd.to_datetime(["2026-11-09", "2026-11-10"])})
    >>> cut(table, "at", end=pd.Timestamp("2026-11-10")).index.tolist()
    [0]
    """
    at = table[column]
    if at.is_monotonic_increasing:
        first = 0 if start is None else int(at.searchsorted(start))
        last = len(at) if end is None else int(at.searchsorted(end))
        return table.iloc[first:last]
    kept = np.ones(len(at), dtype=bool)
    if start is not None:
        kept &= at >= start
    if end is not None:
        kept &= at < end
    return table[kept]


def top_rows(table: pd.DataFrame, keys: list[str], column: str) -> pd.DataFrame:
    """Return the row with the largest value of each group, the earliest among equals, by the keys.

    >>> table = pd.DataFrame({"app_id": ["a", "a"], "bucket_at": [0, 1], "n": [2, 3]})
    >>> top_rows(table, ["app_id"], "n")["bucket_at"].tolist()
    [1]
    """
    ranked = table.sort_values([column, "bucket_at"], ascending=[False, True], kind="stable")
    return ranked.drop_duplicates(keys).sort_values(keys, kind="stable")


def find_bursts(
    table: pd.DataFrame,
    keys: list[str],
    columns: list[str],
    *,
    least: float,
    start_at: pd.Timestamp,
) -> pd.DataFrame:
    """Find the two hours in which a group brought far more than in any earlier week.

    `keys` name the group, of `columns` the first is what may burst; less than `least` is no burst.
    What comes back has the keys as text, ``bucket_at`` (start of the two hours; the first is one of
    the group's own), the columns, ``first_at``, ``last_at`` and ``week``: 0 for the report week,
    which begins at `start_at`, -1 for the one before it. Hours on both sides of a week's begin
    belong to none.

    >>> at = pd.to_datetime(["2026-11-01T01:00Z", "2026-11-09T02:00Z"])
    >>> table = pd.DataFrame({"app_id": "a", "bucket_at": at, "first_at": at, "last_at": at})
    >>> monday = pd.Timestamp("2026-11-09T00:00Z")
    >>> bursts = find_bursts(table.assign(n=[9, 30]), ["app_id"], ["n"], least=9, start_at=monday)
    >>> bursts[["week", "n"]].to_numpy().tolist()
    [[-2, 9], [0, 30]]
    """
    windows = _sum_two_hours(table, keys, columns)
    week = (windows["bucket_at"] - start_at) // WEEK
    windows = windows.assign(week=week)[week == (windows["bucket_at"] + HOUR - start_at) // WEEK]
    if windows.empty:
        return windows  # nothing can be joined to nothing
    most = windows.groupby([*keys, "week"])[columns[0]].max()
    usual = most.groupby(keys).cummax().groupby(keys).shift(fill_value=0).rename("usual")
    windows = windows.join(usual, on=[*keys, "week"])
    burst = (windows[columns[0]] >= least) & (windows[columns[0]] > TIMES_USUAL * windows["usual"])
    return windows[burst].drop(columns="usual")


def _sum_two_hours(table: pd.DataFrame, keys: list[str], columns: list[str]) -> pd.DataFrame:
    """Add up every two consecutive hours of a group that begin with one of its own.

    What goes on across a full hour would be halved by clock hours.
    """
    by, spans = [*keys, "bucket_at"], {"first_at": "min", "last_at": "max"}
    rows = table[[*by, *columns, *spans]].astype(dict.fromkeys(keys, "str"))
    both = pd.concat([rows, rows.assign(bucket_at=rows["bucket_at"] - HOUR)])
    sums = both.groupby(by, as_index=False).agg(dict.fromkeys(columns, "sum") | spans)
    own = pd.MultiIndex.from_frame(rows[by])
    return sums[pd.MultiIndex.from_frame(sums[by]).isin(own)]


def gather(rows: pd.DataFrame, keys: list[str], column: str) -> dict[Any, list[str]]:
    """Return the distinct names of a column, group by group, in the order of the rows.

    In a log with many forged names this costs a small part of what grouping the rows and asking
    each group for its names does. Of several keys the group is a tuple.

    >>> gather(pd.DataFrame({"app_id": ["a", "a"], "api": ["y", "x"]}), ["app_id"], "api")
    {'a': ['y', 'x']}
    """
    names: dict[Any, dict[str, None]] = {}
    values = [rows[key].tolist() for key in keys]
    groups = values[0] if len(keys) == 1 else zip(*values, strict=True)
    for group, name in zip(groups, rows[column].tolist(), strict=True):
        names.setdefault(group, {})[str(name)] = None
    return {group: list(found) for group, found in names.items()}


def is_known(table: pd.DataFrame, known: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Return which rows have a combination of names that another table has."""
    number: NDArray[np.intp] = np.zeros(len(table) + len(known), dtype=np.intp)
    for key in keys:
        both = pd.concat([table[key], known[key]], ignore_index=True)
        place, names = pd.factorize(both, use_na_sentinel=False)
        # one number for the names so far: a combination is compared as fast as a name
        number = number * len(names) + place
    return pd.Series(np.isin(number[: len(table)], number[len(table) :]), index=table.index)


def count_places(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Sum up what came from each place, an ``ip`` or a ``network``.

    ``first_at``, ``last_at``, ``calls``, ``auth`` (failures to authenticate), and the lists
    ``apps`` (by name) and ``addresses`` (in the order of the rows).
    """
    counts = rows.groupby(place, observed=True).agg(
        first_at=("first_at", "min"),
        last_at=("last_at", "max"),
        calls=("calls_count", "sum"),
        auth=("auth_count", "sum"),
    )
    apps, addresses = (gather(rows, [place], column) for column in ("app_id", "ip"))
    return counts.assign(
        apps=[sorted(apps[name]) for name in counts.index],
        addresses=[addresses[name] for name in counts.index],
    )
