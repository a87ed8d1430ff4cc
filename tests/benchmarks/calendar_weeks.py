"""Do holiday and make-up weeks bring more findings than ordinary ones?

Run from the project root, with the extra ``calendar``:
``PYTHONPATH=. python tests/benchmarks/calendar_weeks.py [SEEDS [APPS]]``.
The simulated company keeps China's National Day of 2026 and works the Saturday after; nobody attacks.
"""

from __future__ import annotations

import sys
from datetime import date

import audit_analytics as aa
from audit_analytics.dates.calendar import find_days_off
from audit_analytics.simulate import simulate_company

WEEKS = {"2026-W39": "ordinary", "2026-W40": "holiday", "2026-W41": "make-up", "2026-W42": "after"}


def main(seeds: int = 3, apps: int = 40) -> None:
    days = find_days_off("CN", {2026}, holidays=(), working_days=())
    print("seed  calendar  " + "  ".join(f"{week} ({what})" for week, what in WEEKS.items()))
    for seed in range(seeds):
        company = simulate_company(
            seed=seed,
            apps=apps,
            weeks=9,
            attacks=[],
            end=date(2026, 10, 18),
            holidays=days.holidays,
            working_days=days.working_days,
        )
        events = aa.load(list(company.items()))
        for calendar in ("CN", ""):
            counts = [
                len(aa.analyze(events, week=week, calendar=calendar).data["findings"])
                for week in WEEKS
            ]
            print(f"{seed:4}  {calendar or '-':8}  {counts}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
