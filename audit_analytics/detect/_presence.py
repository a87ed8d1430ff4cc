"""Which apps are there enough to be judged.

Whoever writes the log can forge app ids by the hundred thousand, and each would cost as much
memory and time as an app that is there, and one more chance for E to count. An id with a handful of
calls cannot be judged by anybody: no detector has the support to call it unusual. What is left is
ordered by what forging costs most: to be there day after day.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

MIN_CALLS: Final = 5
"""An app of fewer calls over the whole log has no rhythm, and no week that could be compared."""

MIN_TELLING: Final = 5
"""But that many errors, or calls of sensitive APIs, within a day say something by themselves."""

FLEETING_DAYS: Final = 2
MAX_FLEETING: Final = 300
"""Apps that called on so few days of the log and are judged: those with most to say."""

MAX_APPS: Final = 10_000
"""Apps that are judged: those that called on most days."""


def choose_apps(
    app: pd.Series, bucket_at: pd.Series, calls: pd.Series, telling: pd.Series
) -> pd.Index:
    """Choose the apps that are judged, in the order of their ids.

    Each row is of an app and an hour of the whole log; `telling` counts the calls that say
    something by themselves.
    """
    table = pd.DataFrame(
        {
            "app": app,
            "day": bucket_at.dt.floor("D"),
            "first": bucket_at,
            "calls": calls,
            "telling": telling,
        }
    )[app != ""]
    daily = table.groupby(["app", "day"], sort=False, observed=True).agg(
        {"first": "min", "calls": "sum", "telling": "sum"}
    )
    apps = daily.groupby("app", observed=True).agg(
        days=("calls", "size"),
        first=("first", "min"),
        calls=("calls", "sum"),
        telling=("telling", "max"),
    )
    apps = apps.set_axis(apps.index.astype("str")).sort_index()
    apps = apps[(apps["calls"] >= MIN_CALLS) | (apps["telling"] >= MIN_TELLING)]
    fleeting = apps["days"] <= FLEETING_DAYS
    loudest = apps[fleeting].sort_values(
        ["telling", "calls", "first"], ascending=[False, False, True]
    )
    lasting = apps[~fleeting].sort_values(["days", "first"], ascending=[False, True])
    chosen = [*loudest.index[:MAX_FLEETING], *lasting.index[:MAX_APPS]]
    return pd.Index(sorted(chosen), dtype="str")
