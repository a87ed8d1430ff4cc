"""How unusual the first days of an app are: who has no past is judged by what the others did.

An app younger than a week cannot be compared with its own weeks. What can be said of it:

- Every day of it is described by a few numbers, see :mod:`audit_analytics.detect._first_days`,
  each as log(1 + count).
- What the tenant and the app's days so far let expect of it, and how far from that a day is, says
  :mod:`audit_analytics.detect._random_effects`. So a first day is compared with the tenant, widely,
  and each further one more with the app itself.
- The score, -log10 of the upper tail of what is expected, is calibrated like those of
  every other group. As births are few, every app of every past week stands in for one: it is
  judged as if it had been born that Monday. The births that there really were correct that:
  p = (#{as unusual among them} + 30 p) / (#{births} + 30). Where new apps begin with a bulk
  import, a bulk import is no news. A log that is too young for births takes p^0.75.

- Being born is an event itself. Where apps are seldom born, whoever takes a leaked key to the API
  under a new id stands out before it does anything: E counts the births that a week lets expect,
  see :attr:`Newborns.units`, and not those there were.

A log too short for anybody to be compared with an own past is judged in this way as a whole. Where
it is of a few days, or knows too few earlier ones to calibrate on, the apps are calibrated on each
other, see :mod:`audit_analytics.detect._beside`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.detect._beside import LEAST_APPS, is_parted, judge_beside
from audit_analytics.detect._calibrate import (
    MIN_REFERENCE,
    Calibrator,
    rate_groups,
    rate_weeks,
)
from audit_analytics.detect._first_days import METRICS, describe_days
from audit_analytics.detect._grid import MIN_HISTORY_DAYS
from audit_analytics.detect._panel import by_day
from audit_analytics.detect._random_effects import fit_spreads, predict, score
from audit_analytics.detect._rows import stack_weeks

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from audit_analytics.detect._panel import Panel
    from audit_analytics.detect._rows import Rows

STAND_INS: Final = 30.0
"""What the stand-ins count for beside real births."""

UNBORN: Final = 0.75
"""p of the stand-ins is raised to this power where no birth could be seen: those of a log's first
days know less than it says (logs of ten days, six seeds: of cases with E below 5 such apps had 2.5
a week, their share of the budget lets expect 0.8; so 1.3)."""

MOST_HOURS: Final = 6
"""A birth later in the day makes a first day that says little of the second one."""

SURGE_SDS: Final = 3.0
"""So many standard deviations above what is usual, and one birth, chance brings."""

INTERVAL_SDS: Final = 1.96

ORDINARY: Final = 0.3
"""A day this probable is none to be told of an app that was here before."""


@dataclass(frozen=True)
class Newborns:
    """How unusual the days of the apps without a past of their own were."""

    tested: NDArray[np.bool_]  # which days of the report week were judged; (n_apps, n_days)
    # calibrated p-value of each metric: how rare such a day is; and ``joint``: how rare a first
    # week is that holds such a day; (n_apps, n_days)
    p: dict[str, NDArray[np.float64]]
    # of each metric: the count, its median prediction and the interval 95 % of such days lie in;
    # (n_apps, n_days)
    observed: dict[str, NDArray[np.float64]]
    expected: dict[str, NDArray[np.float64]]
    low: dict[str, NDArray[np.float64]]
    high: dict[str, NDArray[np.float64]]
    # of each metric: the first of the hours it counts, as a position in the grid, and how many
    # these are; (n_apps, n_days)
    start: dict[str, NDArray[np.intp]]
    hours: dict[str, NDArray[np.intp]]
    parted: bool  # whether parts of the log's days stand for them
    # -log10 of what the fitted tail says, beyond the floor of the calibration: orders equals;
    # (n_apps, n_days)
    far: NDArray[np.float64]
    # apps that were born while the log ran; in a log that is young itself nobody is new; (n_apps,)
    born: NDArray[np.bool_]
    this_week: NDArray[np.bool_]  # those of them that were born in the report week; (n_apps,)
    # how many were born in the weeks before, and how many weeks can speak of births
    births_past: int
    weeks_past: int
    apps_count: int  # apps with a call in the report week

    @property
    def units(self) -> float:
        """Return how many apps without a past of their own a week lets expect.

        Where no past week can speak of births, as many as there are. Otherwise those in their
        second week, and as many births as a week lets expect: those of the past weeks and, as a
        rate may rise, of this one, a week; one birth in one week more stands for the doubt that few
        weeks leave. Where more were born than chance brings, the geometric mean of both: a new pace
        has begun, or somebody makes up ids to hide among.
        """
        tested = self.tested.any(axis=1)
        if not self.weeks_past or not tested.any():
            return float(tested.sum())
        born = float(self.this_week.sum())
        usual = (self.births_past + born + 1.0) / (self.weeks_past + 2.0)
        if born > usual + SURGE_SDS * np.sqrt(usual) + 1.0:
            usual = float(np.sqrt(usual * born))
        return usual + float((tested & ~self.this_week).sum())

    @property
    def rate(self) -> float:
        """Return how rare it is among the apps of a week to be in its first one.

        Per app; 1 where no past week can speak of births.
        """
        return self.units / max(self.apps_count, 1) if self.weeks_past else 1.0

    @property
    def chances(self) -> float:
        """Return among how many apps a day as rare as its p-value times `rate` may be found.

        It is `units` / `rate`.
        """
        return float(self.apps_count) if self.weeks_past else self.units

    def list_cases(self) -> NDArray[np.bool_]:
        """Return which days can make a case.

        All of those who were born in this week, which is a case by itself where hardly anybody is,
        and all where nobody has a past; of the others those that are unusual.
        """
        counted = self.this_week[:, None] | (self.weeks_past == 0)
        return np.asarray(self.tested & (counted | (self.p["joint"] < ORDINARY)))

    def limit(self, kept: NDArray[np.bool_]) -> Newborns:
        """Forget all days of the report week but those kept."""
        p = {name: np.where(kept, values, 1.0) for name, values in self.p.items()}
        far = np.where(kept, self.far, 0.0)
        return replace(self, tested=self.tested & kept, p=p, far=far)


def judge_newborns(panel: Panel, by_ip: pd.DataFrame, judged: NDArray[np.bool_]) -> Newborns:
    """Judge the days of the apps that are not `judged` by their own past.

    `by_ip` is over the whole log. Without sixty past days to calibrate on the p-values are those of
    :func:`audit_analytics.detect._beside.rate_beside`.
    """
    grid, found = panel.grid, describe_days(panel, by_ip)
    first_day = np.array(grid.days(0))[0]
    first_hour = panel.first_inside
    born = grid.day[first_hour]
    # the rest of a day is no example of what the next one, a whole one, will be
    begin = born + (first_hour - grid.first_hour[born] > MOST_HOURS)
    taught = found.active & (by_day(panel.weights(0), grid.day) > 0)
    spreads = fit_spreads(found, taught)
    past = {}
    for week in grid.weeks:
        monday = np.full(len(panel.apps), grid.days(week)[0])
        expected = predict(found, spreads, taught, np.maximum(monday, begin))
        past[week] = score(found, expected, taught)[:, grid.days(week)]
    reference, rows = stack_weeks(past, len(METRICS))
    log_began = born.min(initial=first_day)
    old = (born - log_began >= MIN_HISTORY_DAYS)[:, None]
    weeks_past = len([w for w in grid.weeks if grid.days(w)[0] - log_began >= MIN_HISTORY_DAYS])
    days = np.arange(len(grid.day_hours))
    parted = is_parted(panel) or len(reference) < MIN_REFERENCE
    if not parted:
        real = taught & old & (days < first_day) & (days < born[:, None] + MIN_HISTORY_DAYS)
        predicted = predict(found, spreads, found.active, begin)
        now = score(found, predicted, found.active)
        cells, joint, far = _rate_by_past(reference, rows, now, real)
        joint = joint if weeks_past else joint**UNBORN
    else:
        found, predicted, cells, far = judge_beside(panel, by_ip)
        joint = cells.min(axis=2)

    week = days >= first_day
    called = found.active[:, week].any(axis=1)
    enough = not parted or int(found.active.any(axis=1).sum()) >= LEAST_APPS
    tested = (found.active & ~judged[:, None])[:, week] & enough
    named = {name: cells[:, :, g] for g, name in enumerate(METRICS)} | {"joint": joint}

    def show(deviations: float) -> dict[str, NDArray[np.float64]]:
        return {
            name: np.expm1(np.maximum(mean + deviations * sd, 0.0))[:, week]
            for name, (mean, sd) in predicted.items()
        }

    return Newborns(
        tested=tested,
        p={name: np.where(tested, values[:, week], 1.0) for name, values in named.items()},
        observed={name: counts[:, week] for name, counts in found.observed.items()},
        expected=show(0.0),
        low=show(-INTERVAL_SDS),
        high=show(INTERVAL_SDS),
        start={name: first[:, week] for name, first in found.start.items()},
        hours={name: hours[:, week] for name, hours in found.hours.items()},
        parted=parted,
        far=np.where(tested, far[:, week], 0.0),
        born=old[:, 0],
        this_week=old[:, 0] & (born >= first_day) & called,
        births_past=int((old[:, 0] & (born < first_day)).sum()),
        weeks_past=weeks_past,
        apps_count=int(called.sum()),
    )


def _rate_by_past(
    reference: NDArray[np.float64],
    rows: Rows,
    now: NDArray[np.float64],
    real: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return p of each number and of each day by the past, and how far out the day is."""
    past_p = rate_weeks(reference, rows.week)
    calibrator = Calibrator.of_weeks(-np.log10(past_p.min(axis=1)), rows)
    p = rate_groups(reference, now.reshape(-1, len(METRICS)))
    least = -np.log10(p.min(axis=1))
    joint = np.maximum(calibrator.rate(least), calibrator.floor).reshape(now.shape[:2])
    far = -np.log10(calibrator.extrapolate(least)).reshape(now.shape[:2])
    ranked = np.sort(np.where(real, joint, 1.0).min(axis=1)[real.any(axis=1)])
    joint = np.searchsorted(ranked, joint, side="right") + STAND_INS * joint
    cells = np.maximum(p, 1.0 / (100.0 * max(len(reference), 1))).reshape(now.shape)
    return cells, joint / (len(ranked) + STAND_INS), far
