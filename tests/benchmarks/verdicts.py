"""Do verdicts spare people the same harmless findings again, and do they cost attacks?

Run from the project root: ``PYTHONPATH=. python tests/benchmarks/verdicts.py --seeds 4``. Eight weeks
are judged one after the other, each with the reports before it, once with a verdict on every finding
(true where an attack was laid, benign elsewhere) and once without any. Some honest apps have a habit
that looks odd: in each of these weeks, at another time and of another size, they work through a
backlog, by day or at night, or have a call fail for some hours. One of the two attacks of each week
is made on such an app. A harmless finding is a repeated one if an earlier week told of the same app
or address, by one of the same detectors, and of the same names (API, error class, network).
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from audit_analytics.dates.weeks import parse_week
from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.report import build_report
from audit_analytics.report._tables import render_json
from audit_analytics.review._verdicts import append_verdict, judge_finding
from audit_analytics.settings import Settings
from audit_analytics.simulate import Company, simulate_company
from audit_analytics.simulate._items import draw_ids
from audit_analytics.simulate._overlay import lay_over, make_attacks, plan_attacks, profile_apps
from audit_analytics.simulate._traffic import _KINDS
from audit_analytics.source import read_log

WEEKS = 8
LAST = "2026-W46"
KINDS = (
    "stolen_credential",
    "id_enumeration",
    "off_hours_export",
    "weak_everywhere",
    "new_sensitive_api",
    "slow_and_low",
    "token_spike",
    "permission_probing",
)

HABITS = ("batch_job", "night_job", "error_burst")


def add_habits(company: Company, seed: int, *, each: int) -> tuple[Company, set[str]]:
    """Let some apps have the same harmless incident every week; return who they are."""
    rng = np.random.default_rng([seed, 1])
    last = parse_week(LAST, zone=company.zone)
    daily = company.calls.groupby("app_id", observed=True).size()
    apps = {app.app_id: app for app in company.apps}
    order = rng.permutation([name for name in apps if daily.get(name, 0) > 1000])
    chosen = dict(zip(order[: each * len(HABITS)].tolist(), HABITS * each, strict=False))
    parts = []
    for name, own in company.calls.groupby("app_id", observed=True):
        rows = own
        for number in range(WEEKS) if name in chosen else ():
            week = last.shifted(number + 1 - WEEKS)
            span = (week.start_at.timestamp(), week.end_at.timestamp() - 1)
            times = rows["time"][rows["time"].between(*span)].to_numpy()
            if len(times):
                change = _KINDS[chosen[name]][1]
                rows = change(rng, apps[name], rows, int(rng.choice(times)))[0]
        parts.append(rows)
    calls = pd.concat(parts).sort_values("time", kind="stable", ignore_index=True)
    calls = calls[calls["time"] < last.end_at.timestamp()]
    calls = calls.assign(id=draw_ids(calls["time"].to_numpy(), rng))
    return replace(company, calls=calls), {*chosen}


def make_log(seed: int, apps: int, *, harsh: bool, habits: int):
    """Return a log with two attacks in each of its last weeks, and who is attacked when."""
    company = simulate_company(seed=seed, apps=apps, weeks=WEEKS + 4, attacks=[], harsh=harsh)
    company, chosen = add_habits(company, seed, each=habits)
    events = read_log(list(company.items())).events
    last = parse_week(LAST, zone=company.zone)
    attacks, victims = [], {}
    for number in range(WEEKS):
        week = last.shifted(number + 1 - WEEKS)
        targets = profile_apps(events, week)
        odd = {target.app_id for target in targets} & chosen
        victims[week.iso] = []
        for n, avoid in enumerate(({target.app_id for target in targets} - odd, odd)):
            kind = KINDS[(2 * number + n + seed) % len(KINDS)]
            plans = plan_attacks(
                [kind], targets, week, end_at=week.end_at, avoid=avoid, seed=seed + number
            )
            made = make_attacks(plans.values(), events, size=1.0, end_at=week.end_at)
            victims[week.iso] += [{name for _kind, name in attack.entities} for attack in made]
            attacks += made
    return lay_over(events, attacks), victims


def judge_weeks(log, victims, folder: Path, *, settings: Settings, decide: bool):
    """Judge the weeks; yield the findings of each, and the attacks that were found."""
    for iso, attacked in victims.items():
        report = build_report(judge_week(log, week=iso, settings=settings, previous=folder))
        (folder / iso).mkdir()
        (folder / iso / "findings.json").write_text(render_json(report), encoding="utf-8")
        hostile = set().union(*attacked)
        week = parse_week(iso, zone=settings.tenant_zone)
        told = {row["entity"] for row in report["findings"]}
        for row in report["findings"] if decide else ():
            said = "true" if row["entity"] in hostile else "benign"
            created = week.end_at.date() + timedelta(days=1)
            entry = judge_finding(row, said, week=week, note="", owner="", created=created)
            append_verdict(settings.verdicts, entry)
        harmless = [row for row in report["findings"] if row["entity"] not in hostile]
        yield harmless, sum(bool(names & told) for names in attacked)


def count_repeated(weeks) -> list[int]:
    """Count, week by week, the harmless findings of which something like them was told before."""
    known: set[tuple[str, str, str]] = set()
    counts = []
    for harmless in weeks:
        own = [
            {(row["entity"], r["detector"], str(r["scope"])) for r in row["reasons"]}
            for row in harmless
        ]
        counts.append(sum(bool(names & known) for names in own))
        known |= set().union(*own)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first", type=int, default=800)
    parser.add_argument("--apps", type=int, default=40)
    parser.add_argument("--habits", type=int, default=3, help="apps with each of the habits")
    parser.add_argument("--harsh", action="store_true", help="three times the honest bursts")
    asked = parser.parse_args()
    sums = {False: [0, 0, 0, 0], True: [0, 0, 0, 0]}
    laid = 0
    for seed in range(asked.first, asked.first + asked.seeds):
        events, victims = make_log(seed, asked.apps, harsh=asked.harsh, habits=asked.habits)
        laid += sum(map(len, victims.values()))
        log = count_log(events, Settings())
        for decide in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                settings = Settings(verdicts=Path(folder) / "verdicts.toml")
                settings.verdicts.touch()
                weeks = list(
                    judge_weeks(log, victims, Path(folder), settings=settings, decide=decide)
                )
            again = count_repeated([harmless for harmless, _ in weeks])
            found = sum(hits for _, hits in weeks)
            harmless = sum(len(rows) for rows, _ in weeks)
            row = [harmless, sum(again), sum(again[WEEKS // 2 :]), found]
            sums[decide] = [a + b for a, b in zip(sums[decide], row, strict=True)]
            name = "with" if decide else "without"
            print(f"seed {seed} {name:7} verdicts: {harmless} harmless, repeated {again}, "
                  f"attacks found {found}", flush=True)  # fmt: skip
    for decide, (harmless, again, late, found) in sums.items():
        name = "with" if decide else "without"
        print(
            f"{name:7} verdicts: {harmless} harmless findings, {again} repeated ({late} in the last "
            f"{WEEKS // 2} weeks), {found} of {laid} attacks found"
        )


if __name__ == "__main__":
    main()
