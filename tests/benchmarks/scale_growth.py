"""How the weekly report grows with rows, apps, weeks of history and findings."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import pandas as pd

from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.report.build import build_report
from audit_analytics.settings import Settings
from audit_analytics.simulate.company import simulate_company
from audit_analytics.source.files import read_log
from audit_analytics.source.log import concat_events

if TYPE_CHECKING:
    from pathlib import Path

APPS, WEEKS, BUDGET = 250, 5, 10
POINTS: dict[str, list[dict[str, Any]]] = {
    "rows": [{"rows": n} for n in (1, 2, 4)],
    "apps": [{"apps": n} for n in (250, 500, 1000, 2000)],
    "weeks": [{"weeks": n} for n in (3, 5, 9)],
    "findings": [{"budget": n} for n in (10, 40, 160)],
}
"""What each axis changes; the first point of all is the same log."""


def make_log(path: Path, *, apps: int, weeks: int) -> pd.DataFrame:
    if not path.exists():
        company = simulate_company(seed=1, apps=apps, weeks=weeks)
        read_log(list(company.items())).events.to_parquet(path)
    return pd.read_parquet(path)


def time_growth(folder: Path, name: str, *, rounds: int) -> list[tuple[int, float]]:
    """Return the size and the processor seconds of judging and report at each point of an axis."""
    points = []
    for point in POINTS[name]:
        apps, weeks = point.get("apps", APPS), point.get("weeks", WEEKS)
        events = make_log(folder / f"log-{apps}-{weeks}.parquet", apps=apps, weeks=weeks)
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
