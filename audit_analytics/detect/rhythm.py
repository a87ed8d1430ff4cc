"""Whether an app keeps a beat on a new network that it did not keep before.

A beacon calls rarely and regularly: no count of it stands out, the evenness of its gaps does.
Scheduled jobs are as regular, so what counts is the change against the app's own past. The score
is the one of RITA (Active Countermeasures) for timestamps: 1 - MAD / median of the gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit_analytics.detect.panel import Panel

SPAN: Final = pd.Timedelta(days=2)
"""How much of a new pair is looked at; the app's own past is looked at over a week."""

OWN_SPAN: Final = pd.Timedelta(days=7)

MIN_CHANGE: Final = 0.25
"""Two samples of one person's calls differ by less, mostly; it counts as no change."""

MIN_GAPS: Final = 8
"""Fewer gaps are even by chance too often."""


def score_rhythm(instants: NDArray[np.int64]) -> tuple[float, float]:
    """Return how evenly instants follow each other.

    Parameters
    ----------
    instants : numpy.ndarray of int64 of shape (n,)
        Instants in seconds, in any order; the same second counts once.

    Returns
    -------
    rhythm : float
        1 - MAD / median of the gaps, 0 to 1; 0 for fewer than eight gaps.
    gap : float
        Median gap in seconds; NaN for fewer than eight gaps.

    Examples
    --------
    >>> score_rhythm(np.arange(0, 36_000, 1800))
    (1.0, 1800.0)
    """
    gaps = np.diff(np.unique(instants))
    if len(gaps) < MIN_GAPS:
        return 0.0, float("nan")
    middle = np.median(gaps)
    rhythm = 1.0 - np.median(np.abs(gaps - middle)) / middle
    return max(0.0, float(rhythm)), float(middle)


def add_rhythm(pairs: pd.DataFrame, by_ip: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Say of each new pair how much more regular it is than its app was.

    Parameters
    ----------
    pairs : pandas.DataFrame
        New pairs of apps with networks: ``app`` (position), ``name`` and ``first_at``.
    by_ip : pandas.DataFrame
        Table :data:`audit_analytics.schema.CALLS_BY_IP`. An hour of it knows its first and its
        last call, which is every call of whoever calls twice an hour at most.
    panel : Panel
        The tenant.

    Returns
    -------
    pandas.DataFrame
        `pairs` with ``rhythm``, 0 or 0.25 to 1, and ``gap_seconds``, NaN where `rhythm` is 0.
    """
    app = panel.apps.get_indexer(pd.Index(by_ip["app_id"].astype("str")))
    table = pd.DataFrame(
        {
            "app": app,
            "name": by_ip["network"].astype("str").to_numpy(),
            "bucket_at": by_ip["bucket_at"].to_numpy(),
            "first": _seconds(by_ip["first_at"]),
            "last": _seconds(by_ip["last_at"]),
        }
    )
    table = table[np.isin(app, pairs["app"].unique())]
    spans = {"first": ("first", "min"), "last": ("last", "max")}
    own = dict(
        list(table.groupby(["app", "bucket_at"], as_index=False).agg(**spans).groupby("app"))
    )
    keys = pd.MultiIndex.from_frame(pairs[["app", "name"]])
    new = table[pd.MultiIndex.from_frame(table[["app", "name"]]).isin(keys)]
    there = dict(list(new.groupby(["app", "name"])))
    rhythm, gap = np.zeros(len(pairs)), np.full(len(pairs), np.nan)
    begun = _seconds(pairs["first_at"])
    for row, key in enumerate(keys):
        start = int(begun[row])
        found = score_rhythm(_between(there[key], start, start + SPAN // SECOND))
        if found[0] > 0:
            before = score_rhythm(_between(own[key[0]], start - OWN_SPAN // SECOND, start))
            change = found[0] - before[0]
            if change >= MIN_CHANGE:
                rhythm[row], gap[row] = change, found[1]
    return pairs.assign(rhythm=rhythm, gap_seconds=gap)


SECOND: Final = pd.Timedelta(seconds=1)


def _seconds(at: pd.Series) -> NDArray[np.int64]:
    return np.asarray((at - pd.Timestamp(0, tz="UTC")) // SECOND, dtype=np.int64)


def _between(hours: pd.DataFrame, start: int, end: int) -> NDArray[np.int64]:
    instants = np.concatenate([hours["first"].to_numpy(), hours["last"].to_numpy()])
    return np.asarray(instants[(instants >= start) & (instants < end)])
