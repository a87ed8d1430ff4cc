"""What came from one place: an address or a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit_analytics.detect._tables import gather

if TYPE_CHECKING:
    import pandas as pd


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
