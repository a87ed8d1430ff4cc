"""What happened, in order: the first call, the last one, and the steps between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from audit_analytics.cases import find_covered
from audit_analytics.dates.buckets import format_local, format_utc
from audit_analytics.detect import sort_words
from audit_analytics.schema import SENSITIVE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from audit_analytics.cases import Hit

MAX_STEPS: Final = 12
PAUSE: Final = pd.Timedelta(hours=4)
"""After a pause this long the same calls are another step."""
BEFORE: Final = pd.Timedelta(hours=1)
"""How far back an activity is followed beyond its bucket."""


def build_timeline(groups: pd.DataFrame, told: pd.Series, zone: str) -> dict[str, Any]:
    """Put the calls of a finding in order.

    A step is like calls from one address without a long pause. `told` are those a reason is about;
    the others stayed below the budget. Where there are too many, failures of several APIs are one
    step, then harmless successes; what is left over is counted.
    """
    if groups.empty:
        names = ("first_at", "last_at", "first_local", "last_local")
        empty = {"calls_count": 0, "ok_count": 0, "more_calls_count": 0}
        return dict.fromkeys(names) | empty | {"steps": []}
    about, ok = told.to_numpy(), (groups["outcome"] == "ok").to_numpy()
    harmful = ok & groups["severity"].isin(SENSITIVE).to_numpy()
    calls = groups["calls_count"].to_numpy()
    begun, ended = (groups[name].to_numpy("datetime64[us]") for name in ("first_at", "last_at"))
    sorted_words = {
        name: sort_words(groups[name]).cat for name in ("app_id", "ip", "api", "outcome")
    }
    words = {
        name: (kinds.codes.to_numpy(np.intp), kinds.categories)
        for name, kinds in sorted_words.items()
    }
    app, ip, api, outcome = (codes + 1 for codes, _names in words.values())
    # which calls are told apart by their API, and whether all are by app and address
    for apart, who in ((True, True), (ok, True), (harmful, True), (harmful, False)):
        keys = np.array([about, app * who, ip * who, api * apart, outcome])
        order = np.lexsort([begun, *keys[::-1]])
        numbers = number_steps(keys[:, order], begun[order], ended[order])
        if numbers[-1] < MAX_STEPS:
            break
    steps = np.split(order, np.flatnonzero(np.diff(numbers)) + 1)
    steps.sort(key=lambda step: (not about[step[0]], not ok[step[0]]))
    shown = [(begun[step].min(), ended[step].max(), step) for step in steps[:MAX_STEPS]]
    return {
        **_say_span(begun.min(), ended.max(), ("first", "last"), zone),
        "calls_count": int(calls.sum()),
        "ok_count": int(calls[ok].sum()),
        "more_calls_count": sum(int(calls[step].sum()) for step in steps[MAX_STEPS:]),
        "steps": [
            {"told": bool(about[step[0]])}
            | _name_shared(words, step)
            | {"calls_count": int(calls[step].sum())}
            | _say_span(start, end, ("start", "end"), zone)
            for start, end, step in sorted(shown, key=lambda one: one[:2])
        ],
    }


def _say_span(
    first: np.datetime64, last: np.datetime64, names: tuple[str, str], zone: str
) -> dict[str, str]:
    ends = [pd.Timestamp(at, tz="UTC") for at in (first, last)]
    pairs = list(zip(names, ends, strict=True))
    return {f"{name}_at": format_utc(at) for name, at in pairs} | {
        f"{name}_local": format_local(at, zone) for name, at in pairs
    }


def number_steps(
    keys: NDArray[np.int64], first: NDArray[np.datetime64], last: NDArray[np.datetime64]
) -> NDArray[np.intp]:
    """Return to which step each row belongs, from 0: like calls, until a long pause.

    `keys` of shape (n_keys, n_rows) is what like calls share; rows are in its order and that of
    `first`.

    Examples
    --------
    >>> at = np.array(["2026-11-10T09:00", "2026-11-10T13:00"] * 2, "datetime64[us]")
    >>> number_steps(np.array([[0, 0, 1, 2]]), at, at)
    array([0, 0, 1, 2])
    """
    begins = np.append([True], (keys[:, 1:] != keys[:, :-1]).any(axis=0))
    until = pd.Series(last).groupby(begins.cumsum()).cummax().to_numpy()
    begins[1:] |= first[1:] - until[:-1] > PAUSE.to_timedelta64()
    return np.asarray(begins.cumsum() - 1)


def _name_shared(
    words: Mapping[str, tuple[NDArray[np.intp], pd.Index]], step: NDArray[np.intp]
) -> dict[str, Any]:
    """Name what all calls of a step share; of the rest their number is told."""
    told: dict[str, Any] = {}
    for name, (codes, names) in words.items():
        seen = np.unique(codes[step])
        told[name] = names[seen[0]] if len(seen) == 1 else None
        if name != "outcome":
            told[f"{name.removesuffix('_id')}s_count"] = len(seen)
    return told


def find_activity(
    first: Hit, groups: pd.DataFrame, begun: Sequence[pd.Timestamp]
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return when the calls of a reason were made: midnight is when nothing happened.

    The span reaches up to an hour before the reason's: a bucket begins at the full hour, and what
    `begun` says began in the hour before it is the same activity.
    """
    own = groups[find_covered([first], groups)]
    if own.empty:
        return first.start_at, first.end_at
    start, end = own["first_at"].min(), own["last_at"].max() + pd.Timedelta(seconds=1)
    start, end = max(start, first.start_at), min(end, first.end_at)
    return min([start, *(at for at in begun if first.start_at - BEFORE <= at)]), end
