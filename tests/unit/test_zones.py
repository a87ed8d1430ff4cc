"""A tenant is judged on its own clocks: the same days elsewhere make the same report."""

import re
from functools import cache

import pandas as pd
import pytest
from tenant import ZONE
from town import build_town, judge, move

from audit_analytics.detect import list_known

MOST = 25
"""Detectors that find something in the town, of 35; it is 28, and chance decides about some."""

STEADY = [
    (zone, week)
    for zone, weeks in {
        "Asia/Shanghai": ["2026-W46", "2026-W53"],
        "Asia/Kolkata": ["2026-W46", "2026-W53", "2026-W14"],
        "Asia/Kathmandu": ["2026-W46", "2026-W53", "2026-W14"],
        "Europe/Berlin": ["2026-W53", "2026-W22"],
        "America/Santiago": ["2026-W46", "2026-W53", "2026-W22"],
        "Australia/Lord_Howe": ["2026-W46", "2026-W53", "2026-W22"],
    }.items()
    for week in weeks
]
"""Zones and weeks with a past in which no clock was changed."""

CHANGING = [
    ("Europe/Berlin", "2026-W13"),  # its Sunday has 23 hours
    ("Europe/Berlin", "2026-W43"),  # its Sunday has 25
    ("Europe/Berlin", "2026-W46"),  # there was one of 25
    ("America/Santiago", "2026-W36"),  # its Sunday begins at 01:00
    ("America/Santiago", "2026-W14"),  # its Saturday has 25 hours
    ("Australia/Lord_Howe", "2026-W14"),  # its Sunday has 24 hours and a half
    ("Australia/Lord_Howe", "2026-W40"),  # its Sunday has 23 and a half
    ("Australia/Lord_Howe", "2026-W42"),
]

TOLD = (
    "key",
    "rank",
    "entity_type",
    "entity",
    "severity",
    "kind",
    "title",
    "sentence",
    "detectors",
    "observed",
    "unit",
    "start_local",
    "history_days",
    "past_weeks",
    "contributors",
    "evidence",
)


def put_on_clocks(value, zone):
    """Replace every instant of a report by what the clocks of the tenant show."""
    if isinstance(value, dict):
        # what the settings are called is no result
        return {
            key: put_on_clocks(each, zone)
            for key, each in value.items()
            if key not in {"tenant_zone", "config_hash"}
        }
    if isinstance(value, list):
        return [put_on_clocks(each, zone) for each in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value):
        return pd.Timestamp(value).tz_convert(zone).tz_localize(None).isoformat()
    return value


@cache
def report(week, zone, *, quiet):
    """Report on the town; quiet towns sleep in the hours in which clocks change."""
    log = build_town()
    if quiet:
        hour = log["at"].dt.tz_convert(ZONE).dt.hour
        log = log[(hour >= 6) & (hour < 23)].reset_index(drop=True)
    data, told = judge(move(log, week, zone), week, zone)
    return {hit.detector for hit in data.hits}, put_on_clocks(told, zone)


def choose(places, *usual):
    """Mark all but some of the places: a report on the town takes seconds, and each needs two."""
    return [p if p in usual else pytest.param(*p, marks=pytest.mark.benchmark) for p in places]


@pytest.mark.parametrize(("zone", "week"), choose(STEADY, ("Asia/Kathmandu", "2026-W53")))
def test_point_13_the_same_days_in_another_zone_make_the_same_report(zone, week):
    found, here = report(week, "UTC", quiet=False)
    assert len(found) >= MOST
    assert found <= {detector.name for detector in list_known()}
    assert report(week, zone, quiet=False)[1] == here


@pytest.mark.parametrize(("zone", "week"), choose(CHANGING, ("Australia/Lord_Howe", "2026-W40")))
def test_point_13_weeks_in_which_clocks_change_tell_the_same(zone, week):
    found, here = report(week, "UTC", quiet=True)
    # who calls every hour cannot sleep
    assert len(found) >= MOST - 1
    there = report(week, zone, quiet=True)[1]
    assert len(here["findings"]) == len(there["findings"]) > 20
    for one, other in zip(here["findings"], there["findings"], strict=True):
        assert {name: one[name] for name in TOLD} == {name: other[name] for name in TOLD}
        assert [r["text"] for r in one["reasons"]] == [r["text"] for r in other["reasons"]]
        # a day of another length is of another weight in what is usual
        rare, as_rare = one["expected_per_week"], other["expected_per_week"]
        assert rare == (as_rare and pytest.approx(as_rare, rel=0.05))
    for name in ("gaps", "week_status", "week_events_count", "history_days", "first_at", "last_at"):
        # told with one decimal, and half an hour is one where clocks change by so much
        other = there["coverage"][name]
        assert here["coverage"][name] == (
            pytest.approx(other, abs=0.11) if name == "history_days" else other
        )
    for name in ("assessed", "totals", "changes", "heatmap", "error_bursts", "unusual_ips"):
        assert here[name] == there[name]
