"""What does ``weekly`` make of a log that somebody floods, and what does it cost?

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/flood.py``; ``--only NAME`` chooses
floods, ``--keep FOLDER`` keeps logs and reports. Each line is one run of the installed command in
a process of its own: its processor seconds and peak memory, how many findings, the place of the
sample's six attacks (0: not there), and the size of every output in KiB.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from flood_worlds import FLOODS, SAMPLE

RUN = "from audit_analytics.cli.main import main; main()"


def list_attacks() -> list[str]:
    with (SAMPLE / "labels.csv").open(encoding="utf-8") as file:
        return [row["entity"] for row in csv.DictReader(file)]


def run_weekly(log: Path, out: Path) -> tuple[float, float, float, str]:
    """Return processor seconds, seconds, peak MiB and what was printed."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        command = [sys.executable, "-c", RUN, "weekly", str(log), "--out", str(out)]
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode()
    took = time.perf_counter() - began
    if child.returncode not in {0, 1, 2, 3} or "Traceback" in text:
        raise SystemExit(text)
    return used.ru_utime + used.ru_stime, took, used.ru_maxrss / 1024, text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=FLOODS)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        base = options.keep or Path(temporary)
        for name in options.only or FLOODS:
            log, out = base / f"{name}-log", base / f"{name}-out"
            if not log.exists():
                FLOODS[name].write(log)
            processor, took, peak, _ = run_weekly(log, out)
            report = next(out.glob("*-W46"))
            findings = json.loads((report / "findings.json").read_text(encoding="utf-8"))
            rank_of = {f["entity"]: f["rank"] for f in reversed(findings["findings"])}
            ranks = [rank_of.get(entity, 0) for entity in list_attacks()]
            severe = [f for f in findings["findings"] if f["severity"] in {"critical", "high"}]
            sizes = {p.name: p.stat().st_size // 1024 for p in sorted(report.iterdir())}
            print(
                f"{name:<20}{processor:>7.1f} s processor{took:>7.1f} s{peak:>7.0f} MiB"
                f"{len(findings['findings']):>6} findings, {len(severe)} high or critical"
                f"   attacks at {ranks}   {sizes}",
                flush=True,
            )


if __name__ == "__main__":
    main()
