"""Logs of ten days: every day is compared with the others."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from tenant import DAY, HOUR, WEEK, build_tenant, calls, local, make_events, spread

from audit_analytics.detect import detect_week
from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week, run_week
from audit_analytics.rollup import rollup
from audit_analytics.settings import Settings

APPS = 60


@cache
def tenant(days=10, apps=APPS, seed=3):
    """Make apps of different size that call in office hours, for the days before the week ends."""
    rng = np.random.default_rng(seed)
    hours = pd.date_range(WEEK.end_at - days * DAY, WEEK.end_at, freq="h", inclusive="left")
    hours = hours[(hours.tz_convert(WEEK.zone).hour >= 8) & (hours.tz_convert(WEEK.zone).hour < 20)]
    parts = []
    for n in range(apps):
        number = rng.poisson(np.exp(rng.normal(1.0, 0.7)), len(hours))
        at = hours.repeat(number) + pd.to_timedelta(rng.integers(0, 3600, number.sum()), unit="s")
        parts.append(calls(f"cli_{n:02d}", at, ip=f"10.0.{n}.1"))
    return parts


def judge(*parts, **options):
    return judge_week(count_log(make_events(*parts), Settings()), settings=Settings(**options))


def detect(*parts):
    """List the cases, the least usual first; no rule runs, and nothing is told."""
    events = make_events(*parts)
    found = detect_week(*build_tenant(events, rollup(events)))
    return sorted(found.cases, key=lambda case: case.expected_per_week)


def burst(app, at, count=300, **options):
    return calls(app, spread(local(at), count), **({"ip": f"10.0.{int(app[4:])}.1"} | options))


def test_what_is_unusual_for_an_app_of_ten_days_is_found_and_named():
    found = judge(
        *tenant(),
        burst("cli_03", "2026-11-12 12:00"),
        burst("cli_13", "2026-11-11 12:00", 80, outcome="not_found"),
        burst("cli_23", "2026-11-10 12:00", 12, ip="203.0.113.7"),
        burst("cli_33", "2026-11-13 03:00", 60),
    )
    wanted = {"cli_03": "VOL", "cli_13": "ERR", "cli_23": "NEWNET", "cli_33": "VOL"}
    first = {finding.entity: finding for finding in found.findings[:4]}
    assert first.keys() == wanted.keys()
    for app, detector in wanted.items():
        assert first[app].expected_per_week < 2
        assert detector in first[app].detectors
        assert "BIRTH" not in first[app].detectors


@pytest.mark.parametrize("hours", [36, 90])
def test_a_log_may_begin_in_the_middle_of_its_week(hours):
    events = make_events(*tenant(days=7), burst("cli_03", "2026-11-14 12:00"))
    events = events[events["at"] >= WEEK.start_at + hours * HOUR]
    found = judge_week(count_log(events, Settings()), settings=Settings())
    assert found.week == WEEK
    assert found.findings[0].entity == "cli_03"


def test_several_attacks_do_not_pass_for_the_way_of_the_tenant():
    attacks = [burst(f"cli_{n:02d}", f"2026-11-{9 + n % 5:02d} 12:00", 400) for n in range(8)]
    least = detect(*tenant(), *attacks)[:8]
    attacked = {f"cli_{n:02d}" for n in range(8)}
    assert {case.entity for case in least} == attacked
    assert all(case.expected_per_week < 5 for case in least)


@pytest.mark.parametrize("days", [11, 14])
def test_with_some_days_before_it_even_many_attacks_do_not_hide_each_other(days):
    many = 20
    attacks = [burst(f"cli_{n:02d}", f"2026-11-{9 + n % 5:02d} 12:00", 60) for n in range(many)]
    least = detect(*tenant(days), *attacks)[:many]
    attacked = {f"cli_{n:02d}" for n in range(many)}
    assert len(attacked & {case.entity for case in least}) >= many - 2
    assert all(case.expected_per_week < 5 for case in least)


def test_of_thirty_apps_a_loud_one_is_rarer_than_the_most_unusual_before():
    found = detect(*tenant(12, apps=30), burst("cli_03", "2026-11-12 03:00", 400))
    (case,) = [case for case in found if case.entity == "cli_03"]
    assert case.expected_per_week < 0.5


def test_quiet_young_logs_bring_about_what_the_budget_allows():
    counts = np.zeros(3)
    for seed, days in enumerate((7, 10, 14)):
        found = judge(*tenant(days, seed=seed))
        expected = np.array([case.expected_per_week for case in found.detection.cases])
        counts += [(expected < 1).sum(), (expected < 5).sum(), len(found.findings)]
    assert (counts / 3 <= [2, 8, 20]).all()
    assert counts[1] / 3 >= 1


def test_a_log_too_small_to_compare_days_says_so_and_is_not_called_quiet():
    verdict = run_week(make_events(*tenant(7, apps=4))).data["verdict"]
    assert "Nothing stood out" not in verdict
    assert "No app could be assessed" in verdict


def test_hours_before_since_are_forgotten_and_a_young_log_says_that_it_is_young():
    noon, evening = burst("cli_03", "2026-11-12 12:00"), burst("cli_04", "2026-11-12 18:00")
    events = make_events(*tenant(), noon, evening)
    events = events[events["at"] < local("2026-11-12 20:00")]
    report = run_week(events, since="2026-11-12T16:00+08:00")
    assert report.data["findings"][0]["entity"] == "cli_04"
    assert "cli_03" not in {f["entity"] for f in report.data["findings"]}
    assert "The log is young: the apps were compared with each other" in report.data["verdict"]
