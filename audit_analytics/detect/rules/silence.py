"""Rule: find every-hour apps that stop calling while the log goes on.

The silence has to be twice as long as any of the app's history: a nightly maintenance is
none. Among hundreds of apps some fall silent like that every week; those are told only where
the weeks before hold at most one such silence each.

Examples
--------
>>> from audit_analytics import load
>>> hours = range(1792944000, 1794758400, 3600)
>>> log = [
...     {"id": f"{app}{at}", "event_time": at, "app_id": app, "api_key": "GET/x"}
...     for app in ("cli_a", "cli_b")
...     for at in hours
...     if app == "cli_b" or not 1794369600 <= at < 1794400000
... ]
>>> [(hit.entity, hit.facts["hours"]) for hit in find_silence(load(log))]
[('cli_a', 9)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import Field

from audit_analytics.cases import Hit
from audit_analytics.dates.buckets import HOURS_PER_DAY, find_runs
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._grid import MIN_HISTORY_DAYS
from audit_analytics.detect._guidance import ASK_OWNER
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import say_calls, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from audit_analytics.detect._grid import Grid
    from audit_analytics.detect._rule_input import RuleInput

MOST_A_WEEK: Final = 1.0
"""Silences at least as long for their app that a week of the history may hold."""

BUSY: Final = 0.95
"""Share of the hours with a call that makes an every-hour app."""

MIN_HOURS: Final = MIN_HISTORY_DAYS * HOURS_PER_DAY
"""Hours beside the silence that an app without a past week needs."""


class SilenceThresholds(Thresholds):
    """Thresholds of this rule."""

    silence_hours: int = Field(4, ge=1, description="hours of silence of an every-hour app")


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} made no call for {hours}, {when}; {calls} would be usual.",
        entity=who,
        hours=ngettext("{n} hour", "{n} hours", hit.facts["hours"]),
        when=say_when(hit, zone),
        calls=say_calls(hit.expected or 0),
    )


@rule(
    name="rule:silence",
    title=mark("App fell silent"),
    kind="silence",
    severity="medium",
    sentence=_say,
    techniques=("T1489",),
    benign=(mark("a planned shutdown"), mark("a failed release"), mark("an expired secret")),
    steps=(mark("Check whether the service still runs."), ASK_OWNER),
    thresholds=SilenceThresholds,
)
def find_silence(data: RuleInput) -> Iterator[Hit]:
    """Find every-hour apps that stop calling while the log goes on."""
    grid, calls = data.panel.grid, data.panel.counts["calls"]
    history, week = data.panel.weights(0) > 0, np.flatnonzero(grid.week == 0)
    # hours after the log's last are not silence, but not logged yet
    logged = np.flatnonzero(calls.sum(axis=0) > 0)
    week = week[week <= logged[-1]] if len(logged) else week[:0]
    shortest = data.thresholds(SilenceThresholds).silence_hours
    assessed = data.panel.assessed(0)
    # who has no past week is compared with all of its hours but the silence itself
    known = ~grid.gap & (np.arange(len(grid.gap)) >= data.panel.first_hour[:, None])
    known[:, week.max(initial=-1) + 1 :] = False
    history = np.where(assessed[:, None], history, known)
    busy = ((calls > 0) & history).sum(axis=1)
    apps = np.flatnonzero(
        busy >= BUSY * np.where(assessed, np.maximum(history.sum(axis=1), 1), MIN_HOURS)
    )
    found: list[tuple[float, Hit]] = []
    every_hour: list[int] = []
    for app in apps.tolist():
        silent = week[(calls[app, week] == 0) & ~grid.gap[week]]
        start, length = _longest_run(silent)
        if not assessed[app]:
            history[app, start : start + length] = False
            hours = history[app].sum()
            if hours < MIN_HOURS or busy[app] < BUSY * hours:
                continue
        every_hour.append(app)
        past = calls[app, history[app]]
        longest = _longest_run(np.flatnonzero(past == 0))[1]
        excess = _exceed(length, longest, shortest)
        if excess >= 1:
            app_id = str(data.panel.apps[app])
            hit = Hit(
                entity_type="app",
                entity=app_id,
                start_at=grid.hours[start],
                end_at=grid.ends[start + length - 1],
                observed=0.0,
                expected=float(past.mean() * length),
                unit=mark("calls in the silence"),
                facts={"hours": length, "longest_before": longest},
                where={"app_id": (app_id,)},
            )
            found.append((excess, hit))
    # apps that fell silent in the same hour did so for one cause
    usual: dict[int, float] = {}
    for app in every_hour if found else ():
        for since, excess in _list_earlier(grid, history[app] & (calls[app] == 0), shortest):
            usual[since] = max(excess, usual.get(since, 0.0))
    for excess, hit in found:
        if data.is_seldom(sum(earlier >= excess for earlier in usual.values()), MOST_A_WEEK):
            yield hit


def _exceed(length: int, longest: int, shortest: int) -> float:
    """Return how many times as long as it must be to be told a silence is."""
    return length / max(shortest, 2 * longest)


def _list_earlier(
    grid: Grid, silent: NDArray[np.bool_], shortest: int
) -> Iterator[tuple[int, float]]:
    """List what the rule would have found of an app in each week of its history."""
    runs = {week: _longest_run(np.flatnonzero(silent & (grid.week == week))) for week in grid.weeks}
    for week, (start, length) in runs.items():
        longest = max((run[1] for other, run in runs.items() if other != week), default=0)
        excess = _exceed(length, longest, shortest)
        if excess >= 1:
            yield start, excess


def _longest_run(hours: NDArray[np.intp]) -> tuple[int, int]:
    return max(find_runs(hours), key=lambda run: run[1], default=(0, 0))
