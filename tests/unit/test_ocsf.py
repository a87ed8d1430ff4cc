"""findings.ocsf.jsonl: what a SIEM reads."""

import json
import subprocess
import sys

import pytest
from py_ocsf_models import OCSF_VERSION
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from report_fixture import HOSTILE, make_gaps_report, make_hostile_report, make_report

import audit_analytics as aa
from audit_analytics.detect._attack import TECHNIQUES
from audit_analytics.errors import ConfigError
from audit_analytics.report import _ocsf as ocsf
from audit_analytics.report import check_ocsf
from audit_analytics.report._ocsf import TACTICS, render_ocsf
from audit_analytics.report._result import write_report


def read(report):
    lines = render_ocsf(report).splitlines()
    for line in lines:
        DetectionFinding.model_validate_json(line)
    return [json.loads(line) for line in lines]


def test_each_finding_is_a_valid_detection_finding(sample_report):
    events = read(sample_report.data)
    findings = sample_report.data["findings"]
    assert len(events) == len(findings) > 5
    for event, finding in zip(events, findings, strict=True):
        assert (event["class_uid"], event["category_uid"], event["type_uid"]) == (2004, 2, 200401)
        assert event["metadata"]["version"] == OCSF_VERSION
        assert event["metadata"]["product"]["version"] == aa.__version__
        assert event["finding_info"]["uid"] == finding["finding_id"]
        assert event["finding_info"]["desc"] == event["message"] == finding["sentence"]
        assert event["severity"].lower() == finding["severity"]
        assert event["start_time"] < event["end_time"]
        assert event["count"] >= len(event["evidences"]) == len(finding["evidence"]["rows"])
        assert event["unmapped"]["expected_per_week"] == finding["expected_per_week"] or (
            finding["expected_per_week"] is None
        )
        values = {observable["value"] for observable in event["observables"]}
        assert finding["entity"] in values or finding["entity_type"] not in {"app", "ip"}


def test_times_are_milliseconds_and_none_is_the_runs():
    (event, *_) = read(make_report())
    assert event["time"] == event["finding_info"]["created_time"] == 1795363200000
    assert event["duration"] == event["end_time"] - event["start_time"] == 2 * 3600 * 1000


def test_a_siem_learns_what_goes_on_and_what_is_suppressed():
    report = make_report()
    report["findings"][0] |= {"status": "continuing"}
    report["suppressed"] = [report["findings"][1] | {"status": "suppressed"}]
    events = read(report)
    assert len(events) == len(report["findings"]) + 1
    assert (events[0]["activity_name"], events[0]["type_uid"]) == ("Update", 200402)
    assert [event["status"] for event in events] == ["New"] * (len(events) - 1) + ["Suppressed"]


def test_same_report_gives_the_same_bytes():
    assert render_ocsf(make_report()) == render_ocsf(make_report())


@pytest.mark.parametrize(
    ("severity", "number"),
    [("none", 1), ("low", 2), ("medium", 3), ("high", 4), ("critical", 5), ("unheard of", 0)],
)
def test_severity_is_ocsfs(severity, number):
    report = make_report()
    report["findings"][0]["severity"] = severity
    assert read(report)[0]["severity_id"] == number


@pytest.mark.parametrize(
    ("rarity", "confidence"),
    [
        ("critical", "High"),
        ("high", "High"),
        ("medium", "Medium"),
        ("low", "Low"),
        (None, "Medium"),
    ],
)
def test_confidence_is_how_rare_the_behaviour_is(rarity, confidence):
    report = make_report()
    report["findings"][0]["rarity"] = rarity
    assert read(report)[0]["confidence"] == confidence


def test_an_attack_is_tactic_technique_and_sub_technique():
    report = make_report()
    report["findings"][0]["attack"] = [
        {"id": "T1078.004", "name": "Valid Accounts: Cloud Accounts", "version": "17.1"},
        {"id": "T1530", "name": "Data from Cloud Storage", "version": "17.1"},
    ]
    assert read(report)[0]["finding_info"]["attacks"] == [
        {
            "version": "17.1",
            "tactic": {"uid": "TA0001", "name": "Initial Access"},
            "technique": {"uid": "T1078", "name": "Valid Accounts"},
            "sub_technique": {"uid": "T1078.004", "name": "Cloud Accounts"},
        },
        {
            "version": "17.1",
            "tactic": {"uid": "TA0009", "name": "Collection"},
            "technique": {"uid": "T1530", "name": "Data from Cloud Storage"},
        },
    ]


def test_every_technique_we_name_has_its_tactic():
    assert TACTICS.keys() == TECHNIQUES.keys()


def test_an_address_is_one_only_if_it_is():
    report = make_report()
    report["findings"][0]["contributors"]["ips"] = [
        {"name": name, "calls_count": 1, "errors_count": 0}
        for name in ("2001:db8::1", "10.0.0.1, 10.0.0.2", "")
    ]
    observables = read(report)[0]["observables"]
    kinds = {one["value"]: one["type"] for one in observables}
    assert kinds["2001:db8::1"] == kinds["203.0.113.77"] == "IP Address"
    assert kinds["10.0.0.1, 10.0.0.2"] == "Other"
    assert "" not in kinds


def test_hostile_names_are_kept_and_cannot_be_seen_to_act():
    report = make_hostile_report()
    text = render_ocsf(report)
    assert len(text.split("\n")) == len(report["findings"] + report["suppressed"]) + 1
    assert all(char.isprintable() for char in text.replace("\n", ""))
    said = [event["unmapped"]["unit"] for event in read(report)]
    for name, unit in zip(HOSTILE.values(), said[: len(HOSTILE)], strict=True):
        assert unit == name.replace("\ud83d", "\\ud83d")


def test_a_week_without_findings_is_an_empty_file(tmp_path):
    paths = write_report(make_gaps_report() | {"suppressed": []}, tmp_path, ocsf=True)
    assert paths["findings.ocsf.jsonl"].read_bytes() == b""


def test_it_is_written_where_the_extra_is_and_an_old_one_never_stays(tmp_path):
    report = make_gaps_report()
    assert "findings.ocsf.jsonl" in write_report(report, tmp_path)
    assert "findings.ocsf.jsonl" not in write_report(report, tmp_path, ocsf=False)
    assert not (tmp_path / "findings.ocsf.jsonl").exists()


def test_without_the_extra_it_is_left_out_or_asked_for_in_plain_words(monkeypatch, tmp_path):
    monkeypatch.setattr(ocsf, "find_spec", lambda _: None)
    assert check_ocsf(required=None) is False
    assert "findings.ocsf.jsonl" not in write_report(make_gaps_report(), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigError, match=r"pip install 'audit-analytics\[ocsf\]'"):
        write_report(make_report(), tmp_path, ocsf=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_importing_the_package_loads_no_models():
    code = (
        "import sys, audit_analytics, audit_analytics.report._ocsf, audit_analytics.cli.main\n"
        "sys.exit('py_ocsf_models' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
