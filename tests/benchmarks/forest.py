"""Forest and explanation: ours against PyOD's IForest and shap on the same rows.

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/forest.py --peers VENV/bin/python``
where VENV has ``pyod`` and ``shap``; they stay out of this package's own environment. The rows are
those the weekly run hands its forest: one a day of an app, simulated tenants with attacks. Both
forests have the same trees, 300 of 256 rows. Every run is a process of its own; rounds are
interleaved, medians shown, and the ratio of processor seconds stands beside that of seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np
from detection import parse_seeds
from detection_worlds import World, load_worlds

from audit_analytics.detect import list_detectors
from audit_analytics.detect._group import AppGroup
from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.settings import Settings

HERE = Path(__file__).parent
PARTS = ("import", "fit and score", "explain")


class Recorder:
    """Takes the forest's place and keeps what it is asked to score: the past, then the week."""

    asked: ClassVar[list[np.ndarray]] = []

    def fit(self, rows: np.ndarray) -> None:
        pass

    def score_samples(self, rows: np.ndarray) -> np.ndarray:
        self.asked.append(rows)
        return -rows.sum(axis=1)


def make_rows(world: World) -> tuple[np.ndarray, np.ndarray]:
    settings = Settings(holidays=world.holidays)
    Recorder.asked.clear()
    judge_week(count_log(world.events, settings), settings=settings, detector=Recorder())
    return Recorder.asked[0], Recorder.asked[1]


def run(python: str, script: str, rows: Path) -> tuple[dict, dict[str, np.ndarray]]:
    result = rows.with_suffix(".result.npz")
    command = [python, str(HERE / script), str(rows), str(result)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{script}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1]), dict(np.load(result))


def compare(options: argparse.Namespace, folder: Path) -> None:
    times: dict[str, list[dict]] = {"ours": [], "peers": []}
    for seed in options.seeds:
        [world] = load_worlds(
            seed, apps=options.apps, weeks=5, harsh=False, sizes=[1.0], cache=options.cache
        )
        past, now = make_rows(world)
        file = folder / f"{seed}.npz"
        np.savez(file, past=past, now=now, explained=options.explained)
        for _ in range(options.rounds):
            ours, mine = run(sys.executable, "forest_ours.py", file)
            theirs, other = run(options.peers, "forest_peers.py", file)
            times["ours"].append(ours)
            times["peers"].append(theirs)
        describe(seed, past, now, mine, other)
    print(f"\n{'seconds (processor)':<20}{'ours':>18}{'PyOD and shap':>18}   ours/theirs")
    for part in PARTS:
        print_line(part, *(np.array([run["laps"][part] for run in times[n]]) for n in times))
    print_line("together", *(np.array([sum_up(run) for run in times[n]]) for n in times))
    peaks = [max(run["peak_gib"] for run in times[name]) for name in times]
    print(f"{'peak memory, GiB':<20}{peaks[0]:>18.2f}{peaks[1]:>18.2f}   {peaks[0] / peaks[1]:.2f}")


def sum_up(run: dict) -> list[float]:
    return np.sum([run["laps"][part] for part in PARTS], axis=0).tolist()


def print_line(part: str, ours: np.ndarray, peers: np.ndarray) -> None:
    (a, a_cpu), (b, b_cpu) = np.median(ours, axis=0), np.median(peers, axis=0)
    print(
        f"{part:<20}{f'{a:.2f} ({a_cpu:.2f})':>18}{f'{b:.2f} ({b_cpu:.2f})':>18}"
        f"   {a / b:.2f} ({a_cpu / b_cpu:.2f})"
    )


def describe(seed: int, past: np.ndarray, now: np.ndarray, mine: dict, other: dict) -> None:
    same_order = np.corrcoef(mine["score"].argsort().argsort(), other["score"].argsort().argsort())
    both = [np.flatnonzero(mine["odd"] == row) for row in other["odd"]]
    pairs = [(at[0], place) for place, at in enumerate(both) if len(at)]
    ours = np.array([mine["gains"][a] for a, _ in pairs])
    theirs = np.array([other["gains"][b] for _, b in pairs])
    first = ours.argmax(axis=1)
    top = theirs.argsort(axis=1)[:, ::-1]
    share = [np.mean(first == top[:, 0]), np.mean((first[:, None] == top[:, :2]).any(axis=1))]
    print(
        f"seed {seed}: {len(past):,} rows of the past, {len(now):,} of the week, "
        f"{past.shape[1]} columns; rank correlation of the scores {same_order[0, 1]:.4f}; "
        f"{len(pairs)} of {len(other['odd'])} most unusual rows are the same\n"
        f"   our first reason is shap's first in {share[0]:.3f}, among its first two in {share[1]:.3f}"
    )
    groups = [group.name for group in list_detectors(AppGroup)]
    apart = [
        f"{groups[a]} for {groups[b]}" for a, b in zip(first, top[:, 0], strict=True) if a != b
    ]
    names, counts = np.unique(apart, return_counts=True)
    most = ", ".join(f"{names[n]} {counts[n]}" for n in (-counts).argsort(kind="stable")[:5])
    print(f"   where they differ, ours for shap's: {most or 'nowhere'}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="Python with pyod and shap.")
    parser.add_argument("--seeds", type=parse_seeds, default="100-102")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--explained", type=int, default=200, help="most unusual rows explained")
    parser.add_argument("--apps", type=int, default=200)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "audit-analytics-worlds"
    )
    with tempfile.TemporaryDirectory() as made:
        compare(parser.parse_args(), Path(made))
