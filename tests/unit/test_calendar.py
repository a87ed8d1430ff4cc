"""The country's days off, its make-up days, and what people name against it."""

from __future__ import annotations

import sys
from datetime import date

import pytest

from audit_analytics.dates.calendar import find_days_off
from audit_analytics.errors import ConfigError
from audit_analytics.settings import Settings

NATIONAL_DAY, MAKE_UP = date(2026, 10, 1), date(2026, 10, 10)


@pytest.fixture
def china():
    pytest.importorskip("holidays")
    return Settings(calendar="CN").find_days_off({2026})


def test_china_has_days_off_and_makes_some_up(china):
    assert {date(2026, 10, day) for day in (1, 2, 5, 6, 7)} <= china.holidays
    assert date(2026, 2, 14) in china.working_days
    assert MAKE_UP in china.working_days
    assert {day.year for day in china.holidays | china.working_days} == {2026}
    assert all(day.weekday() < 5 for day in china.holidays)
    assert all(day.weekday() >= 5 for day in china.working_days)


def test_what_people_name_wins(china):
    named = Settings(calendar="CN", holidays=[MAKE_UP], working_days=[NATIONAL_DAY])
    days = named.find_days_off({2026})
    assert NATIONAL_DAY in days.working_days - days.holidays
    assert MAKE_UP in days.holidays - days.working_days
    assert days.holidays - {MAKE_UP} == china.holidays - {NATIONAL_DAY}


def test_a_year_that_is_not_published_is_said_and_no_other():
    pytest.importorskip("holidays")
    found = find_days_off("CN", {2026, 2097, 2098}, holidays=(), working_days=())
    assert 2026 not in found.unpublished
    assert find_days_off("DE", {2026, 2027}, holidays=(), working_days=()).unpublished == ()
    import holidays as package  # noqa: PLC0415 - an extra

    known = max(
        d.year for d in package.country_holidays("CN", years=range(2020, 2060)).weekend_workdays
    )
    later = find_days_off("CN", {known, known + 1}, holidays=(), working_days=())
    assert later.unpublished == (known + 1,)


def test_an_unknown_country_is_refused():
    pytest.importorskip("holidays")
    with pytest.raises(ConfigError, match="give the code of a country"):
        Settings(calendar="Cathay")


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(ConfigError, match=r"audit-analytics\[calendar\]"):
        Settings(calendar="CN")
    assert Settings(holidays=[NATIONAL_DAY]).find_days_off({2026}).holidays == {NATIONAL_DAY}
