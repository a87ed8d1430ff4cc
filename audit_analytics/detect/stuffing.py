"""Credential stuffing is one finding about an address, not one about every app it tried.

Whoever tries the secrets of twenty apps from one address puts an authentication failure into the
row of every one of them. These failures say nothing about what the apps do, so they are set
aside before the apps are judged; whatever else came from that address stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def set_aside_stuffing(
    by_api: pd.DataFrame, by_ip: pd.DataFrame, *, apps: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take the failures of credential stuffing out of the rollup.

    Parameters
    ----------
    by_api, by_ip : pandas.DataFrame
        The hourly rollup.
    apps : int
        Distinct apps whose calls from one address mostly fail to authenticate within an hour
        that make it stuffing.

    Returns
    -------
    by_api, by_ip : pandas.DataFrame
        Copies without these failures, in every week alike; rows left without a call are gone.
    """
    failing = by_ip[(2 * by_ip["auth_count"] > by_ip["calls_count"]) & (by_ip["ip"] != "")]
    tried = failing.groupby(["bucket_at", "ip"], observed=True)["app_id"].transform("nunique")
    stuffed = failing[tried >= apps]
    if stuffed.empty:
        return by_api, by_ip
    failures = stuffed.groupby(["bucket_at", "app_id"], observed=True)["auth_count"].sum()
    return _take_from_apis(by_api, failures), _take(by_ip, stuffed["auth_count"])


def _take_from_apis(by_api: pd.DataFrame, failures: pd.Series) -> pd.DataFrame:
    """Take each app's failures from its hour's APIs, first from those that failed most."""
    rows = by_api[by_api["auth_count"] > 0].sort_values(
        "auth_count", ascending=False, kind="stable"
    )
    keys = ["bucket_at", "app_id"]
    owed = rows.set_index(keys).index.map(failures.to_dict()).fillna(0)
    before = rows.groupby(keys, observed=True)["auth_count"].cumsum() - rows["auth_count"]
    return _take(by_api, (owed - before).clip(lower=0).clip(upper=rows["auth_count"]))


def _take(table: pd.DataFrame, failures: pd.Series) -> pd.DataFrame:
    failures = failures.reindex(table.index, fill_value=0).astype("int64")
    lowered = table.assign(
        calls_count=table["calls_count"] - failures, auth_count=table["auth_count"] - failures
    )
    return lowered[lowered["calls_count"] > 0]
