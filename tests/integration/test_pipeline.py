import csv
import json
import re
import sys
from pathlib import Path

import jsonschema
import pandas as pd
import pytest

import audit_analytics as aa
from audit_analytics.errors import DataIncompleteError, InputError
from audit_analytics.schema import EVENTS

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from card_check import check_report, read_raw

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
LABELS = list(csv.DictReader((SAMPLE / "labels.csv").read_text(encoding="utf-8").splitlines()))
MARGIN = 5


@pytest.fixture(scope="module")
def data(sample_report):
    return sample_report.data


def test_every_labelled_attack_is_among_the_findings(data):
    found = {(f["entity_type"], f["entity"]): f for f in data["findings"]}
    missed = [row["scenario"] for row in LABELS if (row["entity_type"], row["entity"]) not in found]
    assert missed == []
    for row in LABELS:
        finding = found[row["entity_type"], row["entity"]]
        assert finding["severity"] in {"high", "critical"}
        assert finding["start_at"] <= row["end_at"]
        assert finding["end_at"] >= row["start_at"]


def test_attacks_are_ranked_first_and_the_budget_holds(data):
    attacked = {(row["entity_type"], row["entity"]) for row in LABELS}
    benign = [f for f in data["findings"] if (f["entity_type"], f["entity"]) not in attacked]
    assert len(benign) <= data["budget_per_week"] + MARGIN
    ranks = [f["rank"] for f in data["findings"] if (f["entity_type"], f["entity"]) in attacked]
    assert max(ranks) <= len(LABELS) + 2
    assert [f["rank"] for f in data["findings"]] == list(range(1, len(data["findings"]) + 1))


def test_evidence_is_in_the_log_belongs_to_the_entity_and_lies_in_the_window(data, sample_events):
    events = sample_events.set_index("id")
    for finding in data["findings"]:
        rows = events.loc[finding["evidence"]["ids"]]
        column = {"app": "app_id", "ip": "ip"}.get(finding["entity_type"])
        if column:
            assert (rows[column] == finding["entity"]).all()
        assert len(rows) == len(finding["evidence"]["rows"]) <= 20
        assert (
            rows["at"]
            .between(pd.Timestamp(data["week"]["start_at"]), pd.Timestamp(data["week"]["end_at"]))
            .all()
        )
        assert len(rows) or "rule:silence" in finding["detectors"]


def test_every_row_of_the_log_is_accounted_for(data):
    coverage = data["coverage"]
    parts = ("events_count", "duplicates_count", "rejects_count")
    assert coverage["rows_read_count"] == sum(coverage[name] for name in parts)
    assert coverage["rejects_count"] == sum(coverage["reject_reasons"].values())
    assert coverage["week_status"] == "complete"
    assert sum(data["totals"]["by_outcome"].values()) == coverage["week_events_count"]


def test_the_report_is_what_its_schema_says(data, findings_schema):
    jsonschema.validate(data, findings_schema)
    json.dumps(data, allow_nan=False)


def test_the_findings_are_a_table(sample_report):
    table = sample_report.findings
    assert len(table) == len(sample_report.data["findings"])
    assert table["rank"].is_monotonic_increasing
    assert str(table["start_at"].dtype) == "datetime64[us, UTC]"
    assert repr(sample_report).count("\n") == len(table) + 1


def test_a_finding_is_reached_by_rank_and_by_id(sample_report):
    second = sample_report.finding(2)
    assert second.rank == 2
    assert sample_report.finding(second.finding_id).data is second.data
    assert second.sentence.split()[0] in sample_report.explain(2)
    with pytest.raises(InputError, match="2026-W46 has no finding 99"):
        sample_report.finding(99)


def test_the_evidence_is_a_table_that_joins_the_log(sample_report, data):
    evidence = sample_report.evidence
    assert str(evidence["at"].dtype) == "datetime64[us, UTC]"
    for finding in data["findings"]:
        mine = evidence[evidence["rank"] == finding["rank"]]
        assert mine["id"].tolist() == finding["evidence"]["ids"]


def test_no_reason_reads_like_a_template(data):
    for finding in data["findings"]:
        for text in [finding["sentence"], *(reason["text"] for reason in finding["reasons"])]:
            assert not re.search(
                r"[{}]|  |\b(nan|None(?! of the)|NaT|1 times|1 calls|1 APIs)\b", text
            )


def test_a_log_without_a_readable_event_says_so():
    with pytest.raises(DataIncompleteError, match="no readable event"):
        aa.analyze(EVENTS.empty(), settings=aa.Settings())


def test_settings_by_keyword_are_those_of_the_run(sample_report, sample_events):
    found = sample_report.findings
    named = sample_events[sample_events["app_id"].isin(found["entity"])].reset_index(drop=True)
    strict = aa.analyze(named, settings=aa.Settings(), budget=1, rules={"probing_apis": 200})
    assert strict.data["budget_per_week"] == 1
    assert strict.data["run"]["config"]["rules"]["probing_apis"] == 200
    assert "rule:probing" in set(found["detectors"].explode())
    assert "rule:probing" not in set(strict.findings["detectors"].explode())
    assert len(strict.findings) < found["entity_type"].eq("app").sum()


def test_every_card_says_what_the_raw_rows_say(data):
    labels = pd.read_csv(SAMPLE / "labels.csv")
    table = check_report(data, read_raw(SAMPLE), labels).set_index("scenario")
    assert len(table) == len(labels)
    assert table["overlaps"].all()
    assert table["next"].all()
    assert (table["minutes_late"].abs() <= 5).all()
    assert (table["wrong_steps"] == 0).all()
    # eleven calls of the app's own users lie in the time of the enumeration, and are no part of it;
    # its first four came before the hour that is told
    others = table.drop("id_enumeration")
    assert (others["in_steps"] == 1).all()
    assert (others["succeeded_in_steps"] == 1).all()
    assert (others["apis_unnamed"] == 0).all()
    assert table.loc["id_enumeration", "in_steps"] > 0.9
