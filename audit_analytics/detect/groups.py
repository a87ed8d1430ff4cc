"""The surprise groups of an app-day that compare it with the app's own past.

VOL all calls, OBJ distinct objects, SLOW distinct objects over days, SENS calls of sensitive APIs, TOK token grants, ERR errors of
one class, API calls of one known API. :mod:`audit_analytics.detect.novelty` has the two groups of new pairs.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics.dates.buckets import HOURS_PER_DAY
from audit_analytics.detect.baseline import Baseline, count_surprise
from audit_analytics.detect.panel import ERROR_CLASSES, Panel
from audit_analytics.detect.spans import score_spans
from audit_analytics.detect.surprise import (
    Surprise,
    WeekFrame,
    fit_daily,
    fit_hourly,
    pick_daily,
    score_counts,
    score_days,
    score_hours,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MIN_API_CALLS: Final = 5
RATE_PRIOR_CALLS: Final = 30.0
SHARE_PRIOR_CALLS: Final = 2.0
HALF_WEIGHT: Final = frozenset({"rate_limit", "server"})
OUTAGE_APPS: Final = 15
OUTAGE_EXCESS: Final = 0.03
API_OUTAGE_APPS: Final = 5


def score_groups(frame: WeekFrame) -> dict[str, Surprise]:
    """Score every group of a week.

    Parameters
    ----------
    frame : WeekFrame
        The scored week.

    Returns
    -------
    dict of str to Surprise
        ``VOL``, ``OBJ``, ``SLOW``, ``SENS``, ``TOK``, ``ERR`` and ``API``.
    """
    counts = frame.panel.counts
    return {
        "VOL": score_counts(frame, counts["calls"]),
        # a leak walks through objects, an app mostly comes back to its own
        "OBJ": score_counts(frame, counts["objects"]),
        "SLOW": score_spans(frame, counts["objects"]),
        "SENS": score_counts(frame, counts["sensitive"]),
        "TOK": score_tokens(frame),
        "ERR": score_errors(frame),
        "API": score_apis(frame),
    }


def score_tokens(frame: WeekFrame) -> Surprise:
    """Score token grants: more than usual, and a larger share of the calls than usual.

    Parameters
    ----------
    frame : WeekFrame
        The scored week.

    Returns
    -------
    Surprise
        min(s_NB, 2 s_BB) of the most surprising hour of each day.
    """
    counts = frame.panel.counts["token"]
    rate = usual_rate(frame, counts)
    return score_hours(frame, counts, fit_hourly(frame, counts), rate=rate)


def score_errors(frame: WeekFrame) -> Surprise:
    """Score errors class by class: more than usual, and a larger share than usual.

    Parameters
    ----------
    frame : WeekFrame
        The scored week.

    Returns
    -------
    Surprise
        min(s_NB, 2 s_BB) of the most surprising class and bucket; rate limits and server
        errors count half; what an outage of the platform or of an API explains is expected.
    """
    panel, extra = frame.panel, {}
    for name in ERROR_CLASSES:
        platform = expect_outage(frame, name)
        extra[name] = panel.counts["calls"] * platform
        failing = find_api_failures(frame, name, platform)
        at = failing["app"].to_numpy(), failing["hour"].to_numpy()
        np.add.at(extra[name], at, failing["errors"].to_numpy())
    return score_classes(frame, extra)


def score_classes(
    frame: WeekFrame, extra: Mapping[str, NDArray[np.float64]] | None = None
) -> Surprise:
    """Score every error class and keep the most surprising one.

    Parameters
    ----------
    frame : WeekFrame
        The scored week.
    extra : mapping of str to numpy.ndarray of shape (n_entities, n_hours), optional
        Errors of each class of ERROR_CLASSES that are expected besides the usual ones.

    Returns
    -------
    Surprise
        min(s_NB, 2 s_BB) of the most surprising class and bucket; the label is the class.
    """

    def score_class(name: str) -> Surprise:
        counts = frame.panel.counts[name]
        rate, more = usual_rate(frame, counts), None if extra is None else extra[name]
        hourly = score_hours(frame, counts, fit_hourly(frame, counts), rate=rate, extra=more)
        daily = score_days(frame, counts, fit_daily(frame, counts), rate=rate, extra=more)
        found = hourly.or_greater(daily)
        score = found.score * (0.5 if name in HALF_WEIGHT else 1.0)
        return replace(found, score=score, label=np.full(score.shape, name, dtype=object))

    return reduce(Surprise.or_greater, map(score_class, ERROR_CLASSES))


def expect_outage(frame: WeekFrame, name: str) -> NDArray[np.float64]:
    """Return, hour by hour, the share of calls that fail for everybody in one way.

    Parameters
    ----------
    frame : WeekFrame
        The scored week, of apps.
    name : str
        Error class.

    Returns
    -------
    numpy.ndarray of shape (n_hours,)
        As :func:`outage_excess`.
    """
    counts = frame.panel.counts[name]
    return outage_excess(frame.panel, counts, usual_rate(frame, counts))


def find_api_failures(frame: WeekFrame, name: str, platform: NDArray[np.float64]) -> pd.DataFrame:
    """Find the hours in which an API fails for everybody, and what that costs each app.

    Parameters
    ----------
    frame : WeekFrame
        The scored week.
    name : str
        Error class.
    platform : numpy.ndarray of shape (n_hours,)
        Share of calls that fail on all APIs alike, see :func:`expect_outage`; an hour of an outage
        is no news about one API.

    Returns
    -------
    pandas.DataFrame
        One row per ``api``, ``hour`` and ``app`` (positions): ``errors``, its calls times the
        median excess share of errors over the settled apps that called the API in that hour,
        where five or more did and that median is above 0.03.
    """
    panel, rows = frame.panel, frame.panel.api_calls
    rows = rows[panel.settled[rows["app"], rows["hour"]]]
    key = pd.factorize(rows["api"])[0] * len(panel.grid.hours) + rows["hour"].to_numpy()
    failing, apps = np.unique(key[rows[name].to_numpy() > 0], return_counts=True)
    # a median above 0 needs half of five apps: far fewer pairs of API and hour are left
    kept = np.isin(key, failing[apps > API_OUTAGE_APPS // 2])
    rows, key = rows[kept], key[kept]
    rate = usual_rate(frame, panel.counts[name])
    groups = (rows[name] / rows["calls_count"] - rate[rows["app"].to_numpy()]).groupby(key)
    middle, active = groups.transform("median"), groups.transform("size")
    found = (active >= API_OUTAGE_APPS) & (middle > OUTAGE_EXCESS)
    found &= platform[rows["hour"].to_numpy()] == 0
    rows = rows[["api", "hour", "app"]].assign(errors=rows["calls_count"] * middle)
    return rows[np.asarray(found, dtype=bool)]


def usual_rate(frame: WeekFrame, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each app's usual share of such calls, shrunk towards the tenant's.

    Parameters
    ----------
    frame : WeekFrame
        The scored week.
    counts : numpy.ndarray of shape (n_apps, n_hours)
        Such calls.

    Returns
    -------
    numpy.ndarray of shape (n_apps,)
        (e + 30 pooled) / (n + 30), 0 to 1.
    """
    used = frame.panel.weights(frame.scored) > 0
    such = (counts * used).sum(axis=1)
    calls = (frame.panel.counts["calls"] * used).sum(axis=1)
    pooled = such.sum() / max(calls.sum(), 1.0)
    return np.asarray((such + RATE_PRIOR_CALLS * pooled) / (calls + RATE_PRIOR_CALLS))


def outage_excess(
    panel: Panel, errors: NDArray[np.float64], rate: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return, hour by hour, the share of calls that fail for everybody.

    Parameters
    ----------
    panel : Panel
        The tenant.
    errors : numpy.ndarray of shape (n_apps, n_hours)
        Errors of one class.
    rate : numpy.ndarray of shape (n_apps,)
        Usual share of each app.

    Returns
    -------
    numpy.ndarray of shape (n_hours,)
        Median excess share over the active settled apps where it is above 0.03 and 15 of them
        (half of a smaller tenant) are active; 0 elsewhere.
    """
    settled = panel.settled
    calls = np.where(settled, panel.counts["calls"], 0.0)
    if calls.size == 0:
        return np.zeros(calls.shape[1])
    share = np.where(calls > 0, errors / np.maximum(calls, 1.0) - rate[:, None], np.nan)
    active = (calls > 0).sum(axis=0)
    needed = np.minimum(OUTAGE_APPS, np.maximum(4, settled.sum(axis=0) // 2))
    ranked = np.sort(share, axis=0)
    middle = ranked[np.maximum(active - 1, 0) // 2, np.arange(len(active))]
    return np.asarray(np.where((active >= needed) & (middle > OUTAGE_EXCESS), middle, 0.0))


def score_apis(frame: WeekFrame) -> Surprise:
    """Score the calls of each API that the app already used, given its usual mix.

    Parameters
    ----------
    frame : WeekFrame
        The scored week.

    Returns
    -------
    Surprise
        The most surprising API and bucket of each day; the label is the API.
    """
    panel, grid = frame.panel, frame.panel.grid
    rows = panel.api_calls
    used = panel.weights(frame.scored)[rows["app"], rows["hour"]] > 0
    past = rows[used].groupby(["app", "api"])["calls_count"].sum()
    in_tenant = past.groupby("api").sum()
    of_app = past.groupby("app").sum()
    share = (
        past + SHARE_PRIOR_CALLS * in_tenant.reindex(past.index, level="api") / in_tenant.sum()
    ) / (of_app.reindex(past.index, level="app") + SHARE_PRIOR_CALLS)
    week = rows[grid.week[rows["hour"]] == frame.scored].assign(hours=1)
    days = week.assign(hour=grid.first_hour[grid.day[week["hour"]]])
    days = days.groupby(["app", "hour", "api"], as_index=False)["calls_count"].sum()
    days = days.assign(hours=grid.day_hours[grid.day[days["hour"]]])
    calls = panel.counts["calls"]
    scored = [
        _score_shares(frame, table, share, fit(frame, calls), slot)
        for table, fit, slot in (
            (week, fit_hourly, grid.slot),
            (days, fit_daily, grid.slot // HOURS_PER_DAY),
        )
    ]
    return scored[0].or_greater(scored[1])


def _score_shares(
    frame: WeekFrame,
    table: pd.DataFrame,
    share: pd.Series,
    base: Baseline,
    slot_of_hour: NDArray[np.intp],
) -> Surprise:
    usual = share.reindex(pd.MultiIndex.from_frame(table[["app", "api"]])).to_numpy()
    kept = (table["calls_count"].to_numpy() >= MIN_API_CALLS) & ~np.isnan(usual)
    rows = table[kept].rename(columns={"calls_count": "observed", "api": "label"})
    app, slot = rows["app"].to_numpy(), slot_of_hour[rows["hour"].to_numpy()]
    mean = base.mean[app, slot] * usual[kept]
    size = base.size(mean, app, slot)
    score = count_surprise(rows["observed"].to_numpy(), mean, size)
    return pick_daily(frame, rows.assign(score=score, expected=mean, size=size))
