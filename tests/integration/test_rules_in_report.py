"""What only rules see reaches the report: networks, this tool's own app, and what was only counted."""

import pandas as pd
import pytest
from stand_ins import Flat

import audit_analytics as aa

START = pd.Timestamp("2026-10-26T00:00Z")
END = pd.Timestamp("2026-11-15T16:00Z")
NOON = pd.Timestamp("2026-11-11T04:00Z")


def row(name, at, app, *, api="GET/open-apis/im/v1/chats", ip="10.0.0.1", code=0):
    common = {
        "id": name,
        "event_time": int(at.timestamp()),
        "app_id": app,
        "api_key": api,
        "ip": ip,
    }
    return common | {"log_detail": {"response": f'{{"code": {code}}}'}}


@pytest.fixture(scope="module")
def report():
    hours = pd.date_range(START, END, freq="h", inclusive="left")
    rows = [row(f"{app}{n}", at, app) for app in ("cli_a", "cli_own") for n, at in enumerate(hours)]
    rows += [row(f"s{n}", NOON, f"cli_t{n}", ip=f"203.0.113.{n}", code=99991663) for n in range(9)]
    rows += [row("b", NOON, "cli_own", ip="198.51.100.1")]
    rows += [
        row(
            f"p{app}.{n}",
            NOON,
            f"cli_p{app}",
            api=f"GET/open-apis/x/v1/{'abcdefghij'[n]}",
            code=99991672,
        )
        for app in range(30)
        for n in range(10)
    ]
    settings = aa.Settings(own_app_id="cli_own")
    return aa.analyze(rows, settings=settings, detector=Flat())


def find(report, detector):
    return [f for f in report.data["findings"] if f["detectors"][0] == detector]


def test_a_network_is_a_finding_with_evidence(report):
    (finding,) = find(report, "rule:auth_failures")
    assert (finding["entity_type"], finding["entity"]) == ("network", "203.0.113.0/24")
    assert "as 9 apps from 9 addresses" in finding["sentence"]
    assert len(finding["evidence"]["ids"]) == 9
    assert {f"203.0.113.{n}" for n in range(9)} <= {r["ip"] for r in report.data["unusual_ips"]}


def test_misuse_of_the_own_app_is_a_finding(report):
    (finding,) = find(report, "rule:own_app")
    assert finding["entity"] == "cli_own"
    assert finding["severity"] == "high"


def test_what_is_not_listed_is_counted(report):
    probing = find(report, "rule:probing")
    assert len(probing) == 21
    (rest,) = [f for f in probing if f["entity_type"] == "tenant"]
    assert rest["sentence"].startswith("10 more apps set off the same rule")
    assert rest["evidence"]["more_count"] == 80
