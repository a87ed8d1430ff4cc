"""How many planted permissions that nobody uses are told, over seeds.

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/permissions.py [SEEDS [APPS]]``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from test_inventory import rate


def main(seeds: int = 10, apps: int = 30) -> None:
    print("seed  planted  told  right  precision  recall  silent ones told")
    sums = [0, 0, 0, 0]
    for seed in range(seeds):
        found = rate(seed, apps)
        sums = [a + b for a, b in zip(sums, found, strict=True)]
        show(str(seed), *found)
    show("all", *sums)


def show(name: str, hit: int, said: int, true: int, silent: int) -> None:
    print(f"{name:>4}  {true:7}  {said:4}  {hit:5}  {hit / said:9.3f}  {hit / true:6.3f}  {silent}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
