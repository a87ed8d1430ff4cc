"""A country's days off and the weekend days it works instead, by the package ``holidays``."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Final

from audit_analytics.errors import ConfigError

YEARS_COMPARED: Final = 3
"""A country that made up days in one of as many years before makes them up every year."""

_WEEKEND: Final = 5


@dataclass(frozen=True, kw_only=True)
class DaysOff:
    """Exceptions from the working week.

    Parameters
    ----------
    holidays, working_days : frozenset of datetime.date, default empty
        Weekdays that are days off, and weekend days that are worked.
    unpublished : tuple of int, default ()
        Years whose make-up days the calendar does not know yet.
    inferred : frozenset of datetime.date, default empty
        Those of both that no calendar knows: the tenant's apps were as on the other kind of day.
    """

    holidays: frozenset[date] = frozenset()
    working_days: frozenset[date] = frozenset()
    unpublished: tuple[int, ...] = ()
    inferred: frozenset[date] = frozenset()


def check_country(country: str) -> None:
    """Refuse what is no country of the calendar, or any if its package is missing, by a ConfigError.

    Parameters
    ----------
    country : str
        ISO 3166 code, such as ``CN``.
    """
    _load(country, ())


def find_days_off(
    country: str,
    years: Collection[int],
    *,
    holidays: Collection[date],
    working_days: Collection[date],
) -> DaysOff:
    """Find the exceptions from the working week; those that people name win.

    Parameters
    ----------
    country : str
        ISO 3166 code, refused as by :func:`check_country`; empty for the named days alone.
    years : collection of int
        The years asked about.
    holidays, working_days : collection of datetime.date
        What people name.

    Returns
    -------
    DaysOff
        Days of those years, and all that people name.
    """
    off: set[date] = set()
    worked: set[date] = set()
    unpublished = []
    if country:
        earlier = {year - back for year in years for back in range(YEARS_COMPARED + 1)}
        found = _load(country, earlier | set(years))
        made_up = {day for day in found.weekend_workdays if day.year in earlier}
        off = {day for day in found if day.year in years and day.weekday() < _WEEKEND}
        worked = {day for day in made_up if day.year in years}
        busy = {day.year for day in made_up}
        unpublished = [
            year
            for year in sorted(years)
            if year not in busy and busy & set(range(year - YEARS_COMPARED, year))
        ]
    return DaysOff(
        holidays=frozenset(off - set(working_days) | set(holidays)),
        working_days=frozenset(worked - set(holidays) | set(working_days)),
        unpublished=tuple(unpublished),
    )


def _load(country: str, years: Collection[int]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - an extra
    try:
        import holidays  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "calendar needs a package that is not installed: run "
            "pip install 'audit-analytics[calendar]', or name holidays and working_days"
        ) from None
    try:
        return holidays.country_holidays(country, years=years)
    except NotImplementedError:
        raise ConfigError(
            f"calendar: cannot be {country!r}; give the code of a country, such as CN or DE"
        ) from None
