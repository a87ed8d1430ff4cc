"""How large is a report, and how long does it take, with many apps and many findings?

Run from the project root: ``python tests/benchmarks/page.py --apps 500 --findings 200``. The tenant
is simulated, with attacks of every kind; the alarm budget is raised until there are enough
findings. ``--log data/sample`` takes a log as it is instead. ``--out`` keeps the files.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import audit_analytics as aa
from audit_analytics.report import check_ocsf, render_html
from audit_analytics.report._markdown import render_markdown
from audit_analytics.report._ocsf import render_ocsf
from audit_analytics.report._tables import render_csv, render_evidence, render_json
from audit_analytics.simulate import SCENARIOS, simulate_company, write_pages

if TYPE_CHECKING:
    from collections.abc import Callable

ATTACKS_EACH = 5
BUDGETS = (10, 200, 500, 1000, 2000)
RENDERERS = {
    "report.html": render_html,
    "report.md": render_markdown,
    "findings.json": render_json,
    "findings.csv": render_csv,
    "evidence.csv": render_evidence,
}

Result = TypeVar("Result")


def measure(act: Callable[[], Result]) -> tuple[Result, float]:
    began = time.perf_counter()
    result = act()
    return result, time.perf_counter() - began


def make_log(apps: int, seed: int, folder: Path) -> Path:
    # only one app sleeps long enough to be woken
    several = [name for name in SCENARIOS if name != "dormant_wakes"]
    attacks = [*SCENARIOS, *(several * (ATTACKS_EACH - 1))]
    write_pages(simulate_company(seed=seed, apps=apps, attacks=attacks), folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apps", type=int, default=500)
    parser.add_argument("--findings", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        log = asked.log or make_log(asked.apps, asked.seed, Path(scratch))
        events, seconds = measure(lambda: aa.load(log))
        print(f"read: {len(events):,} events, {seconds:.1f} s")
        for budget in (10,) if asked.log else BUDGETS:
            report, seconds = measure(
                lambda b=budget: aa.analyze(events, settings=aa.Settings(budget_per_week=b))
            )
            if len(report.findings) >= asked.findings:
                break
        quiet = report.data["quiet_apps"]["count"]
        print(
            f"analyze: {len(report.findings):,} findings at a budget of {budget}, "
            f"{report.data['totals']['apps_count']:,} apps, {quiet:,} quiet, {seconds:.1f} s"
        )
        renderers = RENDERERS | (
            {"findings.ocsf.jsonl": render_ocsf} if check_ocsf(required=None) else {}
        )
        for name, render in renderers.items():
            text, seconds = measure(lambda render=render: render(report.data))
            print(f"{name:<20} {len(text.encode()) / 1024:8,.0f} KiB {seconds:6.1f} s")
        if asked.out:
            shutil.rmtree(asked.out, ignore_errors=True)
            report.write(asked.out)


if __name__ == "__main__":
    main()
