"""What a day of an app is described by, where there is no past of its own to compare it with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.dates.buckets import HOURS_PER_DAY, SLOTS_COUNT
from audit_analytics.detect._grid import MIN_HISTORY_DAYS
from audit_analytics.detect._panel import by_day
from audit_analytics.detect._rates import OUTCOME_WEIGHT
from audit_analytics.detect._tables import find_places, sort_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit_analytics.detect._grid import Grid
    from audit_analytics.detect._panel import Panel

QUIET_SHARE: Final = 0.5
"""An hour is quiet if fewer than this share of the apps of the busiest hour call in it."""


class _Metric(NamedTuple):
    """One number that describes a day of an app."""

    least: float  # less than this is never unusual: it has no support
    hourly: bool  # the largest hour of the day stands for it; the day as a whole otherwise


METRICS: Final = {
    "failed_apis": _Metric(5, hourly=False),
    "errors_hour": _Metric(5, hourly=True),
    "errors_day": _Metric(10, hourly=False),
    "sensitive_quiet": _Metric(5, hourly=False),
    "sensitive": _Metric(5, hourly=False),
    "alone": _Metric(3, hourly=False),
    "own_apis": _Metric(3, hourly=False),
    "apis": _Metric(8, hourly=False),
    "token": _Metric(10, hourly=True),
    "objects": _Metric(10, hourly=True),
    "calls_hour": _Metric(30, hourly=True),
    "calls_day": _Metric(100, hourly=False),
}
"""The numbers, the more telling first. Errors count as errors x their share of the calls: a busy
app has many, a failing one mostly has nothing else."""


@dataclass(frozen=True)
class FirstDays:
    """The days of every app in numbers."""

    # log(1 + count) of each metric, on every day of the grid; (n_apps, n_days)
    scale: dict[str, NDArray[np.float64]]
    # the counts themselves, errors not scaled by their share; (n_apps, n_days)
    observed: dict[str, NDArray[np.float64]]
    # where each metric reaches its least count; (n_apps, n_days)
    supported: dict[str, NDArray[np.bool_]]
    # of each metric: the first of the hours it counts, as a position in the grid, and how many
    # these are: the day, or its largest hour; (n_apps, n_days)
    start: dict[str, NDArray[np.intp]]
    hours: dict[str, NDArray[np.intp]]
    active: NDArray[np.bool_]  # days with a call; (n_apps, n_days)


def describe_days(panel: Panel, by_ip: pd.DataFrame) -> FirstDays:
    """Describe every day of every app in numbers; `by_ip` is over the whole log."""
    grid, counts = panel.grid, panel.counts
    calls = np.maximum(counts["calls"], 1.0)
    # a stranger's first mistakes are as often parameters as permissions, and a code that the
    # catalogue does not know is an error as well
    failed = np.zeros_like(calls)
    for name, weight in OUTCOME_WEIGHT.items():
        failed += weight * counts[name]
    per_hour = {
        "errors_hour": (failed, failed * failed / calls),
        "token": (counts["token"],) * 2,
        "objects": (counts["objects"],) * 2,
        "calls_hour": (counts["calls"],) * 2,
    }
    per_day = {
        "errors_day": failed,
        "sensitive_quiet": counts["sensitive"] * _find_quiet_hours(panel),
        "sensitive": counts["sensitive"],
        "calls_day": counts["calls"],
    }
    hour = {name: _find_largest(rated, panel) for name, (_, rated) in per_hour.items()}
    at = np.arange(len(panel.apps))[:, None]
    observed = {name: count[at, hour[name]] for name, (count, _) in per_hour.items()}
    observed |= {name: by_day(count, grid.day) for name, count in per_day.items()}
    observed["alone"] = _count_alone(panel, by_ip)
    rows = panel.api_calls
    used = _pair_apis(panel, rows)
    failing = _pair_apis(panel, rows[rows["permission"] + rows["not_found"] > 0])
    observed["apis"] = _sum_days(used, panel)
    observed["own_apis"] = _sum_days(used[_is_alone(used, grid)], panel)
    observed["failed_apis"] = _sum_days(failing, panel)
    rated = dict(observed)
    rated["errors_hour"] = per_hour["errors_hour"][1][at, hour["errors_hour"]]
    rated["errors_day"] = observed["errors_day"] ** 2 / np.maximum(observed["calls_day"], 1.0)
    shape = observed["calls_day"].shape
    whole = [np.broadcast_to(values, shape) for values in (grid.first_hour, grid.day_hours)]
    one = np.ones(shape, dtype=np.intp)
    return FirstDays(
        scale={name: np.log1p(rated[name]) for name in METRICS},
        observed=observed,
        supported={name: rated[name] >= metric.least for name, metric in METRICS.items()},
        start={name: hour.get(name, whole[0]) for name in METRICS},
        hours={name: one if name in hour else whole[1] for name in METRICS},
        active=observed["calls_day"] > 0,
    )


def _find_quiet_hours(panel: Panel) -> NDArray[np.bool_]:
    """Find the hours of the week in which few apps of the tenant call.

    Bool of shape (n_hours,), by the slots of the history; none where the tenant has no rhythm.
    """
    grid = panel.grid
    known = (grid.week < 0) & ~grid.gap
    active = (panel.counts["calls"][:, known] > 0).sum(axis=0)
    hours = np.bincount(grid.slot[known], minlength=SLOTS_COUNT)
    mean = np.bincount(grid.slot[known], active, SLOTS_COUNT) / np.maximum(hours, 1)
    return np.asarray((mean < QUIET_SHARE * mean.max())[grid.slot])


def _find_largest(values: NDArray[np.float64], panel: Panel) -> NDArray[np.intp]:
    """Return the hour of each day with the largest value, the first among equals."""
    grid = panel.grid
    starts = grid.first_hour
    return np.stack(
        [
            start + values[:, start : start + hours].argmax(axis=1)
            for start, hours in zip(starts, grid.day_hours, strict=True)
        ],
        axis=1,
    )


def _pair_apis(panel: Panel, rows: pd.DataFrame) -> pd.DataFrame:
    """Return each API (``place``, by its number) that an app called on a day, once."""
    pairs = {
        "app": rows["app"].to_numpy(),
        "day": panel.grid.day[rows["hour"].to_numpy()],
        "place": rows["api"].cat.codes.to_numpy(),
    }
    return pd.DataFrame(pairs).drop_duplicates().assign(count=1)


def _sum_days(table: pd.DataFrame, panel: Panel) -> NDArray[np.float64]:
    """Add up ``count`` by app and day; apps and days that are not the panel's are left out."""
    sums = np.zeros((len(panel.apps), int(panel.grid.day[-1]) + 1))
    rows = table[(table["app"] >= 0) & (table["day"] >= 0)]
    np.add.at(sums, (rows["app"].to_numpy(), rows["day"].to_numpy()), rows["count"].to_numpy())
    return sums


def _count_alone(panel: Panel, by_ip: pd.DataFrame) -> NDArray[np.float64]:
    """Count the calls of each day from networks of which no other app had called before it."""
    grid = panel.grid
    known = by_ip[~by_ip["network"].isin(schema.NO_PLACE)]
    hour = grid.locate(known["bucket_at"])
    table = pd.DataFrame(
        {
            "app": find_places(known["app_id"], panel.apps),
            "day": np.where(hour < 0, -1, grid.day[np.clip(hour, 0, len(grid.day) - 1)]),
            "place": sort_words(known["network"]).cat.codes.to_numpy(),
            "count": known["calls_count"].to_numpy(),
        }
    )[hour < len(grid.hours)]
    calls = table.groupby(["place", "app", "day"], as_index=False)["count"].sum()
    return _sum_days(calls[_is_alone(calls, grid)], panel)


def _is_alone(calls: pd.DataFrame, grid: Grid) -> NDArray[np.bool_]:
    """Return of which rows (app, day, place) no other app had been at the place before the day.

    Who came when the log itself began may have been there before.
    """
    if calls.empty:
        return np.zeros(0, dtype=bool)  # nothing can be looked up in nothing
    begun = calls.groupby(["place", "app"], as_index=False)["day"].min()
    begun = begun.sort_values(["place", "day", "app"])
    first = begun.groupby("place").head(1).set_index("place")
    second = begun.groupby("place")["day"].nth(1)
    second.index = begun.loc[second.index, "place"]
    is_first = calls["place"].map(first["app"]) == calls["app"]
    other = calls["place"].map(first["day"]).mask(is_first, calls["place"].map(second))
    grown = grid.began + MIN_HISTORY_DAYS * HOURS_PER_DAY
    last = len(grid.day) - 1
    until = grid.day[np.clip(grown, 0, last)] + (grown > last)
    return np.asarray(~(other < np.maximum(calls["day"], until)))
