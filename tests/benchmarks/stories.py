"""Is a five-step attack over two apps and two addresses one story, and is it the first?

Run from the project root: ``python tests/benchmarks/stories.py --seeds 20 --clean 20``. Each seed
is a simulated company of its own, attacked by ``takeover``, or not at all.
"""

from __future__ import annotations

import argparse

import audit_analytics as aa
from audit_analytics.simulate import simulate_company
from audit_analytics.source import read_log


def judge(
    seed: int, attacks: list[str], *, harsh: bool = False
) -> tuple[aa.Report, set[str], set[str]]:
    """Return the report on a company, and the apps and addresses of the attack."""
    company = simulate_company(seed=seed, attacks=attacks, harsh=harsh)
    report = aa.analyze(read_log(list(company.items())).events, settings=aa.Settings())
    hostile = company.calls[company.calls["attack"] >= 0]
    return report, set(hostile["app_id"].astype("str")), set(hostile["ip"].astype("str"))


def main() -> None:
    """Count attacks that are one story ranked first, and stories of clean weeks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--clean", type=int, default=20)
    parser.add_argument("--harsh", action="store_true", help="three times the honest bursts")
    parser.add_argument("--first", type=int, default=500)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    first = 0
    for seed in seeds:
        report, apps, ips = judge(seed, ["takeover"], harsh=options.harsh)
        stories = report.data["stories"]
        mine = [s for s in stories if apps <= {*s["apps"]} and ips <= {*s["ips"]}]
        is_first = [s["rank"] for s in mine] == [1]
        first += is_first
        tactics = ", ".join(mine[0]["tactics"]) if mine else "-"
        count = len(mine[0]["finding_ids"]) if mine else 0
        alien = sum(len({*s["apps"]} - apps) for s in mine)
        print(
            f"seed {seed}: {'first' if is_first else 'NOT FIRST'}, {len(stories)} stories, "
            f"{count} findings, {alien} apps that took no part; {tactics}",
            flush=True,
        )
    if seeds:
        print(f"one story ranked first in {first} of {len(seeds)} seeds")
    clean = range(options.first + 100, options.first + 100 + options.clean)
    found = 0
    for seed in clean:
        report, *_ = judge(seed, [], harsh=options.harsh)
        found += len(report.data["stories"])
        for story in report.data["stories"]:
            print(f"clean {seed}: {story['links']} {story['sentence']}", flush=True)
    if clean:
        print(f"{found / len(clean):.2f} stories a clean week in {len(clean)} weeks")


if __name__ == "__main__":
    main()
