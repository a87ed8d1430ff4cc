"""What does a sync make of each fault, and what does it cost?

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/faults.py``.
Each line is a sync of six windows against a server on loopback, of which one window (or a clock)
meets the fault; waits are on a fake clock. A wrong clock is put right and synced with once more.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from fault_cases import CASES, MORE, run_case


def main() -> None:
    print(
        f"{'fault':<28}{'real s':>7}{'fake s':>9}{'requests':>9}{'peak MB':>8}{'served':>7}"
        f"{'stored':>7}  said"
    )
    for case in (*CASES, *MORE):
        out = run_case(case, watched=True)
        print(
            f"{case.name:<28}{out.seconds:>7.1f}{out.fake_seconds:>9.0f}{out.requests:>9}"
            f"{out.peak_mb:>8.1f}{out.served:>7}{out.stored:>7}  {out.said[:150]}",
            flush=True,
        )


if __name__ == "__main__":
    main()
