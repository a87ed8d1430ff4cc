"""What belongs to a finding beside its reasons: above all what got through.

A reason about failures names failures alone. Whoever reads it asks first which of the attempts
succeeded, and that is no reason of its own: two calls among forty are not unusual.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.dates.buckets import floor_hour

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from audit_analytics.cases import Hit
    from audit_analytics.dates.weeks import Week
    from audit_analytics.rollup import Rollup

_FOLLOWED: Final = ("app", "ip")


@dataclass(frozen=True)
class Beside:
    """Finds what belongs to findings beside their reasons, in the hourly counts of the log."""

    calls: Rollup
    week: Week

    def find_through(self, hits: Iterable[Hit]) -> list[Hit]:
        """Find what got through where hits are about failures: the successes beside each.

        Of an app: at that time, from the addresses that failed, over the APIs that failed or that
        the app never used before the week. Of an address: whatever succeeded from then on.
        """
        found = []
        named: dict[str, tuple[str, ...]]
        for hit in hits:
            failed = hit.where.get("outcome", ("ok",))
            if "ok" in failed or hit.entity_type not in _FOLLOWED or "more" in hit.facts:
                continue
            if hit.entity_type == "ip":
                named, end = {"ip": (hit.entity,)}, self.week.end_at
            else:
                own = {"api": self._apis(hit), "ip": self._addresses(hit)}
                named, end = {**hit.where, **own}, hit.end_at
            ok = {**named, "outcome": ("ok",)}
            if all(ok.values()):
                found.append(replace(hit, where=ok, end_at=end, alone=False))
        return found

    def _apis(self, hit: Hit) -> tuple[str, ...]:
        rows = self._rows(self._by_app["by_api"], self.calls.by_api, hit)
        first = self.calls.by_api.iloc[self._by_app["by_api"].get(hit.entity, [])]
        first = first.groupby("api", observed=True)["first_at"].min()
        tried = _failed(rows, hit)
        new = rows["api"].map(first).astype(first.dtype) >= self.week.start_at
        answered = rows["ok_count"] > 0
        failing = rows["api"].isin(rows.loc[tried, "api"].unique())
        return tuple(sorted(map(str, rows.loc[answered & (failing | new), "api"].unique())))

    def _addresses(self, hit: Hit) -> tuple[str, ...]:
        rows = self._rows(self._by_app["by_ip"], self.calls.by_ip, hit)
        return tuple(sorted(map(str, rows.loc[_failed(rows, hit), "ip"].unique())))

    def _rows(
        self, places: dict[str, NDArray[np.intp]], table: pd.DataFrame, hit: Hit
    ) -> pd.DataFrame:
        own = places.get(hit.entity, np.array([], dtype=np.intp))
        hours = table["bucket_at"].array[own]
        edges = pd.DatetimeIndex([floor_hour(hit.start_at, self.week.zone), hit.end_at]).as_unit(
            "us"
        )
        first, last = pd.DatetimeIndex(hours).searchsorted(edges)
        return table.iloc[own[first:last]]

    @cached_property
    def _by_app(self) -> dict[str, dict[str, NDArray[np.intp]]]:
        """Return the rows of each app, so that no finding looks at those of the others."""
        return {
            name: getattr(self.calls, name).groupby("app_id", observed=True).indices
            for name in ("by_api", "by_ip")
        }


def _failed(rows: pd.DataFrame, hit: Hit) -> pd.Series:
    return rows[[f"{name}_count" for name in hit.where["outcome"]]].sum(axis=1) > 0
