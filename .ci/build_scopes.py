"""Write the catalogue's scopes.csv from the facts: build_scopes.py FACTS, a folder of CSV files."""

import csv
import sys
from collections import defaultdict
from pathlib import Path

TARGET = Path(__file__).parents[1] / "audit_analytics" / "catalogue" / "scopes.csv"


def main(facts: Path) -> None:
    """Join which scope opens which API with what else a scope serves."""
    opens = defaultdict(list)
    with (facts / "api_scopes.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            opens[row["scope"]].append(row["method"] + row["path"])
    with (
        (facts / "scopes.csv").open(encoding="utf-8", newline="") as file,
        TARGET.open("w", encoding="utf-8", newline="") as out,
    ):
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["scope", "serves", "apis"])
        for row in sorted(csv.DictReader(file), key=lambda row: row["scope"]):
            serves = [name for name in ("events", "fields") if int(row[f"serves_{name}"])]
            apis = sorted(opens[row["scope"]])
            if len(apis) != int(row["apis_count"]):
                # it opens an API that the facts do not name: nobody can say that it is unused
                serves.append("more")
            writer.writerow([row["scope"], " ".join(serves), " ".join(apis)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
