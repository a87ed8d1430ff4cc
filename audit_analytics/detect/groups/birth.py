"""Surprise group BIRTH: an app without a past of its own, beside what the other apps do.

:mod:`audit_analytics.detect._newborn` judges it, :mod:`audit_analytics.detect._first_days` says by
which numbers. One of them is told: the most telling of those that are clear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect._calibrate import CLEAR_P
from audit_analytics.detect._first_days import METRICS
from audit_analytics.detect._group import BirthGroup
from audit_analytics.detect._guidance import ASK_OWNER
from audit_analytics.detect._reasons import MAX_P, MIN_PART, order_equals
from audit_analytics.language import _, mark, ngettext, say_number
from audit_analytics.language.wording import format_start, say_calls, say_expected, say_when

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit_analytics.detect._detector import Kind
    from audit_analytics.detect._engine import Detection
    from audit_analytics.detect._newborn import Newborns

ERRORS: Final = ("errors_hour", "errors_day")
DISTINCT: Final = ("failed_apis", "own_apis", "apis")
"""Numbers that do not count calls."""


class _Told(NamedTuple):
    """How a number is told: kind of finding, unit, and which rows are its evidence."""

    kind: Kind
    unit: str
    where: Mapping[str, tuple[str, ...]]
    metric: str


FAILING: Final = {"outcome": schema.ERROR_OUTCOMES}
SENSITIVE: Final = {"severity": schema.SENSITIVE}
TOLD: Final = {
    "failed_apis": _Told(
        "error_burst", mark("distinct APIs failing in these hours"), FAILING, "calls"
    ),
    "errors_hour": _Told("error_burst", mark("errors in an hour"), FAILING, "calls"),
    "errors_day": _Told("error_burst", mark("errors in these hours"), FAILING, "calls"),
    "sensitive_quiet": _Told(
        "sensitive_api",
        mark("calls of sensitive APIs when few apps call"),
        SENSITIVE,
        "sensitive",
    ),
    "sensitive": _Told(
        "sensitive_api", mark("calls of sensitive APIs in these hours"), SENSITIVE, "sensitive"
    ),
    "alone": _Told(
        "unusual_ip", mark("calls in these hours from networks of no other app"), {}, "calls"
    ),
    "own_apis": _Told(
        "new_api", mark("distinct APIs in these hours that no other app uses"), {}, "calls"
    ),
    "apis": _Told("new_api", mark("distinct APIs in these hours"), {}, "calls"),
    "token": _Told(
        "volume", mark("token requests in an hour"), {"category": ("token_issuance",)}, "token"
    ),
    "objects": _Told("volume", mark("distinct objects in an hour"), {}, "objects"),
    "calls_hour": _Told("volume", mark("calls in an hour"), {}, "calls"),
    "calls_day": _Told("volume", mark("calls in these hours"), {}, "calls"),
}
"""The numbers, the more telling first."""


def _explain(detection: Detection, app: int) -> Hit:
    found, grid = detection.newborns, detection.panel.grid
    app_id = str(detection.panel.apps[app])
    name = _choose_number(found, app)
    if found.this_week[app] and found.weeks_past and found.p[name][app].min() > MAX_P:
        return _tell_birth(detection, app)
    told, day = TOLD[name], int(found.p[name][app].argmin())
    first, hours = int(found.start[name][app, day]), int(found.hours[name][app, day])
    return Hit(
        detector="BIRTH",
        kind=told.kind,
        entity_type="app",
        entity=app_id,
        start_at=grid.hours[first],
        end_at=grid.hours[first] + pd.Timedelta(hours=hours),
        observed=float(found.observed[name][app, day]),
        expected=float(found.expected[name][app, day]),
        low=float(found.low[name][app, day]),
        high=float(found.high[name][app, day]),
        unit=told.unit,
        p=min(float(found.p[number][app].min()) for number in TOLD),
        facts={
            "number": name,
            "hours": hours,
            "metric": told.metric,
            "born": bool(found.born[app]),
            "parted": found.parted,
        },
        where={"app_id": (app_id,), **told.where},
    )


def _tell_birth(detection: Detection, app: int) -> Hit:
    """Tell that an app is new, where that is all there is to tell."""
    found, grid = detection.newborns, detection.panel.grid
    days = grid.days(0)
    first = int(detection.panel.first_hour[app])
    return Hit(
        detector="BIRTH",
        kind="new_api",
        entity_type="app",
        entity=str(detection.panel.apps[app]),
        start_at=grid.hours[first],
        end_at=grid.ends[grid.first_hour[days[-1]] + grid.day_hours[days[-1]] - 1],
        observed=float(found.observed["calls_day"][app].sum()),
        expected=0.0,
        unit=mark("calls since its first one"),
        p=found.rate,
        facts={"number": "", "births": found.births_past, "weeks": found.weeks_past},
        where={"app_id": (str(detection.panel.apps[app]),)},
    )


def _choose_number(found: Newborns, app: int) -> str:
    """Choose the number that says what went on: of the least probable ones the most telling.

    A number of some of the calls says nothing where most of the unusual calls are others, and
    APIs that fail say nothing without unusually many failures. It is a key of :data:`TOLD`.
    """
    least = {name: float(found.p[name][app].min()) for name in TOLD}
    clear = {name: p for name, p in least.items() if p <= CLEAR_P}
    counts = {name: float(found.observed[name][app, found.p[name][app].argmin()]) for name in clear}
    failing = not clear.keys().isdisjoint(ERRORS)
    telling = {
        name: p
        for name, p in clear.items()
        if (failing or name != "failed_apis")
        and (name in DISTINCT or counts[name] >= MIN_PART * counts.get(_whole(name), 0.0))
    }
    if not telling:
        return min(least, key=lambda name: least[name])
    return order_equals(telling, lambda name, _: list(TOLD).index(name))[0]


def _whole(name: str) -> str:
    """Return what a number is a part of."""
    return "calls_hour" if METRICS[name].hourly else "calls_day"


def _say(hit: Hit, who: str, zone: str) -> str:
    if not hit.facts["number"]:
        return _(
            "{entity} is new here: its first call was made {when}, {calls} followed by the end of the week; {births} in the {weeks} weeks before.",
            entity=who,
            when=format_start(hit.start_at, zone),
            calls=say_calls(hit.observed - 1),
            births=ngettext("{n} new app came", "{n} new apps came", int(hit.facts["births"])),
            weeks=say_number(int(hit.facts["weeks"])),
        )
    what = _say_what(str(hit.facts["number"]), hit.observed)
    when = say_when(hit, zone)
    if hit.facts["born"]:
        return _(
            "A new app's first days: {entity} {what} {when}; new apps here come to {low} to {high}.",
            entity=who,
            what=what,
            when=when,
            low=say_number(round(hit.low or 0.0)),
            high=say_number(round(hit.high or 0.0)),
        )
    values = {"entity": who, "what": what, "when": when, "expected": say_expected(hit)}
    if hit.facts["parted"]:
        return _(
            "{entity} {what} {when}; by its other hours and the other apps {expected}.", **values
        )
    return _("{entity} {what} {when}; by its few days and the other apps {expected}.", **values)


def _say_what(name: str, count: float) -> str:
    return {
        "failed_apis": ngettext("failed at {n} API", "failed at {n} distinct APIs", count),
        "errors_hour": ngettext("met {n} error", "met {n} errors", count),
        "errors_day": ngettext("met {n} error", "met {n} errors", count),
        "sensitive_quiet": ngettext(
            "called a sensitive API {n} time, at hours when few apps call,",
            "called sensitive APIs {n} times, at hours when few apps call,",
            count,
        ),
        "sensitive": ngettext(
            "called a sensitive API {n} time", "called sensitive APIs {n} times", count
        ),
        "alone": ngettext(
            "called {n} time from a network that no other app had called from",
            "called {n} times from networks that no other app had called from",
            count,
        ),
        "own_apis": ngettext(
            "used {n} API that no other app had used",
            "used {n} distinct APIs that no other app had used",
            count,
        ),
        "apis": ngettext("used {n} API", "used {n} distinct APIs", count),
        "token": ngettext("asked {n} time for a token", "asked {n} times for a token", count),
        "objects": ngettext("touched {n} object", "touched {n} distinct objects", count),
    }.get(name, ngettext("made {n} call", "made {n} calls", count))


BIRTH = BirthGroup(
    name="BIRTH",
    title=mark("Unusual first days in the log"),
    kind="volume",
    method=mark(
        "apps without a past of their own, against the days of the other apps, the first days of earlier new apps and what they did so far (random effects)"
    ),
    sentence=_say,
    techniques=("T1078.004",),
    benign=(
        mark("the first import of a new app"),
        mark("an app that moved here under a new id"),
        mark("a developer trying out a new app"),
    ),
    steps=(
        mark("Find out who created the app, and who approved its scopes."),
        mark("Compare what it calls with what it was requested for."),
        ASK_OWNER,
    ),
    explained=_explain,
)
