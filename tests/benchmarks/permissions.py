"""What the inventory tells: permissions nobody uses, and what is granted, then collects.

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/permissions.py unused [SEEDS [APPS]]``,
or ``granted`` in the place of ``unused``. The latter lays one attack over each tenant and says where
it stands, and how many more rows the same week brings with an inventory if nobody attacks; honest
releases ask for their scopes as well, hours before they use them.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from test_inventory import rate, replace_versions

from audit_analytics.intake import count_log
from audit_analytics.inventory import Inventory
from audit_analytics.inventory._wire import read_app
from audit_analytics.pipeline import judge_week
from audit_analytics.settings import Settings
from audit_analytics.simulate import simulate_company
from audit_analytics.simulate._attacks import GRANTED
from audit_analytics.simulate._directory import make_directory


def measure_unused(seeds: int = 10, apps: int = 30) -> None:
    print("seed  planted  told  right  precision  recall  silent ones told")
    sums = [0, 0, 0, 0]
    for seed in range(seeds):
        found = rate(seed, apps)
        sums = [a + b for a, b in zip(sums, found, strict=True)]
        show(str(seed), *found)
    show("all", *sums)


def show(name: str, hit: int, said: int, true: int, silent: int) -> None:
    print(f"{name:>4}  {true:7}  {said:4}  {hit:5}  {hit / said:9.3f}  {hit / true:6.3f}  {silent}")


def measure_granted(seeds: int = 20, apps: int = 30) -> None:
    print("seed  rank  without  rows: attacked  clean  clean without")
    top = more = 0
    for seed in range(seeds):
        attacked, target = judge(seed, apps, [GRANTED])
        clean, _none = judge(seed, apps, [])
        ranks = [find_rank(findings, target) for findings in attacked]
        top += 0 < ranks[0] <= 3
        more += len(clean[0]) - len(clean[1])
        rows = [len(attacked[0]), len(clean[0]), len(clean[1])]
        print(
            f"{seed:4}  {ranks[0]:4}  {ranks[1]:7}  {rows[0]:14}  {rows[1]:5}  {rows[2]:13}",
            flush=True,
        )
    print(f"in the top 3: {top} of {seeds}; more rows in a clean week: {more / seeds:.2f}")


def judge(seed: int, apps: int, attacks: list[str]) -> tuple[list[list], str]:
    """Judge a tenant's last week, with its inventory and without."""
    company = simulate_company(seed=seed, apps=apps, weeks=5, attacks=attacks)
    directory = make_directory(company)
    known = Inventory.of(
        replace_versions(read_app(row), directory) for row in directory.apps.values()
    )
    settings = Settings()
    log = count_log(list(company.items()), settings)
    judged = [
        judge_week(replace(log, inventory=inventory), settings=settings).findings
        for inventory in (known, Inventory())
    ]
    return judged, str(company.labels["entity"].iloc[0]) if attacks else ""


def find_rank(findings: list, entity: str) -> int:
    return next((finding.rank for finding in findings if finding.entity == entity), 0)


if __name__ == "__main__":
    {"unused": measure_unused, "granted": measure_granted}[sys.argv[1]](*map(int, sys.argv[2:]))
