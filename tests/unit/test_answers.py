import pandas as pd
import pytest
from stand_ins import Flat
from tenant import (
    EXPORT,
    HOUR,
    SEND,
    calls,
    clock,
    local,
    make_events,
    quiet_tenant,
    spread,
)

import audit_analytics as aa

NIGHT = local("2026-11-11 02:00")
EXPORTS = {"api": EXPORT, "severity": "high"}
AUDIT = "GET/open-apis/audit"


@pytest.fixture(scope="module")
def report():
    fails = [calls("cli_02", spread(NIGHT, 60), ip="10.0.2.1", outcome="not_found")]
    foreign = [calls("cli_05", spread(NIGHT, 80), ip="203.0.113.9", api=SEND)]
    export = [
        calls("cli_07", spread(NIGHT, 40), ip="10.0.7.1", **EXPORTS),
    ]
    at = pd.DatetimeIndex(clock()["at"])
    hours = at.tz_convert("Asia/Shanghai").hour
    office = [
        calls("cli_office", at[(hours >= 9) & (hours < 18) & (at < NIGHT)], **EXPORTS),
        calls("cli_office", spread(NIGHT, 50, over=2 * HOUR), **EXPORTS),
        calls("cli_office", [NIGHT], api=AUDIT, category="audit_access", severity="high"),
    ]
    events = make_events(quiet_tenant(), clock(), *fails, *foreign, *export, *office)
    return aa.analyze(events, settings=aa.Settings(), detector=Flat()).data


def row(rows, **wanted):
    found = [r for r in rows if all(r[key] == value for key, value in wanted.items())]
    assert len(found) == 1, rows
    return found[0]


def finding_id(report, entity):
    return next(f["finding_id"] for f in report["findings"] if f["entity"] == entity)


def test_which_addresses_were_unusual(report):
    found = row(report["unusual_ips"], ip="203.0.113.9")
    assert found["apps"] == ["cli_05"]
    assert (found["network"], found["calls_count"]) == ("203.0.113.0/24", 80)
    assert found["first_seen_at"] == "2026-11-10T18:00:00Z"
    assert found["why"].startswith("cli_05 called from 203.0.113.0/24")
    assert found["finding_id"] == finding_id(report, "cli_05")


def test_a_strange_address_behind_another_finding_is_listed_and_a_proxys_only_thrice():
    new = "GET/open-apis/corehr/v2/employees/:employee_id"
    moved = [
        calls("cli_05", spread(NIGHT + n * HOUR / 60, 2), ip=f"203.0.{n}.9", api=SEND)
        for n in range(40)
    ]
    read = calls("cli_02", spread(NIGHT, 60), ip="198.51.100.7", api=new, severity="critical")
    events = make_events(quiet_tenant(), clock(), *moved, read)
    data = aa.analyze(events, settings=aa.Settings(), detector=Flat()).data
    ids = {app: finding_id(data, app) for app in ("cli_02", "cli_05")}
    assert row(data["unusual_ips"], ip="198.51.100.7")["finding_id"] == ids["cli_02"]
    assert sum(r["finding_id"] == ids["cli_05"] for r in data["unusual_ips"]) == 3


def test_where_errors_piled_up(report):
    found = row(report["error_bursts"], entity="cli_02", outcome="not_found")
    assert (found["scope"], found["finding_id"]) == ("app", finding_id(report, "cli_02"))
    assert 60 <= found["errors_count"] <= found["calls_count"]
    assert found["error_share"] == pytest.approx(found["errors_count"] / found["calls_count"], 1e-3)
    assert 1 <= found["hours_count"] <= 24


def test_which_sensitive_apis_were_used_unusually(report):
    found = row(report["sensitive_usage"], app_id="cli_07", api=EXPORT)
    assert found["severity"] == "high"
    assert found["calls_count"] >= 40
    assert found["calls_count"] > found["expected"] > 0
    assert not found["first_use"]
    assert found["finding_id"] == finding_id(report, "cli_07")


def test_calls_at_hours_at_which_the_app_never_called_are_counted(report):
    used = {r["api"]: r for r in report["sensitive_usage"] if r["app_id"] == "cli_office"}
    assert used[EXPORT]["odd_hours_count"] == 50
    assert used[AUDIT]["first_use"]
    assert used[AUDIT]["odd_hours_count"] == 1
    assert used[AUDIT]["expected"] == 0
