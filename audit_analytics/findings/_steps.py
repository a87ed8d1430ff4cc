"""The steps of a story: who did what from where, with the ATT&CK tactic of each, in order."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd

from audit_analytics.dates.buckets import format_local, format_utc
from audit_analytics.detect import TACTICS
from audit_analytics.findings._techniques import list_seen
from audit_analytics.findings._timeline import number_steps

MAX_STEPS: Final = 20
MAX_APIS: Final = 3

_ORDER: Final = (
    "T1110.004",
    "T1069.003",
    "T1098.003",
    "T1485",
    "T1531",
    "T1567",
    "T1530",
    "T1528",
    "T1087.004",
    "T1213",
    "T1078.004",
)
"""The technique that says most about a call comes first."""


@cache
def name_technique(category: str, severity: str, outcome: str) -> str:
    """Name the ATT&CK technique of a call; empty where nothing follows from it.

    Examples
    --------
    >>> name_technique("doc_export", "high", "ok"), name_technique("other", "none", "permission")
    ('T1567', 'T1069.003')
    """
    call = {"category": [category], "severity": [severity], "outcome": [outcome]}
    seen = list_seen(_ORDER, pd.DataFrame(call | {"calls_count": 1, "api": ""}))
    if category.endswith("_read"):  # who reads permissions has neither changed nor sent any
        seen = [t for t in seen if t not in {"T1098.003", "T1567"}]
    return next(iter(seen), "")


def list_steps(groups: pd.DataFrame, zone: str) -> tuple[list[dict[str, Any]], int]:
    """Put the calls of a story in order, and count those of steps that are left out.

    A step is the calls of one app from one address with one technique and no long pause.
    """
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
    kept = [id(step) for step in order[:MAX_STEPS]]
    shown = [step for step in steps if id(step) in kept]
    return shown, sum(step["calls_count"] for step in order[MAX_STEPS:])


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
