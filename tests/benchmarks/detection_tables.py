"""The detection benchmark's results in words: each world at length, and all of them in one table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from detection_methods import LISTED, OURS, RANKED
from detection_scoring import BUDGETS, is_right

SHORT = {
    "forest, raw app-hours": "forest",
    "forest, baseline-relative": "forest, rel.",
    "static thresholds": "thresholds",
    "static list": "static list",
    "ECOD, raw app-hours": "ECOD",
    RANKED: "ours, E",
    OURS: "ours, report",
    LISTED: "ours, listed",
}


def print_worlds(attacks: pd.DataFrame, weeks: pd.DataFrame) -> None:
    columns = [*(f"recall_{k}" for k in BUDGETS), "in_time_10", "precision_20"]
    for world, rows in weeks[weeks["size"] > 0].groupby("world", sort=False):
        mine = attacks[attacks["world"] == world]
        count = len(mine) / max(1, mine["method"].nunique())
        print(
            f"\n== {world}: {rows['seed'].nunique()} seeds, {count:.0f} attacks, mean (sd over seeds)"
        )
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
        found = mine[mine["false_above"] <= 10]
        text["hours to detect (median, 90 %)"] = found.groupby("method")["hours"].apply(
            lambda h: f"{h.median():.1f}, {h.quantile(0.9):.1f}"
        )
        print(text.to_string())
        print_scenarios(mine)
        said = found[(found["method"] == OURS) & found["reason"].notna()]
        if len(said):
            right = said.apply(is_right, axis=1)
            print(f"\nfirst reason right in {right.mean():.2f} of {len(said)} true findings")
            wrong = said[~right].groupby(["scenario", "reason"]).size()
            print(wrong.to_string() if len(wrong) else "")


def print_scenarios(attacks: pd.DataFrame) -> None:
    print("\nrecall at 10 false cases, by scenario")
    hit = attacks.assign(found=attacks["false_above"] <= 10)
    pivot = hit.pivot_table(index="scenario", columns="method", values="found", sort=False)
    number = hit.groupby("scenario").size() // max(1, hit["method"].nunique())
    pivot.insert(0, "attacks", number.reindex(pivot.index))
    print(pivot.rename(columns=SHORT).round(2).to_string())


def print_clean(weeks: pd.DataFrame) -> None:
    ours = weeks[weeks["method"] == RANKED]
    for world, rows in ours[ours["size"] == 0].groupby("world", sort=False):
        print(f"\n== {world}: {rows['seed'].nunique()} seeds, cases a week, mean (sd)")
        for name in ("E<1", "E<5", "E<10"):
            print(f"  {name:5} {rows[name].mean():5.2f} ({rows[name].std():.2f})")
        findings = weeks[(weeks["world"] == world) & (weeks["method"] == OURS)]["findings"]
        if len(findings):
            print(f"  findings with rules {findings.mean():.2f} ({findings.std():.2f})")


def print_summary(attacks: pd.DataFrame, weeks: pd.DataFrame) -> None:
    """Print a row a world and size: recall at 10, the reasons, and what clean weeks bring."""
    rows = []
    clean = weeks[weeks["size"] == 0]
    for (kind, size), table in weeks[weeks["size"] > 0].groupby(["kind", "size"], sort=False):
        at = table.groupby("method", sort=False)
        mine = attacks[(attacks["kind"] == kind) & (attacks["size"] == size)]
        row = {"world": kind, "size": size, "seeds": table["seed"].nunique()}
        row["attacks"] = len(mine) // max(1, mine["method"].nunique())
        row |= {SHORT.get(name, name): value for name, value in at["recall_10"].mean().items()}
        if RANKED in at.groups:
            row |= {f"E at {k}": at.get_group(RANKED)[f"recall_{k}"].mean() for k in (5, 20)}
        said = mine[(mine["method"] == OURS) & (mine["false_above"] <= 10) & mine["reason"].notna()]
        row["reason"] = said.apply(is_right, axis=1).mean() if len(said) else np.nan
        quiet = clean[clean["kind"] == kind]
        for name, method in (("E<1", RANKED), ("E<5", RANKED), ("findings", OURS)):
            found = quiet[quiet["method"] == method]
            if name in found and len(found):
                row[f"clean {name}"] = f"{found[name].mean():.1f}"
                if name == "findings":
                    row["most"] = int(found[name].max())
        rows.append(row)
    print("\n== all worlds: recall at 10 false cases; clean weeks: cases and rows a week")
    print(pd.DataFrame(rows).round(2).to_string(index=False))


def print_seconds(weeks: pd.DataFrame) -> None:
    print("\nseconds a week, what the methods share falling on the first")
    print(weeks.groupby("method", sort=False)["seconds"].mean().round(1).to_string())
