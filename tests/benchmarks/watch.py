"""Does the watch list name an attack that is split over four weeks and stays below the budget?

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/watch.py --seeds 12``. Somebody does
a quarter of an attack in each of the last four weeks, to the same app, and each week is judged with
the reports of those before it. He takes as much as he can: of the sizes, the largest counts of which
no week's part is a finding.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from audit_analytics.dates.weeks import Week, parse_week
from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.report import build_report
from audit_analytics.report._tables import render_json
from audit_analytics.settings import Settings
from audit_analytics.simulate import simulate_company
from audit_analytics.simulate._overlay import lay_over, make_attacks, plan_attacks, profile_apps
from audit_analytics.simulate._rows import DAY, HOUR
from audit_analytics.source import read_log

KINDS = (
    "slow_and_low",
    "id_enumeration",
    "off_hours_export",
    "permission_probing",
    "weak_everywhere",
    "token_spike",
)
PARTS = 4
LAST = "2026-W46"


@lru_cache(maxsize=1)
def make_company(seed: int, apps: int):
    """Return the log of a company that nobody attacks, and its zone."""
    company = simulate_company(seed=seed, apps=apps, weeks=PARTS + 4, attacks=[])
    return read_log(list(company.items())).events, company.zone


def make_log(seed: int, apps: int, size: float, kinds: list[str]):
    """Return a log with split attacks, and who is attacked by kind."""
    events, zone = make_company(seed, apps)
    end_at = events["at"].max()
    last = parse_week(LAST, zone=zone)
    first = last.shifted(1 - PARTS)
    plans = plan_attacks(kinds, profile_apps(events, first), first, end_at=end_at, seed=seed)
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(PARTS):
        # not always on the same day, but at an hour that suits the kind
        later = [
            replace(
                plan,
                start=plan.start + 7 * DAY * number + int(rng.integers(HOUR)),
                seed=(*plan.seed, number),
            )
            for plan in plans.values()
        ]
        parts += make_attacks(later, events, size=size / PARTS, end_at=end_at)
    return lay_over(events, parts), {kind: plan.target.app_id for kind, plan in plans.items()}


def judge_weeks(events, folder: Path, victims: set[str], *, budget: float):
    """Judge the weeks one after the other, each with the reports of those before it.

    The weeks after all victims have had a finding are not looked at.
    """
    settings = Settings(budget_per_week=budget)
    log = count_log(events, settings)
    zone = settings.tenant_zone
    last = parse_week(LAST, zone=zone)
    reports = []
    for number in range(PARTS):
        week: Week = last.shifted(number + 1 - PARTS)
        judged = judge_week(log, week=week.iso, settings=settings, previous=folder)
        report = build_report(judged)
        (folder / week.iso).mkdir()
        (folder / week.iso / "findings.json").write_text(render_json(report), encoding="utf-8")
        reports.append((report, {c.entity: c for c in judged.detection.cases}))
        victims = victims - {f["entity"] for f in (*report["findings"], *report["suppressed"])}
        if not victims:
            break
    return reports


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=700)
    parser.add_argument("--apps", type=int, default=60)
    parser.add_argument("--sizes", type=float, nargs="*", default=[2.0, 1.0, 0.5, 0.25])
    parser.add_argument("--budget", type=float, default=3.0)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    asked = parser.parse_args()
    below: list[tuple[str, int]] = []
    for seed in range(asked.first, asked.first + asked.seeds):
        kinds = asked.kinds
        for size in asked.sizes:
            events, victims = make_log(seed, asked.apps, size, kinds)
            with tempfile.TemporaryDirectory() as folder:
                weeks = judge_weeks(events, Path(folder), {*victims.values()}, budget=asked.budget)
            told = [{f["entity"] for f in (*r["findings"], *r["suppressed"])} for r, _ in weeks]
            watch = [row["entity"] for row in weeks[-1][0]["watch"]["rows"]]
            for kind, app in victims.items():
                ps = [round(cases[app].p, 3) if app in cases else None for _, cases in weeks]
                place = watch.index(app) + 1 if app in watch else 0
                found = [app in names for names in told]
                if not any(found):
                    below.append((kind, place))
                said = "told" if any(found) else f"watch {place}"
                print(f"seed {seed} {kind:20} size {size}  p {ps}  {said}", flush=True)
            done = {app for names in told for app in names}
            kinds = [kind for kind, app in victims.items() if app in done]
            if not kinds:
                break
    hits = sum(0 < place <= 10 for _, place in below)
    print(f"below the budget in all {PARTS} weeks: {len(below)}; first ten of the list: {hits}")
    for kind in asked.kinds:
        own = [place for name, place in below if name == kind]
        print(f"  {kind:20} {sum(p > 0 for p in own)} of {len(own)}")


if __name__ == "__main__":
    main()
