"""How many findings about an app's move within its own cloud are spared by knowing origins.

Run from the project root, with the extra ``origin`` and mmdb-writer:
``PYTHONPATH=. python tests/benchmarks/moves.py [SEEDS [APPS]]``. The simulated company rents from one
provider in one region; one of the four ranges its attackers come from is rented there, too.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from mmdb import write_mmdb

from audit_analytics.intake import count_log
from audit_analytics.inventory import Origins
from audit_analytics.pipeline import judge_week
from audit_analytics.settings import Settings
from audit_analytics.simulate import simulate_company

ALPHA = {"as_name": "Alpha Cloud", "cloud_region": "sh-1", "country_code": "CN", "hosting": True}
BETA = {"as_name": "Beta Hosting", "country_code": "NL", "hosting": True}
RANGES = {
    **dict.fromkeys(("198.18.0.0/15", "100.64.9.0/24", "192.0.2.0/24"), ALPHA),
    **dict.fromkeys(("198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"), BETA),
}
ATTACKS = ["stolen_credential", "stolen_credential", "beacon", "weak_everywhere"]


def main(seeds: int = 10, apps: int = 40) -> None:
    with tempfile.TemporaryDirectory() as folder:
        origins = Origins(write_mmdb(Path(folder) / "asn.mmdb", RANGES))
    settings = Settings()
    print("seed  stolen found, of: without  with  moves told: without  with  rows: without  with")
    sums = [0] * 6
    for seed in range(seeds):
        company = simulate_company(seed=seed, apps=apps, weeks=5, attacks=ATTACKS, harsh=True)
        log = count_log(list(company.items()), settings)
        victims = set(company.labels["entity"])
        found = []
        for known in (Origins(), origins):
            findings = judge_week(replace(log, origins=known), settings=settings).findings
            stolen = sum(f.entity in victims for f in findings)
            moves = sum(
                is_move(f, log.calls.by_ip, origins) for f in findings if f.entity not in victims
            )
            found.append((stolen, moves, len(findings)))
        row = [n for pair in zip(*found, strict=True) for n in pair]
        sums = [a + b for a, b in zip(sums, row, strict=True)]
        print(f"{seed:4}  {row}", flush=True)
    print(f" all  {sums}, of {seeds * len(ATTACKS)} attacks")


def is_move(finding, by_ip, origins) -> bool:
    """Tell whether a finding is about an app on new networks of the provider it used before."""
    reasons = [r for r in finding.reasons if r["detector"] == "NEWNET"]
    networks = {name for r in reasons for name in r["scope"]["network"]}
    mine = by_ip[(by_ip["app_id"] == finding.entity) & ~by_ip["network"].isin(networks)]
    before = mine[mine["first_at"] < min((r["start_at"] for r in reasons), default="1970-01-01")]
    places = [
        {found.place for name in names if (found := origins.find(name))}
        for names in (networks, before["network"].astype("str").unique())
    ]
    return bool(places[0]) and places[0] <= places[1]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
