"""Logs of a day or an hour: nobody has a past, but the apps are beside each other."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tenant import DAY, HOUR, READ, WEEK, calls, local, make_events, quiet_tenant, spread

from audit_analytics.catalogue import Catalogue
from audit_analytics.detect._beside import LEAST_APPS, LEFT_OUT, _part_days, rate_beside
from audit_analytics.detect._grid import Grid
from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.settings import Settings

NOON = local("2026-11-11 12:00")
MIDNIGHT = local("2026-11-11 00:00")


def judge(*parts, since=MIDNIGHT, until=MIDNIGHT + DAY):
    then = (part[(part["at"] >= since) & (part["at"] < until)] for part in parts)
    return judge_week(count_log(make_events(*then), Settings()), week=WEEK.iso, settings=Settings())


BURSTS = {
    "denied at one API": calls("cli_03", spread(NOON, 40, over=HOUR / 4), outcome="permission"),
    "reads twenty times as much": calls("cli_03", spread(NOON, 400, over=HOUR / 4), api=READ),
    "calls from elsewhere": calls("cli_03", spread(NOON, 120, over=HOUR), ip="203.0.113.9"),
    "tries what nobody uses": calls(
        "cli_03", spread(NOON, 6), api=[f"GET/open-apis/drive/v1/y{n}" for n in range(6)]
    ),
    "tries what it finds": calls(
        "cli_03", spread(NOON, 40), api=[f"GET/open-apis/drive/v1/x{n}" for n in range(40)]
    ),
}


@pytest.mark.parametrize("name", BURSTS)
@pytest.mark.parametrize("hours", [3, 24])
def test_what_one_app_does_on_the_only_day_there_is_is_found(name, hours):
    at = max(NOON - HOUR, MIDNIGHT) if hours == 3 else MIDNIGHT
    data = judge(quiet_tenant(), BURSTS[name], since=at, until=at + hours * HOUR)
    assert data.findings[0].entity == "cli_03"
    case = next(case for case in data.detection.cases if case.entity == "cli_03")
    # the farthest of the apps that called and of those left out, whatever it did
    assert 1 / 30 <= case.p <= 1 / 25
    assert case.expected_per_week >= 0.4


def test_on_quiet_days_little_is_told_and_what_is_lies_outside_of_its_interval():
    told, rare = [], 0
    for day in range(5):
        at = WEEK.start_at + day * DAY
        data = judge(quiet_tenant(), since=at, until=at + DAY)
        told += [hit for hit in data.hits if hit.detector == "BIRTH"]
        rare += sum(case.expected_per_week < 1.0 for case in data.detection.cases)
    assert len(told) <= 5
    assert rare <= 5
    assert all(hit.observed > hit.high for hit in told)


def test_apps_of_which_none_does_anything_much_were_compared_all_the_same():
    few = [calls(f"cli_{n}", spread(NOON, 25)) for n in range(LEAST_APPS)]
    detection = judge(*few).detection
    assert detection.judged.sum() == LEAST_APPS
    assert not judge(*few[1:]).detection.judged.any()


@pytest.mark.parametrize(("name", "told"), [("GetSecretValue", True), ("GetWeather", False)])
def test_what_the_catalogue_does_not_know_is_sensitive_by_its_name(name, told):
    found = Catalogue.default().match(f"POST/vault.example/{name}")
    of_it = {"api": found.api, "category": found.category, "severity": found.severity}
    data = judge(quiet_tenant(), calls("cli_03", spread(NOON, 12), **of_it))
    about = [finding for finding in data.findings if finding.entity == "cli_03"]
    assert bool(about) == told
    for finding in about:
        assert "called sensitive APIs 12 times" in finding.sentence
        assert [row["api"] for row in finding.evidence["rows"]] == [found.api] * 12


HABITS = {
    "fails from the first hour to the last": {"count": 8, "outcome": "permission"},
    "calls twenty times as often": {"count": 60},
    "calls from where nobody else does": {"count": 30, "ip": "198.51.100.7"},
}


@pytest.mark.parametrize("name", HABITS)
@pytest.mark.parametrize("hours", [8, 72])
def test_what_an_app_does_all_along_is_no_news_and_what_it_begins_is(name, hours):
    at = [NOON + n * HOUR for n in range(-hours // 2, hours - hours // 2)]
    given = {**HABITS[name]}
    count = given.pop("count")
    always = [calls("cli_habit", spread(hour, count), **given) for hour in at]
    begins = [calls("cli_begins", spread(hour, 2), ip="10.0.0.2") for hour in at]
    begins += [calls("cli_begins", spread(at[-2], 4 * count, over=HOUR / 2), **given)]
    data = judge(quiet_tenant(), *always, *begins, since=at[0], until=at[-1] + HOUR)
    assert data.findings[0].entity == "cli_begins"
    assert "cli_habit" not in [finding.entity for finding in data.findings]


def test_a_number_is_expected_no_more_closely_than_counting_allows():
    failing = [
        calls("cli_fails", spread(MIDNIGHT + n * HOUR, 5 + (n % 3 == 0)), outcome="permission")
        for n in range(24)
    ]
    data = judge(quiet_tenant(), *failing)
    assert "cli_fails" not in [finding.entity for finding in data.findings]


def test_the_hours_are_told_in_which_it_began():
    data = judge(quiet_tenant(), calls("cli_03", spread(NOON, 400, over=HOUR / 4), api=READ))
    found = data.findings[0]
    assert "between 12:00 and 13:00" in found.sentence
    assert "by its other hours and the other apps" in found.sentence


@pytest.mark.parametrize(
    ("first", "last", "parts"),
    [(30, 34, 5), (24, 47, 12), (24, 95, 12), (31, 102, 13), (0, 167, 14)],
)
def test_a_log_has_twelve_parts_or_as_many_as_it_has_hours(first, last, parts):
    hours = pd.date_range(MIDNIGHT, periods=8 * 24, freq="h")
    zero = np.zeros(len(hours), dtype=int)
    grid = Grid(hours, slot=zero, day=np.arange(len(hours)) // 24, week=zero, gap=zero > 0)
    part = _part_days(grid, first=first, last=last)
    assert part[last] - part[first] + 1 == parts
    # what is before the log is one part a day, and no part lies in two days
    assert (np.diff(part)[np.diff(grid.day) > 0] == 1).all()
    assert part[first] - part[0] >= grid.day[first]


@given(
    arrays(
        float,
        st.tuples(st.integers(1, 12), st.integers(1, 3), st.integers(1, 3)),
        elements=st.floats(0, 30) | st.just(np.nan),
    )
)
def test_no_more_apps_are_rare_than_p_says(scores):
    p, far = rate_beside(scores)
    known = ~np.isnan(scores).all(axis=(1, 2))
    least = p.min(axis=(1, 2))[known]
    assert p.shape == scores.shape
    assert (p[np.isnan(scores)] == 1.0).all()
    if known.sum() < LEAST_APPS:
        assert (p == 1.0).all()
    for limit in (0.1, 0.2, 0.5):
        # equals share a place
        distinct = len(np.unique(far.max(axis=1)[known])) == known.sum()
        many = limit * (1.0 + LEFT_OUT)
        assert not distinct or (least <= limit).mean() <= many if known.any() else True
    assert (p >= np.minimum(10.0 ** -np.nan_to_num(scores), 1.0) - 1e-12)[~np.isnan(scores)].all()
