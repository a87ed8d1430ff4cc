"""A log too short to leave a week out of its own baseline leaves a day out.

An ordinary run scores each past week against the other weeks and rates the report week by what
came out. Two weeks of log have one past week at most, and it has nothing to be compared with. Days
they have: each is scored against all others by the same groups, those of the report week as well,
and rated by the scores of the other days of all apps. So every number keeps its meaning, with the
wide priors that few days leave, and E keeps its: the number of app-days this extreme an ordinary
week brings.

- A day teaches nothing about itself, neither baseline nor calibration (leave one out).
- What adds up over several days is compared with the days outside of them all. A growth over the
  whole of a short log cannot be told from a habit.
- An app with fewer than three other days with calls has no baseline in any sense; it is judged by
  :mod:`audit_analytics.detect._newborn` alone, if at all.
- In a log of two days everything is new; from then on the age of the log is reckoned with, see
  :mod:`audit_analytics.detect._novelty`.
- With four days before the report week, they alone are what the others are rated by: attacks of
  the report week would pass for the way of the tenant. With less, the days that are judged are
  among those they are judged by. What stands far out of all the rest is left out and the rest rated
  once more.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.detect._beside import is_parted
from audit_analytics.detect._calibrate import MIN_REFERENCE, Calibrator, rate_groups
from audit_analytics.detect._group import MAX_DAY_HOURS, CountGroup
from audit_analytics.detect._panel import by_day
from audit_analytics.detect._rows import Rows
from audit_analytics.detect._scores import AppDays, count_windows, judge_nothing, score_apps
from audit_analytics.detect._spans import SPANS
from audit_analytics.detect._surprise import Surprise
from audit_analytics.detect._windows import Rated, choose_windows, rate_windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from audit_analytics.detect._group import AppGroup
    from audit_analytics.detect._novelty import Novelty
    from audit_analytics.detect._panel import Panel

WHOLE_DAYS: Final = 14
"""With so many days before the report week, weeks are left out: two can be compared."""

OTHER_DAYS: Final = 3
"""Days with calls an app needs beside the one that is judged."""

KNOWN_DAYS: Final = 2
"""Days after which a pair may be called new."""

FAR_OUT: Final = 0.5
ROUNDS: Final = 3
"""Days of which so few are expected in the whole log are far out; how often they are looked for."""

ENOUGH_DAYS: Final = 4
"""Days before the report week that can speak alone of how days are: three find fewer attacks than
the days of the week itself, four find more."""

FEW_TAIL: Final = 5
"""Exceedances a tail is fitted to: in the few days of a small tenant there are no ten, and without a
tail every attack is as rare as the one app in thirty that was most unusual before."""


def is_short(panel: Panel) -> bool:
    """Return whether fewer than fourteen days of a log lie before the report week."""
    grid = panel.grid
    logged = ~grid.unlogged
    return int(logged[: grid.days(0)[0]].sum()) < WHOLE_DAYS


def judge_days_out(
    panel: Panel,
    groups: list[AppGroup],
    networks: Novelty,
    apis: Novelty,
    *,
    since: pd.Timestamp | None = None,
) -> AppDays:
    """Judge each day of the report week by all other days of the log.

    Nothing is tested without sixty app-days to be calibrated on. `networks` and `apis` are new
    pairs in a log of this age; what lies after `since` is judged by itself.
    """
    grid = panel.grid
    active = by_day(panel.counts["calls"], grid.day) > 0
    comparable = active & (active.sum(axis=1)[:, None] - active >= OTHER_DAYS)
    if is_parted(panel) or comparable[:, ~grid.unlogged].sum() < MIN_REFERENCE:
        return judge_nothing(len(panel.apps), len(grid.days(0)), groups)
    week = grid.days(0)
    scored, current, windows = {}, [], []
    for day in np.flatnonzero(
        ~grid.unlogged | np.isin(np.arange(len(grid.day_hours)), week)
    ).tolist():
        score = partial(_score_day, panel, groups, networks, apis, day, judged=comparable[:, day])
        scored[_number(day)], seen = score()
        if day in week:
            scores, seen = (scored[_number(day)], seen) if since is None else score(since=since)
            current.append(scores)
            windows.append(seen)
    scored[0] = np.concatenate(current, axis=1)
    joined = {
        name: [_join([day[name][n] for day in windows]) for n in range(len(windows[0][name]))]
        for name in windows[0]
    }
    rated = rate_windows(
        scored,
        count_windows(groups, joined),
        weighed=joined.keys(),
        own_weeks=[_number(day) for day in week],
    )
    return _calibrate(rated, joined, [group.name for group in groups], week)


def _score_day(
    panel: Panel,
    groups: list[AppGroup],
    networks: Novelty,
    apis: Novelty,
    day: int,
    *,
    judged: NDArray[np.bool_],
    since: pd.Timestamp | None = None,
) -> tuple[NDArray[np.float64], dict[str, list[Surprise]]]:
    """Score a day by all others, and what adds up over days by those outside of them."""

    def leave_out(
        first: int, groups: Sequence[AppGroup]
    ) -> tuple[NDArray[np.float64], dict[str, list[Surprise]]]:
        number = panel.grid.day
        out = (number >= first) & (number <= day)
        fold = replace(panel, grid=replace(panel.grid, week=np.where(out, 0, -1)))
        scores, seen = score_apps(fold, groups, networks, apis, 0, judged=judged, since=since)
        last = {name: [_cut(window) for window in found] for name, found in seen.items()}
        return np.where(judged[:, None, None], scores[:, -1:], np.nan), last

    scores, windows = leave_out(day, groups)
    first = max(day - max(SPANS) + 1, int(np.flatnonzero(~panel.grid.unlogged)[0]))
    if (~panel.grid.unlogged).sum() - (day - first + 1) < OTHER_DAYS:
        return scores, windows
    adding = [g for g in groups if isinstance(g, CountGroup) and max(g.units) > MAX_DAY_HOURS]
    over_days, spans = leave_out(first, adding)
    column = dict(zip(windows, _list_columns(groups, windows), strict=True))
    for name, columns in zip(spans, _list_columns(adding, spans), strict=True):
        for number, over in enumerate(columns):
            if spans[name][number].hours.max() > MAX_DAY_HOURS:
                windows[name][number] = spans[name][number]
                scores[:, :, column[name][number]] = over_days[:, :, over]
    return scores, windows


def _list_columns(
    groups: Sequence[AppGroup], windows: Mapping[str, Sequence[Surprise]]
) -> list[range]:
    """Return the columns of each group that has windows."""
    widths = count_windows(groups, windows)
    ends = np.cumsum([*widths.values()]).tolist()
    return [
        range(end - width, end)
        for (name, width), end in zip(widths.items(), ends, strict=True)
        if name in windows
    ]


def _cut(window: Surprise) -> Surprise:
    """Keep the last day of a window."""
    return Surprise.join([window], lambda values: values[:, -1:])


def _number(day: int) -> int:
    """Return the number of a day among the past weeks."""
    return -1 - int(day)


def _join(days: list[Surprise]) -> Surprise:
    return Surprise.join(days, lambda *arrays: np.concatenate(arrays, axis=1))


def _calibrate(
    rated: Rated, windows: dict[str, list[Surprise]], names: list[str], week: list[int]
) -> AppDays:
    """Rate the days, leave out what stands far out, and rate them again by the rest."""
    shape = rated.current.shape[:2]
    tested = np.asarray(~np.isnan(rated.current).all(axis=2))
    kept = ~np.isin(rated.rows.week, [_number(day) for day in week])
    days_before = len(np.unique(rated.rows.week[kept]))
    before = days_before >= ENOUGH_DAYS and kept.sum() >= MIN_REFERENCE
    kept |= not before
    rate = partial(_rate_days, rated.past, rated.rows.week)
    for _ in range(ROUNDS):
        past_score = _score_least(rate(rated.past, rated.rows.week, kept))
        kept &= Calibrator(past_score[kept]).extrapolate(past_score) * len(kept) >= FAR_OUT
    rows = rated.current[tested]
    days = np.broadcast_to([_number(day) for day in week], shape)[tested]
    p = np.ones((*shape, len(names)))
    p[tested] = rate(rows, days, kept)
    past_score = _score_least(rate(rated.past, rated.rows.week, kept))[kept]
    score = np.where(tested, _score_least(p), -np.inf)
    calibrator = Calibrator(past_score, least_tail=FEW_TAIL)
    day = calibrator.rate(score.ravel()).reshape(shape)
    found = {name: p[:, :, g] for g, name in enumerate(names)}
    found |= {"a": day, "b": np.ones(shape)}
    shown = {name: np.maximum(values, calibrator.floor) for name, values in found.items()}
    if before:
        # a case is an app's worst day, and what was before as good as a week, or a part of one, of
        # each app
        one = Rows(rated.rows.entity[kept], np.zeros(len(past_score), dtype=np.intp))
        worst = Calibrator.of_weeks(past_score, one, least_tail=FEW_TAIL)
        parts = max(len(week) / days_before, 1.0)
        found["joint"] = np.minimum(worst.rate(score.ravel()).reshape(shape) * parts, 1.0)
        shown["joint"] = np.maximum(found["joint"], worst.floor * parts)
    else:
        chances = np.maximum(tested.sum(axis=1, keepdims=True), 1)
        found["joint"] = np.minimum(day * chances, 1.0)
        shown["joint"] = np.maximum(found["joint"], calibrator.floor * chances)
    return AppDays(
        surprises=choose_windows(windows, rated.z),
        p=shown,
        far={name: -np.log10(values) for name, values in found.items()},
        resolution={},
        attribution=np.zeros(rated.current.shape),
        common=rated.common,
        tested=tested,
        past_tested=[],
    )


def _score_least(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far out the least of the groups' p-values is."""
    return np.asarray(-np.log10(p.min(axis=-1, initial=1.0)))


def _rate_days(
    past: NDArray[np.float64],
    past_day: NDArray[np.intp],
    rows: NDArray[np.float64],
    day: NDArray[np.intp],
    kept: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return p-values by group of each row among the days of others that are kept."""
    p = np.ones(rows.shape)
    for one in np.unique(day):
        p[day == one] = rate_groups(past[kept & (past_day != one)], rows[day == one])
    return p
