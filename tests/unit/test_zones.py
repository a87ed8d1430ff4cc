"""A tenant is judged on its own clocks: the same days elsewhere make the same report."""

import pytest
from tenant import DAY, EXPORT, HOUR, WEEK, ZONE, calls, make_events, quiet_tenant, spread
from test_engine import Distance

import audit_analytics as aa
from audit_analytics.dates.weeks import parse_week

TOLD = (
    "entity",
    "detectors",
    "title",
    "sentence",
    "observed",
    "unit",
    "past_weeks",
    "contributors",
    "severity",
    "history_days",
)


def build_log():
    """Calls on the clocks of the first zone, none in the hours in which clocks change."""
    at = WEEK.start_at + 2 * DAY + 10 * HOUR
    sunday = WEEK.start_at + 6 * DAY + 10 * HOUR
    log = make_events(
        quiet_tenant(weeks=5),
        calls("cli_06", spread(at, 300), api=EXPORT, severity="high", object=range(300)),
        calls("cli_03", spread(sunday, 90, over=6 * HOUR), ip="203.0.113.9"),
        calls("cli_05", spread(sunday, 80), outcome="rate_limit"),
        calls("cli_05", spread(WEEK.start_at + 6 * HOUR, 90), outcome="permission"),
        calls("cli_08", spread(WEEK.start_at + 5 * DAY + 22 * HOUR, 60, over=2 * HOUR)),
        *[
            calls(f"cli_{n:02d}", spread(sunday, 12), ip="198.51.100.7", outcome="auth")
            for n in range(7, 12)
        ],
    )
    wall = log["at"].dt.tz_convert(ZONE).dt.tz_localize(None)
    return log[wall.dt.hour >= 4].reset_index(drop=True)


def judge(log, week, zone):
    first = WEEK.start_at.tz_convert(ZONE).tz_localize(None)
    monday = parse_week(week, zone=zone).start_at.tz_convert(zone).tz_localize(None)
    wall = log["at"].dt.tz_convert(ZONE).dt.tz_localize(None) + (monday.normalize() - first)
    at = wall.dt.tz_localize(zone).dt.tz_convert("UTC").astype(log["at"].dtype)
    return aa.analyze(
        log.assign(at=at),
        week=week,
        settings=aa.Settings(tenant_zone=zone),
        detector=Distance(),
    ).data


@pytest.mark.parametrize(
    ("zone", "week"),
    [
        ("Asia/Shanghai", "2026-W53"),
        ("Europe/Berlin", "2026-W43"),  # its Sunday has 25 hours
        ("Europe/Berlin", "2026-W13"),  # its Sunday has 23
        ("Europe/Berlin", "2026-W46"),  # a Sunday of 25 hours in its history
        ("America/Santiago", "2026-W36"),  # its Sunday begins at 01:00
    ],
)
def test_point_13_the_same_days_in_another_zone_make_the_same_report(zone, week):
    log = build_log()
    here, there = judge(log, week, "UTC"), judge(log, week, zone)
    assert len(here["findings"]) > 5
    rows = [{row["entity"]: row for row in data["findings"]} for data in (here, there)]
    strong = [name for name, row in rows[0].items() if row["severity"] in {"high", "critical"}]
    assert len(strong) > 4
    for name in strong:
        one, other = (found[name] for found in rows)
        assert {key: one[key] for key in TOLD} == {key: other[key] for key in TOLD}
        assert [r["text"] for r in one["reasons"]] == [r["text"] for r in other["reasons"]]
        assert one["evidence"]["ids"] == other["evidence"]["ids"]
    gaps, status = (
        [data["coverage"][name] for data in (here, there)] for name in ("gaps", "week_status")
    )
    assert status == ["complete", "complete"]
    local = [[(gap["start_local"], gap["end_local"]) for gap in found] for found in gaps]
    assert local[0] == local[1]
