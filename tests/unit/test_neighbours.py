"""What several addresses of one network did is one row."""

from datetime import date

import pytest
from tenant import HOUR, WEEK, ZONE, calls, make_events, quiet_tenant, spread
from test_engine import Distance

import audit_analytics as aa
from audit_analytics.report import suppress_finding
from audit_analytics.review._suppression import Suppression, append_suppression

POOL = [f"203.0.113.{n}" for n in (10, 11, 12, 13)]
ELSEWHERE = "198.51.100.5"


@pytest.fixture(scope="module")
def log():
    """A vendor's four new addresses, each on six apps, the last one busiest; and another's one."""
    at = WEEK.start_at + 58 * HOUR
    moved = [
        calls(f"cli_{a:02d}", spread(at + n * HOUR, 3 + n), ip=ip)
        for n, ip in enumerate(POOL)
        for a in range(6 + (n == 3))
    ]
    other = [calls(f"cli_{a:02d}", spread(at, 3), ip=ELSEWHERE) for a in range(9, 15)]
    return make_events(quiet_tenant(weeks=5), *moved, *other)


def analyze(log, **settings):
    return aa.analyze(log, week=WEEK.iso, settings=aa.Settings(**settings), detector=Distance())


@pytest.fixture(scope="module")
def report(log):
    return analyze(log)


def addresses(report):
    return {row["entity"]: row for row in report.data["findings"] if row["entity_type"] == "ip"}


def test_a_pool_of_addresses_is_one_row_and_all_of_them_are_its_evidence(report):
    rows = addresses(report)
    assert set(rows) == {POOL[3], ELSEWHERE}, "the worst of the pool speaks for it"
    row = rows[POOL[3]]
    assert row["reasons"][-1]["text"] == "3 more addresses of 203.0.113.0/24 did the same."
    assert row["reasons"][-1]["text"] in row["sentence"]
    calls_count = sum((3 + n) * (6 + (n == 3)) for n in range(4))
    assert len(row["evidence"]["ids"]) + row["evidence"]["more_count"] == calls_count
    assert "did the same" not in str(rows[ELSEWHERE]["reasons"])
    watched = {row["entity"] for row in report.data["watch"]["rows"]}
    assert not watched & set(POOL), "who was told with the others is told"


def test_where_the_worst_is_suppressed_the_next_speaks_in_any_language(log, tmp_path):
    path = tmp_path / "suppressions.toml"
    scope = {"owner": "ops", "reason": "a test", "expires": date(2026, 12, 31)}
    append_suppression(path, Suppression(**scope, entity=POOL[3]))
    report = analyze(log, suppressions=path, lang="zh")
    rows = addresses(report)
    assert len(rows) == 2
    (told,) = set(rows) - {ELSEWHERE}
    assert told in POOL[:3]
    assert rows[told]["reasons"][-1]["text"] == "203.0.113.0/24 内另有 2 个地址也是如此。"
    assert {row["entity"] for row in report.data["suppressed"]} == {POOL[3]}


def test_what_is_suppressed_of_a_pool_is_its_network(log, report, tmp_path):
    path = tmp_path / "suppressions.toml"
    row = addresses(report)[POOL[3]]
    assert 'networks = ["203.0.113.0/24"]' in row["suppression"]
    assert "\nentity = " not in row["suppression"]
    made = suppress_finding(row, path, reason="moved", until="2099-12-31", zone=ZONE, owner="ops")
    assert not made.warning
    report = analyze(log, suppressions=path)
    assert set(addresses(report)) == {ELSEWHERE}
    suppressed = [r["entity"] for r in report.data["suppressed"] if r["entity_type"] == "ip"]
    assert suppressed == [POOL[3]], "told as the report would have"
