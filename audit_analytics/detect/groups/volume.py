"""Surprise group VOL: all calls of an app."""

from __future__ import annotations

from dataclasses import replace
from math import log10
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.detect._group import COUNT_METHOD, CountGroup
from audit_analytics.detect._guidance import VOLUME_BENIGN, VOLUME_STEPS
from audit_analytics.detect._panel import by_day
from audit_analytics.detect._spans import require_excess, score_spans
from audit_analytics.detect._surprise import score_counts
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_expected, say_times, say_when

if TYPE_CHECKING:
    from audit_analytics.cases import Hit
    from audit_analytics.detect._frame import WeekFrame
    from audit_analytics.detect._surprise import Surprise


LEAST: Final = 4
"""How many more calls than expected are worth telling: who makes a handful a month may make four."""

EVEN: Final = log10(2.0)
"""log10(2): as surprising as every other bucket. Ordinary days stay what they are."""

LEAST_DAYS: Final = 14
"""Holidays and a broken job last less: who comes back from them is not awakened by somebody."""


def _score(frame: WeekFrame) -> list[Surprise]:
    whole = frame.whole
    hours = score_counts(frame, frame.panel.counts["calls"])
    spans = score_spans(whole, whole.panel.counts["calls"])
    counted = [require_excess(seen, LEAST, otherwise=EVEN) for seen in (*hours, *spans)]
    # that a daily job wakes after weeks is one call
    return [*counted, _score_waking(whole, hours[-1])]


def _score_waking(frame: WeekFrame, day: Surprise) -> Surprise:
    """Score how improbable it is, by an app's own rhythm, that it slept so long and calls again.

    No count says that an app woke: ten calls of an app that never made more are few on any day.
    With n pauses between days with calls, T days in all, the chance that the next one lasts longer
    than g days is (T / (T + g))^n, if pauses are exponential and their mean is as uncertain as n of
    them leave it (Lomax distribution; Aitchison and Dunsmore 1975, Statistical Prediction Analysis,
    2.3). A daily job that wakes after three weeks is rare, a batch job that is there every two or
    three weeks is not.

    The score is -log10 of that chance, 0 on all other days; such a day is told by what the window of
    a day saw, `day`.
    """
    grid = frame.panel.grid
    active = by_day(frame.panel.counts["calls"], grid.day) > 0
    number = np.arange(active.shape[1])
    seen = np.maximum.accumulate(np.where(active, number, -1), axis=1)
    last = np.concatenate([np.full((len(active), 1), -1), seen[:, :-1]], axis=1)
    pauses = np.maximum(np.cumsum(active, axis=1) - active, 1)
    lasted = last - active.argmax(axis=1)[:, None] + 1.0
    slept = np.where(last >= 0, number - last, 0)
    awake = active & (slept >= LEAST_DAYS)
    score = np.zeros(active.shape)
    score[awake] = pauses[awake] * np.log10(1.0 + slept[awake] / lasted[awake])
    return replace(day, score=score[:, np.array(frame.days)])


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} called {times} {when}; {expected}.",
        entity=who,
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


VOL = CountGroup(
    name="VOL",
    title=mark("Unusual number of calls"),
    short=mark("number of calls"),
    kind="volume",
    method=COUNT_METHOD,
    sentence=_say,
    techniques=("T1213", "T1499"),
    benign=VOLUME_BENIGN,
    steps=VOLUME_STEPS,
    units={
        1: mark("calls in an hour"),
        2: mark("calls in two hours"),
        24: mark("calls in a day"),
        48: mark("calls in two days"),
        96: mark("calls in four days"),
        168: mark("calls in a week"),
    },
    scored=_score,
    telling=9,
)
