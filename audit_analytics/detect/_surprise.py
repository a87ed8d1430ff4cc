"""How surprising an app's counts are against its own past, hour by hour and day by day.

Each function gives one score per app and local day of the scored week and says which bucket it
comes from; :mod:`audit_analytics.detect.groups` builds the surprise groups from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from audit_analytics.dates.buckets import HOURS_PER_DAY, SLOTS_COUNT
from audit_analytics.detect._baseline import (
    Baseline,
    count_surprise,
    fit_baseline,
    share_surprise,
)
from audit_analytics.detect._panel import by_day

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from audit_analytics.detect._frame import WeekFrame

MIN_FAILED: Final = 3
CORRELATION: Final = 0.05


@dataclass(frozen=True)
class Surprise:
    """The most surprising bucket of each app and day."""

    score: NDArray[np.float64]  # how surprising; 0 is nothing; (n_apps, n_days)
    # count, expectation and negative-binomial size of that bucket; (n_apps, n_days)
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    size: NDArray[np.float64]
    hour: NDArray[np.intp]  # first hour of the bucket, as a position in the grid; (n_apps, n_days)
    # width of the bucket: 1, or the hours of the day that are judged; (n_apps, n_days)
    hours: NDArray[np.intp]
    label: NDArray[np.object_]  # error class or API, or ''; (n_apps, n_days)

    def or_greater(self, other: Surprise) -> Surprise:
        """Return the more surprising of two, app by app and day by day; this one on ties."""
        pick = other.score > self.score
        return Surprise.join([self, other], lambda own, others: np.where(pick, others, own))

    @staticmethod
    def join(surprises: Sequence[Surprise], how: Callable[..., Any]) -> Surprise:
        """Make one of several, array by array: ``how`` takes those of one field."""
        return Surprise(
            **{
                name: how(*(getattr(one, name) for one in surprises))
                for name in Surprise.__dataclass_fields__
            }
        )


EMPTY: Final = {
    "score": 0.0,
    "observed": 0.0,
    "expected": 0.0,
    "size": 1.0,
    "hour": 0,
    "hours": 1,
    "label": "",
}


def score_counts(frame: WeekFrame, counts: NDArray[np.float64]) -> list[Surprise]:
    """Score counts against the app's own past, by hour and by day.

    The most surprising hour of each day, the most surprising two hours that end in it, and the day
    itself.
    """
    hourly, daily = fit_hourly(frame, counts), fit_daily(frame, counts)
    return [
        score_hours(frame, counts, hourly),
        _score_two_hours(frame, counts, hourly),
        score_days(frame, counts, daily),
    ]


def fit_hourly(frame: WeekFrame, counts: NDArray[np.float64]) -> Baseline:
    """Fit the 48 slots {working day, day off} x hour on the weeks that are not scored."""
    return frame.fit_once(_fit_hourly, counts)


def _fit_hourly(frame: WeekFrame, counts: NDArray[np.float64]) -> Baseline:
    slot = frame.panel.grid.slot
    return fit_baseline(counts, frame.weights, slot, slots=SLOTS_COUNT, cycle=HOURS_PER_DAY)


def fit_daily(frame: WeekFrame, counts: NDArray[np.float64]) -> Baseline:
    """Fit working days and days off on the weeks that are not scored.

    A day with a gap in the log is left out.
    """
    return frame.fit_once(_fit_daily, counts)


def _fit_daily(frame: WeekFrame, counts: NDArray[np.float64]) -> Baseline:
    grid = frame.panel.grid
    return fit_baseline(by_day(counts, grid.day), frame.day_weights, grid.day_slot, slots=2)


def score_hours(
    frame: WeekFrame,
    counts: NDArray[np.float64],
    base: Baseline,
    *,
    rate: NDArray[np.float64] | None = None,
    extra: NDArray[np.float64] | None = None,
) -> Surprise:
    """Score the hours of the week and keep each day's most surprising one.

    If `rate` is given, the usual share of such calls, a surprise counts only as far as the share of
    calls is surprising, too. `extra` is added to what is expected: the share of a platform-wide
    outage.
    """
    grid, hours = frame.panel.grid, frame.hours
    app, column = np.nonzero((counts[:, hours] > 0) & ~grid.gap[hours])
    hour = hours[column]
    rows = _score_rows(
        base,
        (app, grid.slot[hour]),
        counts[app, hour],
        calls=frame.panel.counts["calls"][app, hour],
        rate=rate,
        more=0.0 if extra is None else extra[app, hour],
    )
    return pick_daily(frame, {**rows, "hour": hour, "hours": np.ones_like(hour)})


def _score_two_hours(frame: WeekFrame, counts: NDArray[np.float64], base: Baseline) -> Surprise:
    """Score any two hours that follow each other and keep each day's most surprising ones.

    They are of the day in which they end; both with calls, or one hour says it all.
    """
    grid, hours = frame.panel.grid, frame.hours
    hours = hours[(hours > 0) & ~grid.gap[hours] & ~grid.gap[hours - 1]]
    app, column = np.nonzero((counts[:, hours] > 0) & (counts[:, hours - 1] > 0))
    last = hours[column]
    both = last - 1, last
    observed = counts[app, both[0]] + counts[app, both[1]]
    means = [base.mean[app, grid.slot[hour]] for hour in both]
    noise = [mean + base.dispersion[app] * mean**2 for mean in means]
    weights = [np.maximum(base.weight[app, grid.slot[hour]], 0.1) for hour in both]
    # neighbouring slots are smoothed together, so the doubt about their means is one
    doubt = sum(np.sqrt(n / w) for n, w in zip(noise, weights, strict=True)) ** 2
    mean = means[0] + means[1]
    size = mean**2 / np.maximum(noise[0] + noise[1] + doubt - mean, 1e-9)
    score = count_surprise(observed, mean, size)
    rows: dict[str, NDArray[Any]]
    rows = {"app": app, "hour": both[0], "end": last, "hours": np.full_like(last, 2)}
    rows |= {"score": score, "observed": observed, "expected": mean, "size": size}
    return pick_daily(frame, rows)


def score_days(
    frame: WeekFrame,
    counts: NDArray[np.float64],
    base: Baseline,
    *,
    rate: NDArray[np.float64] | None = None,
    extra: NDArray[np.float64] | None = None,
) -> Surprise:
    """Score the days of the week as wholes; `rate` and `extra` as in :func:`score_hours`."""
    grid, hours = frame.panel.grid, frame.hours

    def add_up(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return by_day(values[:, hours], grid.day[hours])

    totals = add_up(counts)
    at = app, column = np.nonzero(totals > 0)
    day = np.array(frame.days)[column]
    rows = _score_rows(
        base,
        (app, grid.day_slot[day]),
        totals[at],
        calls=add_up(frame.panel.counts["calls"])[at],
        rate=rate,
        more=0.0 if extra is None else add_up(extra)[at],
    )
    start, end = grid.first_hour[day], grid.first_hour[day] + grid.day_hours[day]
    if frame.scored == 0:
        start = np.maximum(start, frame.panel.since_hour)
    return pick_daily(frame, {**rows, "hour": start, "hours": end - start})


def _score_rows(
    base: Baseline,
    at: tuple[NDArray[np.intp], NDArray[np.intp]],
    observed: NDArray[np.float64],
    *,
    calls: NDArray[np.float64],
    rate: NDArray[np.float64] | None,
    more: NDArray[np.float64] | float,
) -> dict[str, NDArray[Any]]:
    """Score buckets by the mean of their app and slot, and by the share of calls if it is known."""
    mean = base.mean[at] + more
    size = base.size(mean, *at)
    if rate is None:
        score = count_surprise(observed, mean, size)
    else:
        score, tested = np.zeros(len(observed)), np.flatnonzero(observed >= MIN_FAILED)
        failed, usual = observed[tested], (rate[at[0]] + more / calls)[tested]
        score[tested] = np.minimum(
            count_surprise(failed, mean[tested], size[tested]),
            2.0 * share_surprise(failed, calls[tested], usual, correlation=CORRELATION),
        )
    return {"app": at[0], "score": score, "observed": observed, "expected": mean, "size": size}


def pick_daily(frame: WeekFrame, rows: Mapping[str, NDArray[Any]]) -> Surprise:
    """Keep the most surprising of many scored buckets for each app and day; 0 where there was none.

    `rows` are ``app`` and ``hour`` (positions), ``score``, ``observed``, ``expected``, ``size``,
    ``hours`` and, where a bucket has one, ``label``; ``end``, if it ends in another hour.
    """
    shape = (len(frame.panel.apps), len(frame.days))
    day = frame.panel.grid.day[rows["end" if "end" in rows else "hour"]] - frame.days[0]
    cell, score = rows["app"] * shape[1] + day, rows["score"]
    most = np.full(shape[0] * shape[1], -np.inf)
    np.maximum.at(most, cell, score)
    # what is as surprising is picked by its hour, and few buckets are
    near = np.flatnonzero(score == most[cell])
    near = near[np.argsort(rows["hour"][near], kind="stable")]
    cells, first = np.unique(cell[near], return_index=True)
    picks = near[first]
    picked = {}
    for name, empty in EMPTY.items():
        values = np.full(shape[0] * shape[1], empty, dtype=np.asarray(empty).dtype)
        if name == "hour":
            values[:] = frame.hours[0]
        if name == "label":
            values = values.astype(object)
        if name in rows:
            values[cells] = rows[name][picks]
        picked[name] = values.reshape(shape)
    return Surprise(**picked)
