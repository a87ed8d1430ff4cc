"""The tables: per app, per IP and per API over time buckets, and when pairs were first seen."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.dates.buckets import bucket_width, floor_at, list_buckets
from audit_analytics.errors import InputError
from audit_analytics.rollup import Rollup, rollup

TOKEN_CATEGORY: Final = "token_issuance"  # noqa: S105 - the name of a category
MAX_ROWS: Final = 20_000_000

_OUTCOME_COUNTS: Final = [f"{outcome}_count" for outcome in schema.OUTCOMES]
_SUMS: Final = ["calls_count", *_OUTCOME_COUNTS, "objects_count", "ok_objects_count"]
_ERRORS: Final = [f"{outcome}_count" for outcome in schema.ERROR_OUTCOMES]


def per_app(
    calls: pd.DataFrame | Rollup,
    *,
    bucket: str = "1h",
    zone: str = "Asia/Shanghai",
    zero_fill: bool = True,
) -> pd.DataFrame:
    """Count what each app did in each bucket.

    Parameters
    ----------
    calls : pandas.DataFrame or Rollup
        Events, or their rollup with buckets that lie within those asked for.
    bucket : str, default="1h"
        Width of the buckets: a part of a day such as ``15min``, ``1h`` or ``1D``.
    zone : str, default="Asia/Shanghai"
        IANA zone on whose clocks the buckets are cut.
    zero_fill : bool, default=True
        Add a row of zeros for each bucket without a call between the app's first call and the
        end of the log.

    Returns
    -------
    pandas.DataFrame
        One row per (bucket_at, app_id): ``calls_count``, a count per outcome, ``errors_count``,
        ``error_share`` (0-1, NA without calls), ``apis_count``, ``denied_apis_count``,
        ``sensitive_count``, ``token_count``, ``objects_count``, ``ips_count``,
        ``networks_count``. From a rollup narrower than `bucket`, objects are distinct within
        each bucket of the rollup and then summed.

    Raises
    ------
    InputError
        The rollup cannot be cut into these buckets, or zero-filling would exceed 20 million rows.

    Examples
    --------
    >>> per_app(schema.EVENTS.empty(), bucket="15min").shape
    (0, 22)
    """
    counted = _counted(calls, bucket, zone)
    by_api, calls_count = counted.by_api, counted.by_api["calls_count"]
    marked = by_api.assign(
        denied_api=by_api["api"].where(by_api["permission_count"] > 0),
        sensitive_count=calls_count.where(by_api["severity"].isin(schema.SENSITIVE), 0),
        token_count=calls_count.where(by_api["category"] == TOKEN_CATEGORY, 0),
    )
    counts = _count(
        marked,
        "app_id",
        {"apis_count": "api", "denied_apis_count": "denied_api"},
        bucket=bucket,
        zone=zone,
        sums=["sensitive_count", "token_count"],
    )
    places = {"ips_count": "ip", "networks_count": "network"}
    origins = _count(counted.by_ip, "app_id", places, bucket=bucket, zone=zone)
    counts = counts.join(origins[list(places)])
    return _finish(counts, "app_id", bucket=bucket, zone=zone, zero_fill=zero_fill)


def per_ip(
    calls: pd.DataFrame | Rollup,
    *,
    bucket: str = "1h",
    zone: str = "Asia/Shanghai",
    zero_fill: bool = True,
) -> pd.DataFrame:
    """Count what came from each IP in each bucket; parameters and errors are those of :func:`per_app`.

    Parameters
    ----------
    calls : pandas.DataFrame or Rollup
        Events, or their rollup.
    bucket, zone : str, default="1h", "Asia/Shanghai"
        Width of the buckets, and the IANA zone on whose clocks they are cut.
    zero_fill : bool, default=True
        Add a row of zeros for each bucket without a call since the IP's first call.

    Returns
    -------
    pandas.DataFrame
        One row per (bucket_at, ip): ``calls_count``, a count per outcome, ``errors_count``,
        ``error_share``, ``objects_count``, ``apps_count``, ``auth_failing_apps_count``.

    Raises
    ------
    InputError
        The rollup cannot be cut into these buckets, or zero-filling would exceed 20 million rows.

    Examples
    --------
    >>> per_ip(schema.EVENTS.empty()).columns[-1]
    'auth_failing_apps_count'
    """
    by_ip = _counted(calls, bucket, zone).by_ip
    marked = by_ip.assign(failing_app=by_ip["app_id"].where(by_ip["auth_count"] > 0))
    distinct = {"apps_count": "app_id", "auth_failing_apps_count": "failing_app"}
    counts = _count(marked, "ip", distinct, bucket=bucket, zone=zone)
    return _finish(counts, "ip", bucket=bucket, zone=zone, zero_fill=zero_fill)


def per_api(
    calls: pd.DataFrame | Rollup,
    *,
    bucket: str = "1h",
    zone: str = "Asia/Shanghai",
    zero_fill: bool = True,
) -> pd.DataFrame:
    """Count how each API was used in each bucket; parameters and errors are those of :func:`per_app`.

    Parameters
    ----------
    calls : pandas.DataFrame or Rollup
        Events, or their rollup.
    bucket, zone : str, default="1h", "Asia/Shanghai"
        Width of the buckets, and the IANA zone on whose clocks they are cut.
    zero_fill : bool, default=True
        Add a row of zeros for each bucket without a call since the API's first call.

    Returns
    -------
    pandas.DataFrame
        One row per (bucket_at, api): ``calls_count``, a count per outcome, ``errors_count``,
        ``error_share``, ``objects_count``, ``apps_count``, ``failing_apps_count``.

    Raises
    ------
    InputError
        The rollup cannot be cut into these buckets, or zero-filling would exceed 20 million rows.

    Examples
    --------
    >>> per_api(schema.EVENTS.empty()).columns[-1]
    'failing_apps_count'
    """
    by_api = _counted(calls, bucket, zone).by_api
    marked = by_api.assign(failing_app=by_api["app_id"].where(by_api[_ERRORS].sum(axis=1) > 0))
    distinct = {"apps_count": "app_id", "failing_apps_count": "failing_app"}
    counts = _count(marked, "api", distinct, bucket=bucket, zone=zone)
    return _finish(counts, "api", bucket=bucket, zone=zone, zero_fill=zero_fill)


def first_seen(calls: pd.DataFrame | Rollup) -> Mapping[str, pd.DataFrame]:
    """Find when each app was first seen on each network and on each API.

    Parameters
    ----------
    calls : pandas.DataFrame or Rollup
        Events, or their rollup.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``networks`` with one row per (app_id, network) and ``apis`` with one row per
        (app_id, api): ``first_at`` (UTC), ``last_at``, ``calls_count``, ordered by ``first_at``.

    Examples
    --------
    >>> sorted(first_seen(schema.EVENTS.empty()))
    ['apis', 'networks']
    """
    counted = _counted(calls, "1h", "UTC") if isinstance(calls, pd.DataFrame) else calls
    return {"networks": _pairs(counted.by_ip, "network"), "apis": _pairs(counted.by_api, "api")}


def _pairs(table: pd.DataFrame, other: str) -> pd.DataFrame:
    return (
        table.groupby(["app_id", other], observed=True)
        .agg(
            first_at=("first_at", "min"),
            last_at=("last_at", "max"),
            calls_count=("calls_count", "sum"),
        )
        .reset_index()
        .sort_values(["first_at", "app_id", other], kind="stable", ignore_index=True)
    )


def _counted(calls: pd.DataFrame | Rollup, bucket: str, zone: str) -> Rollup:
    width = bucket_width(bucket)
    if isinstance(calls, pd.DataFrame):
        return rollup(calls, bucket=bucket, zone=zone)
    tables = calls.by_api, calls.by_ip
    if bucket_width(calls.bucket) > width or any(_straddles(t, bucket, zone) for t in tables):
        raise InputError(
            f"a rollup of {calls.bucket} cannot be cut into {bucket} buckets of {zone}; "
            "pass the events, or a rollup with narrower buckets or of the same zone"
        )
    return calls


def _straddles(table: pd.DataFrame, bucket: str, zone: str) -> bool:
    """Tell whether a row has calls on both sides of a bucket's edge."""
    first, last = (floor_at(table[name], bucket, zone=zone) for name in ("first_at", "last_at"))
    return bool((first != last).any())


def _count(
    table: pd.DataFrame,
    key: str,
    distinct: Mapping[str, str],
    *,
    bucket: str,
    zone: str,
    sums: Sequence[str] = (),
) -> pd.DataFrame:
    """Sum the counts and count the distinct values per (bucket, key)."""
    # grouped by text, not by category: indexes of two tables must join
    keys = [floor_at(table["first_at"], bucket, zone=zone), table[key].astype("str")]
    groups = table.groupby([k.rename(n) for k, n in zip(keys, ("bucket_at", key), strict=True)])
    counts = groups[[*_SUMS, *sums]].sum()
    return counts.assign(**{name: groups[other].nunique() for name, other in distinct.items()})


def _finish(
    table: pd.DataFrame, key: str, *, bucket: str, zone: str, zero_fill: bool
) -> pd.DataFrame:
    if zero_fill and len(table):
        table = table.reindex(_every_bucket(table, key, bucket, zone), fill_value=0)
    errors = table[_ERRORS].sum(axis=1)
    share = errors / table["calls_count"].where(table["calls_count"] > 0)
    table.insert(1, "errors_count", errors)
    table.insert(2, "error_share", share.astype("Float64"))
    return pd.DataFrame(
        table.reset_index()
        .sort_values(["bucket_at", key], kind="stable", ignore_index=True)
        .astype({"bucket_at": schema.AT, key: "category"})
    )


def _every_bucket(table: pd.DataFrame, key: str, bucket: str, zone: str) -> pd.MultiIndex:
    """Return each key's buckets from its first to the last of the log."""
    seen = table.index.to_frame(index=False)
    at = pd.DatetimeIndex(seen["bucket_at"])
    grid = list_buckets(at.min(), at.max(), bucket, zone=zone).astype(schema.AT)
    starts = pd.Series(grid.get_indexer(at)).groupby(seen[key]).min()
    lengths = len(grid) - starts.to_numpy()
    if lengths.sum() > MAX_ROWS:
        raise InputError(
            f"zero-filling {len(starts):,} values of {key} over {len(grid):,} buckets makes "
            f"{lengths.sum():,} rows; choose a wider bucket, or zero_fill=False"
        )
    position = np.concatenate([np.arange(start, len(grid)) for start in starts])
    return pd.MultiIndex.from_arrays(
        [grid[position], starts.index.repeat(lengths)], names=["bucket_at", key]
    )
