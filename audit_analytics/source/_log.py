"""A log as read, and how its parts are put together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import union_categoricals

from audit_analytics.schema import EVENTS


@dataclass(frozen=True)
class Log:
    """A log as read: its events, what could not be read, and how many of each.

    Parameters
    ----------
    events : pandas.DataFrame
        Table ``schema.EVENTS``, sorted by (at, id).
    rejects : pandas.DataFrame
        Table ``schema.REJECTS``: the first 100,000 rows that could not be read.
    counts : dict of str to int
        'rows_read' = 'events' + 'duplicates' + 'rejects'; 'conflicting_duplicates' are the
        duplicates that differ from the row kept; further keys say what had to be converted.
    reject_reasons : dict of str to int
        All rejected rows by reason.
    """

    events: pd.DataFrame
    rejects: pd.DataFrame
    counts: dict[str, int] = field(default_factory=dict)
    reject_reasons: dict[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Say what was read, on one line."""
        shown = ", ".join(f"{name} {number:,}" for name, number in self.counts.items())
        return f"Log({shown})"


def concat_events(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Join tables of events whose categories may differ.

    Parameters
    ----------
    frames : list of pandas.DataFrame
        Tables ``schema.EVENTS``, at least one.

    Returns
    -------
    pandas.DataFrame
        One table, rows in the order of the frames.

    Examples
    --------
    >>> concat_events([EVENTS.empty(), EVENTS.empty()]).shape
    (0, 18)
    """
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    if len(filled) == 1:
        return filled[0]
    return pd.DataFrame(
        {
            name: (
                union_categoricals([frame[name] for frame in filled])
                if isinstance(filled[0][name].dtype, pd.CategoricalDtype)
                else pd.concat([frame[name] for frame in filled], ignore_index=True)
            )
            for name in EVENTS.names
        }
    )


def drop_duplicates(events: pd.DataFrame, *, unique: bool = False) -> tuple[pd.DataFrame, int, int]:
    """Keep the first row of every id, sort by (at, id), and count rows dropped.

    They are counted once more where they differ from the row kept. `unique` says that every id is
    known to be there once; then none is looked for.

    Examples
    --------
    >>> drop_duplicates(EVENTS.empty())[1:]
    (0, 0)
    """
    again = np.zeros(len(events), bool) if unique else events["id"].duplicated().to_numpy(bool)
    conflicts = 0
    if again.any():
        twice = events.loc[events["id"].isin(events.loc[again, "id"])]
        said = pd.util.hash_pandas_object(twice.drop(columns="source"), index=False)
        conflicts = int((said != said.groupby(twice["id"].to_numpy()).transform("first")).sum())
        events = events.loc[~again]
    table = pa.table({"at": events["at"].to_numpy("datetime64[us]"), "id": pa.array(events["id"])})
    order = pc.sort_indices(table, [("at", "ascending"), ("id", "ascending")])
    return events.take(order.to_numpy()).reset_index(drop=True), int(again.sum()), conflicts
