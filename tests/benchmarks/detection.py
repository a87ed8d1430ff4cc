"""How many attacks does each method find with the same number of false cases a week?

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/detection.py --seeds 100-103``.
Every seed is a simulated tenant with 22 labelled attacks in the last of five weeks. Each method
ranks the entities of that week; recall at k is the share of attacks whose entity stands above the
(k+1)-th false case. An attack on an app is found through the app, or through a foreign address it
came from; credential stuffing through its address, or through an app it tried at that time.
"In time" asks for more: what stood out has to lie in the attack's hours, or a busy app that always
stands first would be credited with whatever is done to it.
Develop on seeds 100 and up; the seeds 0-11 are for the figures of the record, once.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from detection_methods import METHODS, Judged
from detection_worlds import World, load_worlds

BUDGETS = (5, 10, 20)
OURS = "ours, as the report ranks"
RIGHT = {
    "stolen_credential": {"NEWNET", "NEWAPI"},
    "error_burst": {"ERR", "rule:error_burst"},
    # where a probe got through, the write it made is what to tell first
    "permission_probing": {"rule:probing", "ERR", "NEWAPI", "rule:high_impact_write"},
    "id_enumeration": {"rule:enumeration", "ERR", "API", "VOL", "OBJ", "SENS", "NEWAPI"},
    "off_hours_export": {"SENS", "NEWAPI", "API", "VOL", "OBJ", "rule:first_sensitive"},
    "dormant_wakes": {"rule:dormant"},
    "slow_and_low": {"SLOW", "VOL", "OBJ", "API", "SENS", "NEWAPI"},
    "token_spike": {"TOK", "API", "VOL"},
    "new_sensitive_api": {"NEWAPI", "SENS", "rule:first_sensitive"},
    "volume": {"VOL", "API", "SENS", "OBJ"},
    "credential_stuffing": {"rule:auth_failures", "AUTHAPPS", "AUTHFAIL", "NEWAPPS", "ERR", "TOK"},
    "weak_everywhere": {"FOREST", "NEWNET", "NEWAPI"},
    "beacon": {"NEWNET", "NEWAPI", "rule:beacon", "BEACON"},
    "silence": {"rule:silence"},
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
    where = {"world": world.name, "size": world.size, "seed": world.seed}
    for name in methods:
        began = time.perf_counter()
        cases = METHODS[name](judged)
        took = time.perf_counter() - began
        rows, true = grade(world, cases)
        attacks.append(rows.assign(method=name, **where))
        week = {"method": name, **where, "seconds": took, "precision_20": np.mean(true[:20])}
        for k in BUDGETS:
            week[f"recall_{k}"] = (rows["false_above"] <= k).mean()
        week["in_time_10"] = ((rows["false_above"] <= 10) & rows["in_time"]).mean()
        if name == "ours, cases by E":
            expected = np.array([c.expected_per_week for c in judged.detection.cases])
            week |= {"E<1": (expected < 1).sum(), "E<5": (expected < 5).sum()}
            week |= {"E<10": (expected < 10).sum()}
        if name == OURS:
            week["findings"] = len(judged.findings)
        weeks.append(week)
    return pd.concat(attacks), weeks


def run(task: tuple) -> tuple[pd.DataFrame, pd.DataFrame]:
    seed, harsh, sizes, options = task
    worlds = load_worlds(
        seed,
        apps=options.apps,
        weeks=options.weeks,
        harsh=harsh,
        sizes=sizes,
        cache=options.cache,
    )
    judged = [judge(world, options.methods) for world in worlds]
    attacks = pd.concat([rows for rows, _ in judged], ignore_index=True)
    return attacks, pd.DataFrame([week for _, weeks in judged for week in weeks])


def print_results(attacks: pd.DataFrame, weeks: pd.DataFrame) -> None:
    columns = [*(f"recall_{k}" for k in BUDGETS), "in_time_10", "precision_20"]
    for world, rows in weeks[weeks["size"] > 0].groupby("world", sort=False):
        print(f"\n== {world}: {rows['seed'].nunique()} seeds, mean (sd over seeds)")
        table = rows.groupby("method", sort=False)[columns].agg(["mean", "std"])
        text = pd.DataFrame(
            {
                c: [
                    f"{m:.2f} ({s:.2f})"
                    for m, s in zip(table[c]["mean"], table[c]["std"].fillna(0), strict=True)
                ]
                for c in columns
            },
            index=table.index,
        )
        found = attacks[(attacks["world"] == world) & (attacks["false_above"] <= 10)]
        text["hours to detect (median, 90 %)"] = found.groupby("method")["hours"].apply(
            lambda h: f"{h.median():.1f}, {h.quantile(0.9):.1f}"
        )
        print(text.to_string())
        mine = attacks[attacks["world"] == world]
        hit = mine.assign(found=mine["false_above"] <= 10)
        print("\nrecall at 10 false cases, by scenario")
        pivot = hit.pivot_table(index="scenario", columns="method", values="found", sort=False)
        print(pivot.round(2).to_string())
        said = found[(found["method"] == OURS) & found["reason"].notna()]
        if len(said):
            right = [row.reason in RIGHT[row.scenario] for row in said.itertuples()]
            print(f"\nfirst reason right in {np.mean(right):.2f} of {len(right)} true findings")
            wrong = said[~np.array(right)].groupby(["scenario", "reason"]).size()
            print(wrong.to_string() if len(wrong) else "")
    ours = weeks[weeks["method"] == "ours, cases by E"]
    for world, rows in ours[ours["size"] == 0].groupby("world", sort=False):
        print(f"\n== {world}: {rows['seed'].nunique()} seeds, cases a week, mean (sd)")
        for name in ("E<1", "E<5", "E<10"):
            print(f"  {name:5} {rows[name].mean():5.2f} ({rows[name].std():.2f})")
        findings = weeks[(weeks["world"] == world) & (weeks["method"] == OURS)]["findings"]
        if len(findings):
            print(f"  findings with rules {findings.mean():.2f} ({findings.std():.2f})")
    print("\nseconds a week, what the methods share falling on the first")
    print(weeks.groupby("method", sort=False)["seconds"].mean().round(1).to_string())


def parse_seeds(text: str) -> list[int]:
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=parse_seeds, default="100-103")
    parser.add_argument("--apps", type=int, default=200)
    parser.add_argument("--weeks", type=int, default=5)
    parser.add_argument("--sizes", default="1,0.5,0.25", help="factors on the calls of attacks")
    parser.add_argument("--harsh", action="store_true", help="also three times the incidents")
    parser.add_argument("--clean", action="store_true", help="also weeks without attacks")
    parser.add_argument("--methods", default="", help="only those whose name begins so")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one seed each")
    parser.add_argument("--csv", type=Path, help="write one row an attack and method to this file")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "audit-analytics-worlds"
    )
    options = parser.parse_args()
    options.methods = [name for name in METHODS if name.startswith(options.methods)]
    sizes = [float(size) for size in options.sizes.split(",") if size]
    clean = [0.0] if options.clean else []
    tasks = [(seed, False, [*sizes, *clean], options) for seed in options.seeds]
    if options.harsh:
        # in the harsh world only attacks of full size: what it asks is how much noise costs
        tasks += [(seed, True, [1.0, *clean], options) for seed in options.seeds]
    if options.jobs > 1:
        with ProcessPoolExecutor(options.jobs) as pool:
            results = list(pool.map(run, tasks))
    else:
        results = [run(task) for task in tasks]
    attacks = pd.concat([rows for rows, _ in results], ignore_index=True)
    if options.csv:
        attacks.to_csv(options.csv, index=False)
    print_results(attacks, pd.concat([weeks for _, weeks in results], ignore_index=True))


if __name__ == "__main__":
    main()
