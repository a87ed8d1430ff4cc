"""Surprise group API: calls of one API the app already used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.dates.buckets import HOURS_PER_DAY
from audit_analytics.detect.baseline import count_surprise
from audit_analytics.detect.groups import CountGroup
from audit_analytics.detect.guidance import ASK_OWNER, BACKFILL
from audit_analytics.detect.surprise import fit_daily, fit_hourly, pick_daily
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_expected, say_times, say_when, show_api

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audit_analytics.cases import Hit
    from audit_analytics.detect.baseline import Baseline
    from audit_analytics.detect.frame import WeekFrame
    from audit_analytics.detect.surprise import Surprise


MIN_API_CALLS: Final = 5
SHARE_PRIOR_CALLS: Final = 2.0


def score_apis(frame: WeekFrame) -> list[Surprise]:
    """Score the calls of each API that the app already used, given its usual mix.

    Parameters
    ----------
    frame : WeekFrame
        The scored week.

    Returns
    -------
    list of Surprise
        The most surprising API of each day's hours, and of the day; the label is the API.
    """
    panel, grid = frame.panel, frame.panel.grid
    rows, calls = panel.api_calls, panel.counts["calls"]
    taught = frame.taught
    apis = rows["api"].cat.categories
    table = pd.DataFrame({name: rows[name].to_numpy() for name in ("app", "hour", "calls_count")})
    # one number for app and API: words are compared far more slowly
    table["pair"] = table["app"] * len(apis) + rows["api"].cat.codes.to_numpy()
    used = taught[table["app"], table["hour"]]
    groups = table[used].groupby("pair")
    past = groups["calls_count"].sum()
    app, api = np.divmod(past.index.to_numpy(), len(apis))
    in_tenant = np.bincount(api, past, len(apis))
    # before an app adopted an API it had no share of anything
    before = np.cumsum(calls * taught, axis=1) - calls * taught
    of_app = before[app, -1] + (calls * taught)[app, -1]
    of_app = of_app - before[app, groups["hour"].min().to_numpy()]
    share = (past + SHARE_PRIOR_CALLS * in_tenant[api] / in_tenant.sum()) / (
        of_app + SHARE_PRIOR_CALLS
    )
    week = table[grid.week[table["hour"]] == frame.scored].assign(hours=1)
    days = week.assign(hour=grid.first_hour[grid.day[week["hour"]]])
    days = days.groupby(["app", "hour", "pair"], as_index=False)["calls_count"].sum()
    days = days.assign(hours=grid.day_hours[grid.day[days["hour"]]])
    return [
        _score_shares(frame, buckets, share, fit(frame, calls), slot)
        for buckets, fit, slot in (
            (week, fit_hourly, grid.slot),
            (days, fit_daily, grid.slot // HOURS_PER_DAY),
        )
    ]


def _score_shares(
    frame: WeekFrame,
    table: pd.DataFrame,
    share: pd.Series,
    base: Baseline,
    slot_of_hour: NDArray[np.intp],
) -> Surprise:
    usual = share.reindex(table["pair"]).to_numpy()
    kept = (table["calls_count"].to_numpy() >= MIN_API_CALLS) & ~np.isnan(usual)
    rows = {name: table[name].to_numpy()[kept] for name in ("app", "hour", "hours")}
    observed = table["calls_count"].to_numpy()[kept]
    apis = frame.panel.api_calls["api"].cat.categories.to_numpy(object)
    label = apis[table["pair"].to_numpy()[kept] % len(apis)]
    app, slot = rows["app"], slot_of_hour[rows["hour"]]
    mean = base.mean[app, slot] * usual[kept]
    size = base.size(mean, app, slot)
    score = count_surprise(observed, mean, size)
    rows |= {"score": score, "observed": observed, "expected": mean, "size": size}
    return pick_daily(frame, rows | {"label": label})


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
    scored=score_apis,
    telling=6,
)
