"""How the weekly report grows with rows, apps, weeks of history and findings."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
from scale_tenant import WEEKS, simulate_base

from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.report import build_report
from audit_analytics.settings import Settings
from audit_analytics.source._log import concat_events

if TYPE_CHECKING:
    from pathlib import Path

APPS, BUDGET = 250, 10
POINTS: dict[str, list[dict[str, Any]]] = {
    "rows": [{"rows": n} for n in (1, 2, 4)],
    "apps": [{"apps": n} for n in (250, 500, 1000, 2000)],
    "weeks": [{"weeks": n} for n in (3, 5, 9)],
    "findings": [{"budget": n} for n in (10, 40, 160)],
}
"""What each axis changes; all but ``weeks`` begin with the same log."""


def time_growth(folder: Path, name: str, *, rounds: int) -> list[tuple[int, float]]:
    """Return the size and the processor seconds of judging and report at each point of an axis."""
    points = []
    for point in POINTS[name]:
        apps, weeks = point.get("apps", APPS), point.get("weeks", WEEKS)
        path = folder / f"log-{apps}-{weeks}.parquet"
        if not path.exists():
            simulate_base(path, apps=apps, seed=1, weeks=weeks)
        events = pd.read_parquet(path)
        copies = [events.assign(id=events["id"] + f"-{n}") for n in range(point.get("rows", 1))]
        events = concat_events(copies)
        settings = Settings(history_weeks=weeks - 1, budget_per_week=point.get("budget", BUDGET))
        seconds, sizes = [], {}
        for _ in range(rounds):
            began = time.process_time()
            data = judge_week(count_log(events, settings), settings=settings)
            build_report(data)
            seconds.append(time.process_time() - began)
            sizes = {"rows": len(events), "apps": apps, "weeks": weeks}
            sizes["findings"] = len(data.findings)
        points.append((sizes[name], statistics.median(seconds)))
        print(
            f"{name:<10}{sizes[name]:>12,}{points[-1][1]:>9.2f} s processor   {sizes}", flush=True
        )
    return points
