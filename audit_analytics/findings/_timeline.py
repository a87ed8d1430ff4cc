"""What happened, in order: the steps of a finding and of a story, and their ATT&CK techniques."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit_analytics import schema
from audit_analytics.cases import Hit, find_covered
from audit_analytics.dates.buckets import format_local, format_utc
from audit_analytics.detect import TACTICS, sort_words
from audit_analytics.schema import SENSITIVE

MAX_STEPS: Final = 12
PAUSE: Final = pd.Timedelta(hours=4)
"""After a pause this long the same calls are another step."""
BEFORE: Final = pd.Timedelta(hours=1)
"""How far back an activity is followed beyond its bucket."""


def build_timeline(groups: pd.DataFrame, told: pd.Series, zone: str) -> dict[str, Any]:
    """Put the calls of a finding in order: a step is like calls from one address without a long pause.

    `told` are those a reason is about. Where there are too many, steps of several APIs are joined.
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
    """Return to which step each row belongs, from 0: like `keys`, until a long pause; rows in order.

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

    What `begun` says began in the hour before the reason's bucket is the same activity.
    """
    own = groups[find_covered([first], groups)]
    if own.empty:
        return first.start_at, first.end_at
    start, end = own["first_at"].min(), own["last_at"].max() + pd.Timedelta(seconds=1)
    start, end = max(start, first.start_at), min(end, first.end_at)
    return min([start, *(at for at in begun if first.start_at - BEFORE <= at)]), end


MUCH: Final = 0.1
"""Share of calls the platform could not bear, from which on it may be said to be attacked."""

MANY_APIS: Final = 3
"""Distinct APIs from which on somebody may be said to look around."""


def _category(*words: str, only: str = "") -> Callable[[pd.DataFrame], bool]:
    def seen(calls: pd.DataFrame) -> bool:
        rows = calls[calls["outcome"] == only] if only else calls
        return bool(rows["category"].astype("str").str.contains("|".join(words)).any())

    return seen


def _share(calls: pd.DataFrame, *names: str) -> float:
    mine = calls.loc[calls["outcome"].isin(names), "calls_count"].sum()
    return float(mine / max(calls["calls_count"].sum(), 1))


def _outcome(*names: str) -> Callable[[pd.DataFrame], bool]:
    return lambda calls: bool(calls["outcome"].isin(names).any())


def _read(calls: pd.DataFrame) -> bool:
    got = calls[calls["outcome"] == "ok"]
    read = got["severity"].isin(("medium", *schema.SENSITIVE)) | (got["category"] == "unknown")
    return bool(read.any())


_SEEN: Final[dict[str, Callable[[pd.DataFrame], bool]]] = {
    "T1069.003": _outcome("permission"),
    "T1078.004": _outcome("ok"),
    "T1087.004": _category("directory", "user_", "org_", "hr_", "recon"),
    "T1098.003": _category("grant", "permission", "admin", "control", "write", only="ok"),
    "T1110.004": _outcome("auth"),
    "T1213": _read,
    "T1485": _category("destructive", only="ok"),
    "T1499": lambda calls: _share(calls, "rate_limit", "server") >= MUCH,
    "T1526": lambda calls: calls["api"].nunique() >= MANY_APIS,
    "T1528": _category("token"),
    "T1530": _category("doc_", "drive", "export", "table_", only="ok"),
    "T1531": _category("session", "credential", "lifecycle", "write", only="ok"),
    "T1550.001": _category("token"),
    "T1567": _category("export", "send", "permission", "exchange", only="ok"),
}
"""What must be among the calls of a finding for a technique to be named; others need nothing."""


def list_seen(techniques: Iterable[str], calls: pd.DataFrame) -> list[str]:
    """Return the techniques that follow from the calls of a finding, each once."""
    return [t for t in dict.fromkeys(techniques) if t not in _SEEN or _SEEN[t](calls)]


MAX_STORY_STEPS: Final = 20
MAX_APIS: Final = 3

_ORDER: Final = (
    "T1110.004", "T1069.003", "T1098.003", "T1485", "T1531", "T1567", "T1530", "T1528",
    "T1087.004", "T1213", "T1078.004",
)  # fmt: skip
"""The technique that says most about a call comes first."""


@cache
def name_technique(category: str, severity: str, outcome: str) -> str:
    """Name the ATT&CK technique of a call; empty where nothing follows from it.

    >>> name_technique("doc_export", "high", "ok"), name_technique("other", "none", "permission")
    ('T1567', 'T1069.003')
    """
    call = {"category": [category], "severity": [severity], "outcome": [outcome]}
    seen = list_seen(_ORDER, pd.DataFrame(call | {"calls_count": 1, "api": ""}))
    if category.endswith("_read"):  # who reads permissions has neither changed nor sent any
        seen = [t for t in seen if t not in {"T1098.003", "T1567"}]
    return next(iter(seen), "")


def list_steps(groups: pd.DataFrame, zone: str) -> tuple[list[dict[str, Any]], int]:
    """Put the calls of a story in order, a step an app, address and technique; count those left out."""
    if groups.empty:
        return [], 0
    words = ["app_id", "ip", "api", "category", "severity", "outcome"]
    rows = groups[[*words, "calls_count", "first_at", "last_at"]].astype(
        dict.fromkeys(words, "str")
    )
    kinds = zip(rows["category"], rows["severity"], rows["outcome"], strict=True)
    rows["technique"] = [name_technique(*kind) for kind in kinds]
    rows["ok_count"] = rows["calls_count"].where(rows["outcome"] == "ok", 0)
    keys = ["app_id", "ip", "technique"]
    rows = rows.sort_values([*keys, "first_at", "api"], kind="stable")
    shared = np.array([pd.factorize(rows[name])[0] for name in keys])
    first, last = (rows[name].to_numpy("datetime64[us]") for name in ("first_at", "last_at"))
    numbers = number_steps(shared, first, last)
    steps = [_join(own, zone) for _, own in rows.groupby(numbers)]
    steps.sort(key=lambda step: (step["start_at"], step["end_at"]))
    order = sorted(steps, key=lambda step: (not step["technique"], -step["ok_count"]))
    kept = [id(step) for step in order[:MAX_STORY_STEPS]]
    shown = [step for step in steps if id(step) in kept]
    return shown, sum(step["calls_count"] for step in order[MAX_STORY_STEPS:])


def _join(rows: pd.DataFrame, zone: str) -> dict[str, Any]:
    first = rows.iloc[0]
    apis = list(dict.fromkeys(rows["api"]))
    start, end = rows["first_at"].min(), rows["last_at"].max()
    return {
        "start_at": format_utc(start),
        "end_at": format_utc(end),
        "start_local": format_local(start, zone),
        "end_local": format_local(end, zone),
        "app_id": first["app_id"],
        "ip": first["ip"],
        "technique": first["technique"],
        "tactic": TACTICS[first["technique"]][1] if first["technique"] else "",
        "apis": apis[:MAX_APIS],
        "apis_count": len(apis),
        "calls_count": int(rows["calls_count"].sum()),
        "ok_count": int(rows["ok_count"].sum()),
    }
