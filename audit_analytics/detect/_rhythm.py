"""Whether an app keeps a beat on a new network that it did not keep before.

A beacon calls rarely and regularly: no count of it stands out, the evenness of its gaps does.
Scheduled jobs are as regular, so what counts is the change against the app's own past. The score
is the one of RITA (Active Countermeasures) for timestamps: 1 - MAD / median of the gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.detect._tables import SECOND, find_places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit_analytics.detect._panel import Panel

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


def _score_rhythm(instants: NDArray[np.int64]) -> tuple[float, float]:
    """Return how evenly instants follow each other: rhythm, and median gap in seconds.

    The rhythm is 1 - MAD / median of the gaps, 0 to 1; for fewer than eight gaps it is 0, the gap
    NaN. Instants are seconds in any order; the same second counts once.

    >>> _score_rhythm(np.arange(0, 36_000, 1800))
    (1.0, 1800.0)
    """
    gaps = np.diff(np.unique(instants))
    if len(gaps) < MIN_GAPS:
        return 0.0, float("nan")
    middle = np.median(gaps)
    rhythm = 1.0 - np.median(np.abs(gaps - middle)) / middle
    return max(0.0, float(rhythm)), float(middle)


def find_beat(hours: pd.DataFrame) -> float | None:
    """Find the even beat of calls that are only counted by the hour: seconds between two calls.

    Evenly spaced calls have one gap, (last - first) / (n - 1), in every hour; of n calls at random
    it strays by 1 / sqrt(n). None where there is no beat, or too little to tell.

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
    """Say of each new pair of app and network how much more regular it is than its app was.

    ``rhythm``, 0 or 0.25 to 1, and ``gap_seconds``, NaN where it is 0. An hour of `by_ip` knows its
    first and its last call, which is every call of whoever calls twice an hour at most.
    """
    app = find_places(by_ip["app_id"], panel.apps)
    names = pd.Index(pairs["name"].unique())
    # one number for app and network; negative where either is of no pair
    place = find_places(by_ip["network"], names)
    key = np.where(place < 0, -1, app * len(names) + place)
    pair = pairs["app"].to_numpy() * len(names) + names.get_indexer(pairs["name"])
    begun, span = _seconds(pairs["first_at"]), SPAN // SECOND
    there = _list_calls(by_ip, key, np.isin(key, pair))
    found = [
        _score_rhythm(_between(there[one], start, start + span))
        for one, start in zip(pair.tolist(), begun.tolist(), strict=True)
    ]
    beating = np.array([score > 0 for score, _gap in found], dtype=bool)
    own = _list_calls(by_ip, app, np.isin(app, pairs["app"][beating].unique()), by_hour=True)
    rhythm, gap = np.zeros(len(pairs)), np.full(len(pairs), np.nan)
    for row in np.flatnonzero(beating):
        start = int(begun[row])
        hours = own[pairs["app"].iloc[row]]
        before = _score_rhythm(_between(hours, start - OWN_SPAN // SECOND, start))
        change = found[row][0] - before[0]
        if change >= MIN_CHANGE:
            rhythm[row], gap[row] = change, found[row][1]
    return pairs.assign(rhythm=rhythm, gap_seconds=gap)


def _list_calls(
    by_ip: pd.DataFrame,
    key: NDArray[np.intp],
    chosen: NDArray[np.bool_],
    *,
    by_hour: bool = False,
) -> dict[int, pd.DataFrame]:
    """Return the first and the last second of the chosen rows, or of their hours, by key."""
    rows = by_ip.loc[chosen, ["bucket_at", "first_at", "last_at"]].assign(key=key[chosen])
    if by_hour:
        rows = rows.groupby(["key", "bucket_at"], as_index=False).agg(
            {"first_at": "min", "last_at": "max"}
        )
    rows = rows.assign(first=_seconds(rows["first_at"]), last=_seconds(rows["last_at"]))
    return dict(list(rows[["key", "first", "last"]].groupby("key")))


def _seconds(at: pd.Series) -> NDArray[np.int64]:
    return np.asarray((at - pd.Timestamp(0, tz="UTC")) // SECOND, dtype=np.int64)


def _between(hours: pd.DataFrame, start: int, end: int) -> NDArray[np.int64]:
    instants = np.concatenate([hours["first"].to_numpy(), hours["last"].to_numpy()])
    return np.asarray(instants[(instants >= start) & (instants < end)])
