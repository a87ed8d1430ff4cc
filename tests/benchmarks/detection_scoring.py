"""Where each attack of a world stands in what a method ranked, and what is counted once a week."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from detection_methods import LISTED, METHODS, OURS, RANKED, Judged

if TYPE_CHECKING:
    from worlds.world import World

BUDGETS = (5, 10, 20)
_READS = {"SENS", "NEWAPI", "API", "VOL", "OBJ", "rule:first_sensitive"}
_FAILS = {"ERR", "rule:error_burst", "rule:failing", "API"}
# "tried 300 distinct objects of one API in vain", "called 2,000 routes that do not exist"
_TRIES = {*_FAILS, "rule:probing", "rule:enumeration"}
RIGHT = {
    "stolen_credential": {"NEWNET", "NEWAPI"},
    "error_burst": {"ERR", "rule:error_burst", "rule:failing"},
    # where a probe got through, the write it made is what to tell first
    "permission_probing": {"rule:probing", "ERR", "NEWAPI", "rule:high_impact_write"},
    "id_enumeration": {"rule:enumeration", "ERR", "API", "VOL", "OBJ", "SENS", "NEWAPI"},
    "off_hours_export": _READS,
    "dormant_wakes": {"rule:dormant"},
    "slow_and_low": {"SLOW", "VOL", "OBJ", "API", "SENS", "NEWAPI"},
    "token_spike": {"TOK", "API", "VOL"},
    "new_sensitive_api": {"NEWAPI", "SENS", "rule:first_sensitive"},
    "volume": {"VOL", "API", "SENS", "OBJ"},
    "credential_stuffing": {"rule:auth_failures", "AUTHAPPS", "AUTHFAIL", "NEWAPPS", "ERR", "TOK"},
    "weak_everywhere": {"FOREST", "NEWNET", "NEWAPI"},
    "beacon": {"NEWNET", "NEWAPI", "rule:beacon", "BEACON"},
    "silence": {"rule:silence"},
    "off_hours_calls": {"VOL", "API", "OBJ", "SENS"},
    "new_apis": {"NEWAPI", "API"},
    "growth": {"SLOW", "VOL", "API", "OBJ", "SENS"},
    "growth_1.5": {"SLOW", "VOL", "API", "OBJ", "SENS", "GROWTH"},
    "growth_2": {"SLOW", "VOL", "API", "OBJ", "SENS", "GROWTH"},
    "nightly_reader": _READS | {"SLOW"},
    "nightly_calls": {"NEWAPI", "API", "VOL", "OBJ", "SLOW"},
    "answered_flood": {"VOL", "API", "OBJ", "SENS"},
    "denied_one_api": {*_TRIES, "NEWAPI", "SENS"},
    "denied_for_days": {*_TRIES, "SLOW", "VOL"},
    "clockwork_failures": {*_FAILS, "SLOW", "VOL", "BEACON", "rule:beacon"},
    "real_takeover": {*_FAILS, "NEWAPI", "VOL", "OBJ", "rule:probing"},
    "real_role_abuse": {"NEWAPPS", "NEWAPI", "API", "VOL", "OBJ", "ERR", "NEWNET"},
    "ghost_routes": {*_TRIES, "NEWAPI", "VOL"},
}
"""What may stand first in a finding for it to say what happened."""


def grade(world: World, cases: pd.DataFrame) -> tuple[pd.DataFrame, list[bool]]:
    """Return one row an attack (false cases above it, hours to detect), and the truth of each case."""
    if "spans" not in cases:
        cases = cases.assign(spans=[[]] * len(cases))
    cases = cases.sort_values(["score", "entity"], ascending=[False, True], ignore_index=True)
    true = np.zeros(len(cases), dtype=bool)
    places: list[np.ndarray] = []
    for label in world.labels.itertuples():
        named = [f"{label.entity_type}:{label.entity}"]
        named += [f"ip:{ip}" for ip in world.foreign[label.attack_id]]
        mine = cases["entity"].isin(named)
        if label.entity_type == "ip":
            tried = cases["entity"].isin([f"app:{app}" for app in world.touched[label.attack_id]])
            then = (cases["start_at"] < label.end_at) & (cases["end_at"] > label.start_at)
            mine |= tried & then
        places.append(np.flatnonzero(mine))
        true |= mine.to_numpy()
    false_above = np.cumsum(~true)
    rows = []
    for label, at in zip(world.labels.itertuples(), places, strict=True):
        row = {"scenario": label.scenario, "entity": label.entity, "false_above": np.inf}
        row |= {"hours": np.nan, "in_time": False, "reason": None}
        if len(at):
            case = cases.iloc[at[0]]
            in_time = case["start_at"] < label.end_at and case["end_at"] > label.start_at
            # whichever of its reasons about the attack was complete first would have told
            ends = [e for s, e in case["spans"] if s < label.end_at and e > label.start_at]
            late = (min(ends, default=case["end_at"]) - label.start_at) / pd.Timedelta(hours=1)
            row |= {"false_above": false_above[at[0]], "hours": late if in_time else np.nan}
            row |= {"in_time": in_time, "reason": case.get("reason")}
        rows.append(row)
    columns = ["scenario", "entity", "false_above", "hours", "in_time", "reason"]
    return pd.DataFrame(rows, columns=columns), true.tolist()


def judge(world: World, methods: list[str]) -> tuple[pd.DataFrame, list[dict]]:
    """Return the attacks by method, and what is counted once a week."""
    judged = Judged(world)
    attacks, weeks = [], []
    where = {"kind": world.kind, "world": world.name, "size": world.size, "seed": world.seed}
    for name in methods:
        began = time.perf_counter()
        cases = METHODS[name](judged)
        took = time.perf_counter() - began
        rows, true = grade(world, cases)
        attacks.append(rows.assign(method=name, **where))
        week = {"method": name, **where, "seconds": took, "events": len(world.events)}
        week["precision_20"] = np.mean(true[:20]) if true else 0.0
        for k in BUDGETS:
            week[f"recall_{k}"] = (rows["false_above"] <= k).mean()
        week["in_time_10"] = ((rows["false_above"] <= 10) & rows["in_time"]).mean()
        if name == RANKED:
            expected = np.array([c.expected_per_week for c in judged.detection.cases])
            week |= {f"E<{limit}": int((expected < limit).sum()) for limit in (1, 5, 10)}
        if name in (OURS, LISTED):
            week["findings"] = len(judged.findings)
        weeks.append(week)
    return pd.concat(attacks), weeks


def is_right(row: pd.Series) -> bool:
    return row["reason"] in RIGHT[row["scenario"]]
