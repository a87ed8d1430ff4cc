"""How many attacks does each method find with the same number of false cases a week?

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/detection.py --seeds 100-103``.
Every seed is a tenant with labelled attacks in the last week of its log. Each method ranks the
entities of that week; recall at k is the share of attacks whose entity stands above the (k+1)-th
false case. An attack on an app is found through the app, or through a foreign address it came from;
credential stuffing through its address, or through an app it tried at that time. "In time" asks for
more: what stood out has to lie in the attack's hours, or a busy app that always stands first would
be credited with whatever is done to it.

``--world company`` is the tenant of the package's own simulator with 22 attacks, the one the
detectors were developed on. The other worlds (``worlds/recipes.py``; ``--world all`` for every one)
are made by a generator of their own, written without a look at the detectors; they come with clean
weeks, too. Develop on seeds 100 and up; the seeds 0-11 are for the figures of the record, once.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
from detection_methods import METHODS
from detection_scoring import judge
from detection_tables import print_clean, print_seconds, print_summary, print_worlds
from detection_worlds import load_worlds
from worlds.build import make_worlds
from worlds.recipes import FAMILIES, RECIPES
from worlds.resampled import find_real_logs, make_resampled

COMPANY, RESAMPLED = "company", "resampled"
WORLDS = (COMPANY, *FAMILIES, RESAMPLED)


def run(task: tuple) -> tuple[pd.DataFrame, pd.DataFrame]:
    name, seed, sizes, options = task
    if name.startswith(COMPANY):
        worlds = load_worlds(
            seed,
            apps=options.apps,
            weeks=options.weeks,
            harsh=name != COMPANY,
            sizes=sizes,
            cache=options.cache,
        )
    elif name == RESAMPLED:
        worlds = make_resampled(options.real, seed, sizes)
    else:
        worlds = make_worlds(RECIPES[name], seed, sizes)
    if options.untold:
        nothing = {"holidays": frozenset(), "working_days": frozenset()}
        worlds = [replace(world, **nothing) for world in worlds]
    judged = [judge(world, options.methods) for world in worlds]
    attacks = pd.concat([rows for rows, _ in judged], ignore_index=True)
    return attacks, pd.DataFrame([week for _, weeks in judged for week in weeks])


def plan_tasks(options: argparse.Namespace) -> list[tuple]:
    """Return one task a world and seed; a family of worlds, as ``small``, has several."""
    tasks = []
    for world in WORLDS if options.world == "all" else (options.world,):
        if world == RESAMPLED and options.real is None:
            print("resampled is left out: there are no real logs in ../shared/data/real")
            continue
        clean = [0.0] if options.clean or world != COMPANY else []
        for name in FAMILIES.get(world, [world]):
            tasks += [(name, seed, [*options.sizes, *clean], options) for seed in options.seeds]
    if options.harsh:
        # in the harsh world only attacks of full size: what it asks is how much noise costs
        clean = [0.0] if options.clean else []
        tasks += [("company, harsh", seed, [1.0, *clean], options) for seed in options.seeds]
    return tasks


def parse_seeds(text: str) -> list[int]:
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def parse_sizes(text: str) -> list[float]:
    return [float(size) for size in text.split(",") if size]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", choices=(*WORLDS, "all"), default=COMPANY)
    parser.add_argument("--seeds", type=parse_seeds, default="100-103")
    parser.add_argument("--apps", type=int, default=200, help="of the company")
    parser.add_argument("--weeks", type=int, default=5, help="of the company")
    parser.add_argument(
        "--sizes", type=parse_sizes, default="1,0.5,0.25", help="factors on the calls of attacks"
    )
    parser.add_argument("--harsh", action="store_true", help="also three times the incidents")
    parser.add_argument(
        "--clean", action="store_true", help="also the company without attacks, as other worlds are"
    )
    parser.add_argument("--untold", action="store_true", help="name no days off to anybody")
    parser.add_argument("--methods", default="", help="only those whose name begins so")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one seed each")
    parser.add_argument(
        "--real",
        type=Path,
        default=find_real_logs(Path.cwd()),
        help="folder of the real logs; ../shared/data/real",
    )
    parser.add_argument("--csv", type=Path, help="write one row an attack and method to this file")
    parser.add_argument("--out", type=Path, help="write everything that was counted as JSON")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "audit-analytics-worlds"
    )
    options = parser.parse_args()
    options.methods = [name for name in METHODS if name.startswith(options.methods)]
    tasks = plan_tasks(options)
    if options.jobs > 1:
        with ProcessPoolExecutor(options.jobs) as pool:
            results = list(pool.map(run, tasks))
    else:
        results = [run(task) for task in tasks]
    attacks = pd.concat([rows for rows, _ in results], ignore_index=True)
    weeks = pd.concat([weeks for _, weeks in results], ignore_index=True)
    if options.csv:
        attacks.to_csv(options.csv, index=False)
    if options.out:
        raw = {"attacks": attacks, "weeks": weeks}
        text = {name: json.loads(t.to_json(orient="records")) for name, t in raw.items()}
        options.out.write_text(json.dumps(text, indent=1))
    print_worlds(attacks, weeks)
    print_clean(weeks)
    print_seconds(weeks)
    print_summary(attacks, weeks)


if __name__ == "__main__":
    main()
