"""Surprise group API: calls of one API the app already used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from audit_analytics.dates.buckets import HOURS_PER_DAY
from audit_analytics.detect._baseline import count_surprise
from audit_analytics.detect._group import CountGroup
from audit_analytics.detect._guidance import ASK_OWNER, BACKFILL
from audit_analytics.detect._surprise import fit_daily, fit_hourly, pick_daily
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_expected, say_times, say_when, show_api

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from audit_analytics.cases import Hit
    from audit_analytics.detect._baseline import Baseline
    from audit_analytics.detect._frame import WeekFrame
    from audit_analytics.detect._grid import Grid
    from audit_analytics.detect._surprise import Surprise


MIN_API_CALLS: Final = 5
SHARE_PRIOR_CALLS: Final = 2.0


def _score_apis(frame: WeekFrame) -> list[Surprise]:
    """Score the calls of each API that the app already used, given its usual mix.

    The most surprising API of each day's hours, and of the day; the label is the API.
    """
    panel, grid = frame.panel, frame.panel.grid
    rows = {name: panel.api_calls[name].to_numpy() for name in ("app", "hour", "calls_count")}
    rows["pair"] = panel.api_pairs.pair
    week = grid.week[rows["hour"]] == frame.scored
    hours = {name: values[week] for name, values in rows.items()}
    hours["hours"] = np.ones_like(hours["hour"])
    share, days = _share_calls(frame, rows), _add_up_days(grid, hours)
    return [
        _score_shares(frame, hours, share, fit_hourly(frame, panel.counts["calls"]), grid.slot),
        _score_shares(
            frame,
            days,
            share,
            fit_daily(frame, panel.counts["calls"]),
            grid.slot // HOURS_PER_DAY,
        ),
    ]


def _share_calls(frame: WeekFrame, rows: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Return the usual share of each API in the calls of its app, NaN where it has none."""
    panel = frame.panel
    app, api, _ = panel.api_pairs
    used = frame.taught[rows["app"], rows["hour"]]
    pair, calls = rows["pair"][used], panel.counts["calls"] * frame.taught
    past = np.bincount(pair, rows["calls_count"][used], len(app))
    first = np.full(len(app), calls.shape[1] - 1)
    np.minimum.at(first, pair, rows["hour"][used])
    in_tenant = np.bincount(api, past)
    # before an app adopted an API it had no share of anything
    before = np.cumsum(calls, axis=1) - calls
    of_app = before[app, -1] + calls[app, -1] - before[app, first]
    share = (past + SHARE_PRIOR_CALLS * in_tenant[api] / in_tenant.sum()) / (
        of_app + SHARE_PRIOR_CALLS
    )
    return np.where(np.bincount(pair, minlength=len(app)) > 0, share, np.nan)


def _add_up_days(grid: Grid, rows: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Add up the calls of each pair of app and API and each day."""
    day = grid.day[rows["hour"]]
    cells, first, place = np.unique(
        rows["pair"] * (int(grid.day[-1]) + 1) + day, return_index=True, return_inverse=True
    )
    return {
        "app": rows["app"][first],
        "hour": grid.first_hour[day[first]],
        "calls_count": np.bincount(place, rows["calls_count"], len(cells)),
        "pair": rows["pair"][first],
        "hours": grid.day_hours[day[first]],
    }


def _score_shares(
    frame: WeekFrame,
    buckets: Mapping[str, NDArray[Any]],
    share: NDArray[np.float64],
    base: Baseline,
    slot_of_hour: NDArray[np.intp],
) -> Surprise:
    usual = share[buckets["pair"]]
    kept = (buckets["calls_count"] >= MIN_API_CALLS) & ~np.isnan(usual)
    rows = {name: values[kept] for name, values in buckets.items()}
    observed, app, slot = rows["calls_count"], rows["app"], slot_of_hour[rows["hour"]]
    mean = base.mean[app, slot] * usual[kept]
    size = base.size(mean, app, slot)
    score = count_surprise(observed, mean, size)
    apis = frame.panel.api_calls["api"].cat.categories.to_numpy(object)
    label = apis[frame.panel.api_pairs.api[rows["pair"]]]
    found = {"score": score, "observed": observed, "expected": mean, "size": size, "label": label}
    return pick_daily(frame, rows | found)


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} called {api} {times} {when}; {expected}.",
        entity=who,
        api=show_api(hit.facts["label"]),
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


API = CountGroup(
    name="API",
    title=mark("Unusual use of one API"),
    short=mark("mix of APIs"),
    kind="volume",
    method=mark("calls of one API against the app's usual mix"),
    sentence=_say,
    techniques=("T1213",),
    benign=(BACKFILL, mark("a new batch job")),
    steps=(mark("Look at how many distinct objects were read."), ASK_OWNER),
    units={1: mark("calls of one API in an hour"), 24: mark("calls of one API in a day")},
    labels="api",
    scored=_score_apis,
    telling=6,
)
