"""Does the card of every attack say who, what succeeded, when, and what to do next?

Run from the project root: ``python tests/benchmarks/card_check.py --seeds 1 2 3 4 5``. What the
cards of ``data/sample`` and of simulated companies say is counted again from the raw rows, with
pandas alone: this package writes the report and is not asked. An app goes on with its own work while
it is attacked: of the rows of that time a card may leave out as many as are not the attack's, and
only calls such as the app made before.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

import audit_analytics as aa
from audit_analytics.simulate import simulate_company, write_pages

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def read_raw(folder: Path) -> pd.DataFrame:
    """Read the pages of a folder; of rows with one id the first counts."""
    rows = []
    for path in sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")]):
        packed = path.read_bytes()
        text = gzip.decompress(packed) if path.suffix == ".gz" else packed
        for page in map(json.loads, text.decode().splitlines()):
            rows += page["data"]["items"]
    frame = pd.DataFrame([row for row in rows if isinstance(row.get("event_time"), int)])
    details = frame["log_detail"].map(lambda detail: detail if isinstance(detail, dict) else {})
    answers = details.map(lambda detail: _read_code(detail.get("response", "")))
    status = details.map(lambda detail: detail.get("status_code"))
    return pd.DataFrame(
        {
            "id": frame["id"],
            "at": pd.to_datetime(frame["event_time"], unit="s", utc=True),
            "app_id": frame["app_id"],
            "ip": frame["ip"].astype(str).str.split(",").str[0].str.strip(),
            "api": frame["api_key"],
            "ok": answers.eq(0) | (answers.isna() & status.eq(200)),
        }
    ).drop_duplicates("id")


def _read_code(answer: Any) -> int | None:
    try:
        return json.loads(answer)["code"]
    except (ValueError, TypeError, KeyError):
        return None


def check_card(finding: dict[str, Any], attack: Any, raw: pd.DataFrame) -> dict[str, Any]:
    """Compare what a card says with the raw rows."""
    ips = str(attack.ip).split()
    start, end = pd.Timestamp(attack.start_at), pd.Timestamp(attack.end_at)
    mine = raw[raw["at"].between(start, end) & raw["ip"].isin(ips)]
    if attack.entity_type == "app":
        mine = mine[mine["app_id"] == attack.entity]
    told = [step for step in finding["timeline"]["steps"] if step["told"]]
    covered = pd.Series(False, index=mine.index)
    wrong = []
    for step in told:
        inside = _select(raw, finding, step)
        if step["api"] is not None and len(inside) != step["calls_count"]:
            wrong.append(step["api"])
        covered |= mine.index.isin(inside.index)
    succeeded = mine[mine["ok"]]
    named = {row["name"] for row in finding["contributors"]["apis"]}
    named |= {step["api"] for step in told if step["outcome"] == "ok" and step["api"]}
    late = pd.Timestamp(finding["start_at"]) - start
    before = raw[(raw["app_id"].isin(mine["app_id"].unique())) & (raw["at"] < start)]
    usual = {_level(api) for api in before["api"].unique()}
    left = mine[~covered]
    unnamed = [
        api
        for api in set(succeeded["api"])
        if not re.fullmatch("|".join(map(_match, named)), api) and _level(api) not in usual
    ]
    return {
        "scenario": attack.scenario,
        "rank": finding["rank"],
        "minutes_late": round(late.total_seconds() / 60),
        "overlaps": pd.Timestamp(finding["start_at"]) <= end
        and pd.Timestamp(finding["end_at"]) >= start,
        "rows": len(mine),
        "in_steps": round(float(covered.mean()), 3),
        "succeeded": len(succeeded),
        "succeeded_in_steps": round(float(covered[succeeded.index].mean()), 3)
        if len(succeeded)
        else 1.0,
        "apis_unnamed": len(unnamed),
        "wrong_steps": len(wrong),
        "next": bool(finding["next_steps"]),
        "holds": not (unnamed or wrong)
        and bool(finding["next_steps"])
        and pd.Timestamp(finding["start_at"]) <= end
        and pd.Timestamp(finding["end_at"]) >= start
        and len(left) <= len(mine) - attack.rows_count
        and {_level(api) for api in left["api"]} <= usual,
    }


def _level(api: str) -> str:
    """Return an API without the ids in its path."""
    return re.sub(r"/[^/]*[0-9][^/]*(?=/|$)", "/:id", re.sub(r"/v[0-9]+/", "/v/", api))


def _match(api: str) -> str:
    """Return the pattern of an API: what stands for a placeholder may be anything."""
    return re.sub(r"/:[^/]+", "/[^/]+", api)


def _select(raw: pd.DataFrame, finding: dict[str, Any], step: dict[str, Any]) -> pd.DataFrame:
    """Return the raw rows that a step says it counts."""
    # instants of a report are whole seconds, as those of the log
    rows = raw[raw["at"].between(pd.Timestamp(step["start_at"]), pd.Timestamp(step["end_at"]))]
    if finding["entity_type"] in {"app", "ip"}:
        column = {"app": "app_id", "ip": "ip"}[finding["entity_type"]]
        rows = rows[rows[column] == finding["entity"]]
    for column in ("app_id", "ip"):
        if step[column] is not None:
            rows = rows[rows[column] == step[column]]
    if step["api"] is not None:
        rows = rows[rows["api"].str.fullmatch(_match(step["api"]))]
    return rows[rows["ok"] == (step["outcome"] == "ok")]


def check_report(report: dict[str, Any], raw: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Check the card of every attack; one that has none is told."""
    cards = {(f["entity_type"], f["entity"]): f for f in report["findings"]}
    rows = []
    for attack in labels.itertuples():
        finding = cards.get((attack.entity_type, attack.entity))
        if finding is None:
            rows.append({"scenario": attack.scenario, "holds": False})
        else:
            rows.append(check_card(finding, attack, raw))
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3, 4, 5])
    asked = parser.parse_args()
    tables = {}
    report = aa.analyze(SAMPLE, settings=aa.Settings()).data
    tables["sample"] = check_report(report, read_raw(SAMPLE), pd.read_csv(SAMPLE / "labels.csv"))
    for seed in asked.seeds:
        company = simulate_company(seed=seed)
        with tempfile.TemporaryDirectory() as scratch:
            write_pages(company, Path(scratch))
            report = aa.analyze(scratch, settings=aa.Settings()).data
            tables[f"seed {seed}"] = check_report(report, read_raw(Path(scratch)), company.labels)
    table = pd.concat(tables)
    print(table.to_string())
    print(f"{int(table['holds'].sum())} of {len(table)} cards say it all")


if __name__ == "__main__":
    main()
