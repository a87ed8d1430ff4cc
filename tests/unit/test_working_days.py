"""A day that nearly all apps spend as on the other kind of day is judged as such."""

import numpy as np
import pandas as pd
import pytest
from stand_ins import Flat

import audit_analytics as aa
from audit_analytics.dates.calendar import DaysOff, find_days_off
from audit_analytics.dates.weeks import parse_week
from audit_analytics.detect._working_days import infer_days_off
from audit_analytics.intake import count_log
from audit_analytics.settings import Settings
from audit_analytics.simulate import simulate_company

ZONE = "Asia/Shanghai"
FIRST = pd.Timestamp("2026-09-07", tz=ZONE)
"""A Monday."""

CHINA = find_days_off("CN", {2026}, holidays=(), working_days=())


def count_days(worked, *, apps=12, weekend=2, seed=0):
    """Return the hourly counts of apps that call 60 times on a worked day, and seldom on others."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"cli_{app}", FIRST + pd.Timedelta(days=day, hours=10), rng.poisson(60 if on else weekend))
        for app in range(apps)
        for day, on in enumerate(worked)
    ]
    table = pd.DataFrame(rows, columns=["app_id", "bucket_at", "calls_count"])
    table = table[table["calls_count"] > 0]
    at = table["bucket_at"].dt.tz_convert("UTC")
    return table.assign(bucket_at=at, ok_count=table["calls_count"])


def infer(by_api, week="2026-W41", history_weeks=4, **known):
    week = parse_week(week, zone=ZONE)
    return infer_days_off(by_api, DaysOff(**known), week, history_weeks=history_weeks)


def name_days(days):
    return [f"{day:%a %d %b}" for day in sorted(days)]


@pytest.fixture
def five_weeks():
    return [day % 7 < 5 for day in range(35)]


def test_an_ordinary_month_has_no_exception(five_weeks):
    assert infer(count_days(five_weeks)).inferred == frozenset()


def test_a_holiday_and_a_make_up_saturday_nobody_told(five_weeks):
    five_weeks[24], five_weeks[26] = False, True
    found = infer(count_days(five_weeks))
    assert name_days(found.holidays) == ["Thu 01 Oct"]
    assert name_days(found.working_days) == ["Sat 03 Oct"]
    assert found.inferred == found.holidays | found.working_days


def test_what_people_name_is_as_they_say(five_weeks):
    five_weeks[24] = False
    day = (FIRST + pd.Timedelta(days=24)).date()
    found = infer(count_days(five_weeks), working_days=frozenset({day}))
    assert (found.holidays, found.inferred) == (frozenset(), frozenset())


def test_a_week_from_sunday_to_thursday():
    found = infer(count_days([day % 7 not in (4, 5) for day in range(35)]))
    assert {f"{day:%a}" for day in found.holidays} == {"Fri"}
    assert {f"{day:%a}" for day in found.working_days} == {"Sun"}
    # of the last day, on which nobody calls in the last hour, nothing is said
    assert len(found.inferred) == 5 + 4


@pytest.mark.parametrize(("apps", "taken"), [(12, 8), (4, 4)])
def test_apps_that_were_taken_over_do_not_sway_the_calendar(five_weeks, apps, taken):
    """Neither two thirds of twelve, nor all of so few that nobody could tell them from the tenant."""
    calls = count_days(five_weeks, apps=apps)
    saturday = FIRST + pd.Timedelta(days=26, hours=10)
    night = [(f"cli_{app}", saturday.tz_convert("UTC"), 500) for app in range(taken)]
    extra = pd.DataFrame(night, columns=calls.columns[:3]).assign(ok_count=500)
    assert infer(pd.concat([calls, extra], ignore_index=True)).inferred == frozenset()


def test_ids_that_were_made_up_have_no_vote(five_weeks):
    """A hundred of them keep to the week for a month and are busy on the Saturday of an attack."""
    true = count_days(five_weeks)
    five_weeks[26] = True
    forged = count_days(five_weeks, apps=100, seed=1)
    forged = forged.assign(app_id=forged["app_id"] + "x", ok_count=0)
    assert infer(pd.concat([true, forged], ignore_index=True)).inferred == frozenset()


def test_a_day_on_which_everything_fails_was_worked(five_weeks):
    calls = count_days(five_weeks)
    down = calls["bucket_at"].dt.tz_convert(ZONE).dt.day == 30
    calls.loc[down, "ok_count"] = 1
    assert infer(calls).inferred == frozenset()


def test_a_day_that_is_cut_off_says_nothing(five_weeks):
    """The last Friday has no call yet, but for the first hour; on the next day it was a day off."""
    five_weeks[32] = False
    calls = count_days(five_weeks[:33])
    assert infer(calls).inferred == frozenset()
    late = calls.tail(1).assign(bucket_at=FIRST.tz_convert("UTC") + pd.Timedelta(days=32, hours=23))
    assert name_days(infer(pd.concat([calls, late])).holidays) == ["Fri 09 Oct"]


def test_a_year_ago_a_working_day_was_less():
    """Thirty weeks in which everybody calls a tenth more each week: no weekend was worked."""
    parts = [
        count_days([day % 7 < 5 for day in range(7)], seed=week).assign(
            bucket_at=lambda t, week=week: t["bucket_at"] - pd.Timedelta(weeks=week),
            calls_count=lambda t, week=week: (t["calls_count"] * 1.1 ** (30 - week)).astype(int),
            ok_count=lambda t, week=week: (t["ok_count"] * 1.1 ** (30 - week)).astype(int),
        )
        for week in range(30)
    ]
    assert infer(pd.concat(parts, ignore_index=True), week="2026-W37").inferred == frozenset()


def test_apps_that_never_rest_say_nothing(five_weeks):
    calls = count_days(five_weeks, weekend=60)
    assert infer(calls).inferred == frozenset()
    assert infer(calls.iloc[:0]).inferred == frozenset()


def test_a_company_that_keeps_national_day_is_told_of_it():
    company = simulate_company(
        seed=0,
        apps=20,
        weeks=6,
        attacks=[],
        end=pd.Timestamp("2026-10-11").date(),
        holidays=CHINA.holidays,
        working_days=CHINA.working_days,
    )
    events = aa.load(list(company.items()))
    found = infer(count_log(events, Settings()).calls.by_api, history_weeks=5)
    begin, end = (pd.Timestamp(day).date() for day in ("2026-09-01", "2026-10-10"))
    for kind in ("holidays", "working_days"):
        true = {day for day in getattr(CHINA, kind) if begin <= day <= end}
        assert getattr(found, kind) == true
    text = aa.analyze(events, week="2026-W41", detector=Flat(), rules=[]).data["calendar"]["text"]
    assert "2026-10-05, 2026-10-06, 2026-10-07" in text
    assert "busy as on a weekday: 2026-09-20, 2026-10-10" in text
