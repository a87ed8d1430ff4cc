"""Small operations on rollup tables that several rules need."""

from __future__ import annotations

from typing import Any

import pandas as pd


def top_rows(table: pd.DataFrame, keys: list[str], column: str) -> pd.DataFrame:
    """Return the row with the largest value of each group, the earliest among equals.

    Parameters
    ----------
    table : pandas.DataFrame
        A table with ``bucket_at``.
    keys : list of str
        Columns that name the group.
    column : str
        Column of the values.

    Returns
    -------
    pandas.DataFrame
        One row per group, in the order of the keys.

    Examples
    --------
    >>> table = pd.DataFrame({"app_id": ["a", "a"], "bucket_at": [0, 1], "n": [2, 3]})
    >>> top_rows(table, ["app_id"], "n")["bucket_at"].tolist()
    [1]
    """
    ranked = table.sort_values([column, "bucket_at"], ascending=[False, True], kind="stable")
    return ranked.drop_duplicates(keys).sort_values(keys, kind="stable")


def gather(rows: pd.DataFrame, keys: list[str], column: str) -> dict[Any, list[str]]:
    """Return the distinct names of a column, group by group, in the order of the rows.

    In a log with many forged names this costs a small part of what grouping the rows and asking
    each group for its names does.

    Parameters
    ----------
    rows : pandas.DataFrame
        A table.
    keys : list of str
        Columns that name the group.
    column : str
        Column of the names.

    Returns
    -------
    dict of tuple or str to list of str
        By the values of `keys`: a tuple, or the value itself if there is one key.

    Examples
    --------
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
    """Return which rows have a combination of names that another table has.

    Parameters
    ----------
    table, known : pandas.DataFrame
        Tables with the columns `keys`.
    keys : list of str
        Columns that have to agree.

    Returns
    -------
    pandas.Series of bool of shape (n_rows,)
        With the index of `table`.
    """
    # most of the past is about other names
    near = known[known[keys[-1]].isin(table[keys[-1]].unique())]
    seen = {*near[keys].drop_duplicates().itertuples(index=False, name=None)}
    names = table[keys].itertuples(index=False, name=None)
    return pd.Series([row in seen for row in names], index=table.index, dtype="bool")
