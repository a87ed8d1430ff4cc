"""Find the rows behind hits in a table of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from audit_analytics.cases import EVIDENCE_GROUPS, Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    ) -> Evidence:
        """Fetch the rows behind the hits of one entity.

        Parameters
        ----------
        hits : sequence of Hit
            The hits; whose rows are shown first comes first.
        start, end : pandas.Timestamp
            Only rows in ``[start, end)``.
        rows_max : int
            How many rows to return; all are counted.

        Returns
        -------
        Evidence
            Rows and counts.
        """
        matched = [self._select(hit, start, end) for hit in hits]
        every = pd.concat([self.events.iloc[:0], *matched])
        every = every[~every.index.duplicated()]
        groups = every.groupby(list(EVIDENCE_GROUPS), observed=True, dropna=False).size()
        return Evidence(
            rows=every.head(rows_max), groups=groups.rename("calls_count").reset_index()
        )

    def _select(self, hit: Hit, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        # a hit's time is cut out by bisection: comparing every row of the log would take longest
        edges = [max(hit.start_at, start), min(hit.end_at, end)]
        first, last = self.events["at"].searchsorted(edges)
        rows = self.events.iloc[first:last]
        mask = pd.Series(True, index=rows.index)
        for column, values in hit.where.items():
            mask &= rows[column].isin(values)
        return rows[mask]
