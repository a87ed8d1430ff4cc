"""Shares of errors: an app's usual one, what an outage explains, and how surprising a class is."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics import schema
from audit_analytics.detect._baseline import MAD_TO_SIGMA
from audit_analytics.detect._panel import OUTAGE_APPS, OUTAGE_CALLS, Panel
from audit_analytics.detect._surprise import (
    Surprise,
    fit_daily,
    fit_hourly,
    score_days,
    score_hours,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from audit_analytics.detect._frame import WeekFrame

RATE_PRIOR_CALLS: Final = 30.0
OUTCOME_WEIGHT: Final = dict.fromkeys(schema.ERROR_OUTCOMES, 1.0) | {
    "rate_limit": 0.5,
    "server": 0.5,
}
"""What an error of each class counts: a rate limit or a server error is mostly no fault of the app."""

OUTAGE_EXCESS: Final = 0.03
OUTAGE_MADS: Final = 6.0
"""Where errors are normal their share moves from hour to hour: an outage stands above that."""

API_OUTAGE_APPS: Final = 5


def usual_rate(frame: WeekFrame, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each app's usual share of such calls, shrunk towards the tenant's.

    (e + 30 pooled) / (n + 30), 0 to 1.
    """
    return frame.fit_once(_usual_rate, counts)


def _usual_rate(frame: WeekFrame, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    such, calls = (counts * frame.taught).sum(axis=1), frame.past_calls
    pooled = such.sum() / max(calls.sum(), 1.0)
    return np.asarray((such + RATE_PRIOR_CALLS * pooled) / (calls + RATE_PRIOR_CALLS))


def outage_excess(
    panel: Panel, errors: NDArray[np.float64], rate: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return, hour by hour, the share of calls that fail for everybody with errors of one class.

    Median excess share, beyond the usual `rate` of each app, over the settled apps with five calls
    or more where 15 of them (half of a smaller tenant) have so many, else over all active ones
    where 15 are; 0 where it is not above 0.03, or not above six robust deviations of what it is in
    the hours of the history, or where fewer than 15 have the word and the calls of the others do
    not fail.
    """
    calls, heard, asked = panel.outage_word
    active = heard.sum(axis=0)
    half = np.maximum(active - 1, 0) // 2
    # where no class of errors ever met half of the apps, no median is above 0
    if not (asked & ((heard & (errors > 0)).sum(axis=0) >= active - half)).any():
        return np.zeros(calls.shape[1])
    share = np.where(heard, errors / np.maximum(calls, 1.0) - rate[:, None], np.nan)
    # one API that fails for the apps with most calls is no outage: the others, taken together, fail
    rest = np.where(heard, 0.0, calls)
    excess = np.where(rest > 0, errors - rest * rate[:, None], 0.0).sum(axis=0)
    alike = (active >= OUTAGE_APPS) | (rest.sum(axis=0) < OUTAGE_CALLS)
    alike |= excess > OUTAGE_EXCESS * rest.sum(axis=0)
    ranked = np.sort(share, axis=0)
    middle = ranked[half, np.arange(len(active))]
    usual = middle[asked & (panel.grid.week < 0)]
    limit = OUTAGE_EXCESS
    if len(usual):
        spread = MAD_TO_SIGMA * np.median(np.abs(usual - np.median(usual)))
        limit = max(limit, float(np.median(usual) + OUTAGE_MADS * spread))
    return np.asarray(np.where(asked & alike & (middle > limit), middle, 0.0))


def expect_outage(frame: WeekFrame, name: str) -> NDArray[np.float64]:
    """Return :func:`outage_excess` of an error class in a scored week of apps."""
    # apps ask for it, and after them APIs
    found, key = frame.panel.outages, (frame.scored, name)
    if key not in found:
        counts = frame.panel.counts[name]
        found[key] = outage_excess(frame.panel, counts, usual_rate(frame, counts))
    return found[key]


def find_api_failures(frame: WeekFrame, name: str, platform: NDArray[np.float64]) -> pd.DataFrame:
    """Find the hours in which an API fails for everybody, and what that costs each app.

    One row per ``api``, ``hour`` of the scored week and ``app`` (positions): ``errors``, its calls
    times the median excess share of errors over the settled apps that called the API in that hour,
    where five or more did and that median is above 0.03. An hour of an outage of the `platform`,
    see :func:`expect_outage`, is no news about one API.
    """
    # what is expected is asked of the scored week alone
    rows, key = frame.settled_calls
    failing, apps = np.unique(key[rows[name].to_numpy() > 0], return_counts=True)
    # a median above 0 needs half of five apps: far fewer pairs of API and hour are left
    kept = np.isin(key, failing[apps > API_OUTAGE_APPS // 2])
    if not kept.any():
        return rows.iloc[:0].assign(errors=0.0)
    rows, key = rows[kept], key[kept]
    rate = usual_rate(frame, frame.panel.counts[name])
    groups = (rows[name] / rows["calls_count"] - rate[rows["app"].to_numpy()]).groupby(key)
    middle, active = groups.transform("median"), groups.transform("size")
    found = (active >= API_OUTAGE_APPS) & (middle > OUTAGE_EXCESS)
    found &= platform[rows["hour"].to_numpy()] == 0
    rows = rows[["api", "hour", "app"]].assign(errors=rows["calls_count"] * middle)
    return rows[np.asarray(found, dtype=bool)]


def score_classes(
    frame: WeekFrame, extra: Mapping[str, NDArray[np.float64]] | None = None
) -> list[Surprise]:
    """Score every error class and keep the most surprising one; the label is the class.

    min(s_NB, 2 s_BB), of the hours and of the days. `extra` are errors of each of
    ``schema.ERROR_OUTCOMES`` that are expected besides the usual ones.
    """

    def score_class(name: str) -> list[Surprise]:
        counts = frame.panel.counts[name]
        rate, more = usual_rate(frame, counts), None if extra is None else extra[name]
        hourly = score_hours(frame, counts, fit_hourly(frame, counts), rate=rate, extra=more)
        daily = score_days(frame, counts, fit_daily(frame, counts), rate=rate, extra=more)
        label = np.full(hourly.score.shape, name, dtype=object)
        weight = OUTCOME_WEIGHT[name]
        return [replace(w, score=w.score * weight, label=label) for w in (hourly, daily)]

    windows = zip(*map(score_class, schema.ERROR_OUTCOMES), strict=True)
    return [reduce(Surprise.or_greater, window) for window in windows]
