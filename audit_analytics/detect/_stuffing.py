"""Credential stuffing is one finding about a network, not one about every app it tried.

Whoever tries the secrets of twenty apps puts an authentication failure into the row of every one
of them, and may take a new address of the same network for each try. These failures say nothing
about what the apps do, so they are set aside before the apps are judged and before anybody asks
whether the platform is down; whatever else came from there stays.
"""

from __future__ import annotations

import pandas as pd
from pydantic import Field

from audit_analytics import schema
from audit_analytics.detect._detector import Thresholds


class StuffingThresholds(Thresholds):
    """What makes failures to authenticate credential stuffing."""

    auth_failure_apps: int = Field(
        5, ge=2, description="apps failing auth from one network in an hour"
    )
    auth_failure_calls: int = Field(
        50, ge=2, description="auth failures without an app id from one network in an hour"
    )


def find_stuffing(by_ip: pd.DataFrame, thresholds: StuffingThresholds) -> pd.DataFrame:
    """Find the rows of credential stuffing; calls without an address are one network.

    Counted are apps whose calls mostly fail to authenticate. Within a network only those count that
    never succeeded from there: in an outage of the platform apps fail from where they live. At a
    single address all of them count, unless most apps elsewhere fail in that hour, too. Distinct
    apps failing within an hour, and failures without an app id, make it stuffing; both add up.
    """
    failing = by_ip[2 * by_ip["auth_count"] > by_ip["calls_count"]]
    if failing.empty:
        return failing
    named = failing["app_id"] != ""
    served = by_ip[by_ip["ok_count"] > 0][["app_id", "network"]].drop_duplicates().astype("str")
    pairs = pd.MultiIndex.from_frame(failing[["app_id", "network"]].astype("str"))
    strange = pd.Series(~pairs.isin(pd.MultiIndex.from_frame(served)), index=failing.index)

    def weigh(counted: pd.Series, place: str) -> pd.Series:
        keys = [failing["bucket_at"], failing[place]]
        tried = failing["app_id"].astype("str").where(counted & named)
        nameless = failing["auth_count"].where(counted & ~named, 0)
        groups = {"sort": False, "observed": True}
        tried_apps = tried.groupby(keys, **groups).transform("nunique")
        unnamed = nameless.groupby(keys, **groups).transform("sum")
        return tried_apps / thresholds.auth_failure_apps + unnamed / thresholds.auth_failure_calls

    foreign = strange & (weigh(strange, "network") >= 1)
    here = ~failing["ip"].isin(schema.NO_PLACE) & (weigh(named, "ip") >= 1)
    return failing[foreign | (here & ~_fails_elsewhere(by_ip, failing))]


def _fails_elsewhere(by_ip: pd.DataFrame, failing: pd.DataFrame) -> pd.Series:
    """Return, row by row of `failing`, whether half of the apps at other addresses fail, too."""
    hours = by_ip[by_ip["bucket_at"].isin(failing["bucket_at"].unique())]
    bad = hours.index.isin(failing.index)
    total = hours.groupby("bucket_at")["app_id"].size()
    failed = hours[bad].groupby("bucket_at")["app_id"].size()
    keys = ["bucket_at", "ip"]
    at_ip = hours.groupby(keys, observed=True)["app_id"].size()
    failed_at_ip = hours[bad].groupby(keys, observed=True)["app_id"].size()
    rows = pd.MultiIndex.from_frame(failing[keys])
    others = failing["bucket_at"].map(total) - at_ip.reindex(rows).to_numpy()
    failed_others = failing["bucket_at"].map(failed) - failed_at_ip.reindex(rows).to_numpy()
    return (others > 0) & (2 * failed_others >= others)


def set_aside_stuffing(
    by_api: pd.DataFrame, by_ip: pd.DataFrame, thresholds: StuffingThresholds
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take the failures of credential stuffing out of the rollup, in every week alike.

    Rows left without a call are gone.
    """
    stuffed = find_stuffing(by_ip, thresholds)
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
