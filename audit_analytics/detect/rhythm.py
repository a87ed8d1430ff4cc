"""Whether an app keeps a beat on a new network that it did not keep before.

A beacon calls rarely and regularly: no count of it stands out, the evenness of its gaps does.
Scheduled jobs are as regular, so what counts is the change against the app's own past. The score
is the one of RITA (Active Countermeasures) for timestamps: 1 - MAD / median of the gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.detect.tables import SECOND

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

MIN_BEAT_CALLS: Final = 3
MIN_BEAT_HOURS: Final = 5
MAX_STRAY: Final = 0.1
"""Calls in an hour, and hours, that a beat needs. Chance keeps within a tenth of its own spread in
one hour of twelve, in half of five hours once in two hundred times."""


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


def find_beat(hours: pd.DataFrame) -> float | None:
    """Find the even beat of calls that are only counted by the hour.

    Evenly spaced calls have one gap, (last - first) / (n - 1), in every hour; of n calls at random
    it strays by 1 / sqrt(n).

    Parameters
    ----------
    hours : pandas.DataFrame
        ``bucket_at``, ``first_at``, ``last_at`` and ``calls_count``, as in a rollup.

    Returns
    -------
    float or None
        Seconds between two calls; None where there is no beat, or too little to tell.

    Examples
    --------
    >>> start = pd.Timestamp("2026-11-11T00:00Z")
    >>> at = pd.Series(start + pd.to_timedelta(range(0, 36_000, 275), unit="s"))
    >>> by_hour = at.groupby(at.dt.floor("h")).agg(first_at="min", last_at="max", calls_count="size")
    >>> find_beat(by_hour.rename_axis("bucket_at").reset_index())
    275.0
    """
    spans = hours.groupby("bucket_at").agg(
        first=("first_at", "min"), last=("last_at", "max"), calls=("calls_count", "sum")
    )
    spans = spans[spans["calls"] >= MIN_BEAT_CALLS]
    if len(spans) < MIN_BEAT_HOURS:
        return None
    gaps = ((spans["last"] - spans["first"]) / SECOND / (spans["calls"] - 1)).to_numpy()
    gap = float(np.median(gaps))
    # in units of what calls at random would stray by
    stray = np.abs(gaps / max(gap, 1e-9) - 1.0) * np.sqrt(spans["calls"].to_numpy() - 1.0)
    return gap if gap >= 1.0 and np.median(stray) < MAX_STRAY else None


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


def _seconds(at: pd.Series) -> NDArray[np.int64]:
    return np.asarray((at - pd.Timestamp(0, tz="UTC")) // SECOND, dtype=np.int64)


def _between(hours: pd.DataFrame, start: int, end: int) -> NDArray[np.int64]:
    instants = np.concatenate([hours["first"].to_numpy(), hours["last"].to_numpy()])
    return np.asarray(instants[(instants >= start) & (instants < end)])
