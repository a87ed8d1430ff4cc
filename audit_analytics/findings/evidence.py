"""Find the rows behind hits in a table of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit_analytics.cases import EVIDENCE_GROUPS, Evidence
from audit_analytics.schema import rank_severity

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from audit_analytics.cases import Hit


@dataclass(frozen=True, eq=False)
class FrameEvidence:
    """Fetches the rows behind hits from a frame.

    Parameters
    ----------
    events : pandas.DataFrame
        Table :data:`audit_analytics.schema.EVENTS`, in order of time.
    """

    events: pd.DataFrame

    def fetch(
        self,
        hits: Sequence[Hit],
        *,
        start: pd.Timestamp,
        end: pd.Timestamp,
        rows_max: int,
        beside: Sequence[Hit] = (),
    ) -> Evidence:
        """Fetch the rows behind the hits of one entity.

        Parameters
        ----------
        hits : sequence of Hit
            The hits; the rows in the time of the first one are shown first.
        start, end : pandas.Timestamp
            Only rows in ``[start, end)``.
        rows_max : int
            How many rows to return; all are counted.
        beside : sequence of Hit, default=()
            Hits whose rows are counted as well, and not shown.

        Returns
        -------
        Evidence
            Rows and counts.
        """
        own = self._join(hits, start, end)
        every = self._join([*hits, *beside], start, end) if beside else own
        groups = every.assign(quarter_at=every["at"].dt.floor("15min"))
        groups = groups.groupby(list(EVIDENCE_GROUPS), observed=True, dropna=False)["at"]
        counts = groups.agg(calls_count="size", first_at="min", last_at="max")
        return Evidence(
            rows=_put_first(own, hits[0], rows_max),
            groups=counts.reset_index(),
            objects_count=own["object"].nunique(),
            ok_objects_count=own.loc[own["outcome"] == "ok", "object"].nunique(),
        )

    def fetch_shared(
        self,
        apps: Collection[str],
        *,
        start: pd.Timestamp,
        end: pd.Timestamp,
        apps_max: int,
        objects_max: int,
        rows_max: int,
    ) -> pd.DataFrame:
        """Fetch the calls of objects that some apps share with each other and few others.

        Parameters
        ----------
        apps : collection of str
            Two of them, or more, opened the object.
        start, end : pandas.Timestamp
            Only rows in ``[start, end)``.
        apps_max : int
            How many apps may have opened it in all.
        objects_max : int
            How many objects to return of those that the same apps opened.
        rows_max : int
            How many rows to return.

        Returns
        -------
        pandas.DataFrame
            Rows of table :data:`audit_analytics.schema.EVENTS` that succeeded, of any app, by time.
        """
        first, last = self.events["at"].searchsorted([start, end])
        rows = self.events.iloc[first:last]
        rows = rows[(rows["outcome"] == "ok") & rows["object"].notna()]
        mine = rows.loc[rows["app_id"].isin(apps), ["object", "app_id"]].drop_duplicates()
        rows = rows[rows["object"].isin(mine.loc[mine["object"].duplicated(), "object"])]
        users = (
            rows["app_id"].astype("str").groupby(rows["object"]).agg(lambda own: (*sorted({*own}),))
        )
        users = users[users.map(len) <= apps_max].sort_index()
        chosen = users.groupby(users).head(objects_max).index
        return rows[rows["object"].isin(chosen)].sort_values(["at", "id"])[:rows_max]

    def _join(self, hits: Sequence[Hit], start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        places = [np.empty(0, "intp"), *(self._find(hit, start, end) for hit in hits)]
        return self.events.iloc[np.unique(np.concatenate(places))]

    def _find(self, hit: Hit, start: pd.Timestamp, end: pd.Timestamp) -> NDArray[np.intp]:
        # a hit's time is cut out by bisection: comparing every row of the log would take longest
        edges = [max(hit.start_at, start), min(hit.end_at, end)]
        first, last = self.events["at"].searchsorted(edges)
        mask = np.ones(max(last - first, 0), "bool")
        for column, values in hit.where.items():
            mask &= self.events[column].iloc[first:last].isin(values).to_numpy()
        return np.flatnonzero(mask) + int(first)


def _put_first(rows: pd.DataFrame, first: Hit, rows_max: int) -> pd.DataFrame:
    """Return what to look at first: the time of the first hit, successes, what is sensitive."""
    order = pd.DataFrame(
        {
            "beside": (rows["at"] < first.start_at) | (rows["at"] >= first.end_at),
            "failed": rows["outcome"] != "ok",
            "harmless": -rank_severity(rows["severity"]),
            "at": rows["at"],
            "id": rows["id"],
        }
    )
    chosen = rows.loc[order.sort_values(list(order.columns)).index[:rows_max]]
    # a crowd's names by the ten thousand would be carried along by every one of its rows
    words = {c: chosen[c].cat.remove_unused_categories() for c in chosen.select_dtypes("category")}
    return chosen.assign(**words)
