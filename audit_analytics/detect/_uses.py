"""Uses of sensitive APIs: which of them are a first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics import schema
from audit_analytics.detect._tables import is_known

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from audit_analytics.detect._rule_input import RuleInput

APP_API: Final = ["app_id", "api"]


def find_served(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in which a call may have succeeded.

    A denied attempt makes nothing known, or one probe a week earlier would hide the real use;
    an answer that cannot be read may have been a success.
    """
    return table[table["calls_count"] > table["permission_count"]]


def sum_uses(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Sum up uses of APIs by some columns: ``first_at``, ``last_at``, ``calls`` and ``denied``."""
    return table.groupby(keys, observed=True, as_index=False).agg(
        first_at=("first_at", "min"),
        last_at=("last_at", "max"),
        calls=("calls", "sum"),
        denied=("denied", "sum"),
    )


def count_first_uses(data: RuleInput, also: Collection[str] = ()) -> pd.DataFrame:
    """Count the week's calls of each sensitive API that an app was never served before.

    In a log that is younger than a week, what it does in its first seven days is known. Of some
    categories other APIs are counted, `also`.
    """
    known, fresh = data.split_known()
    used = fresh[fresh["severity"].isin(schema.SENSITIVE) | fresh["category"].isin(also)]
    used = used.rename(columns={"calls_count": "calls", "permission_count": "denied"})
    used = sum_uses(used, [*APP_API, "category", "severity"])
    known = known[[*APP_API, "calls_count", "permission_count"]]
    return used[~is_known(used, find_served(known), APP_API)]
