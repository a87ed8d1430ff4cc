"""How improbable it is, by an app's own rhythm, that it slept so long and calls again.

No count says that an app woke: ten calls of an app that never made more are few on any day. With n
pauses between days with calls, T days in all, the chance that the next one lasts longer than g days
is (T / (T + g))^n, if pauses are exponential and their mean is as uncertain as n of them leave it
(Lomax distribution; Aitchison and Dunsmore 1975, Statistical Prediction Analysis, 2.3). A daily job
that wakes after three weeks is rare, a batch job that is there every two or three weeks is not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.detect._panel import by_day

if TYPE_CHECKING:
    from audit_analytics.detect._frame import WeekFrame
    from audit_analytics.detect._surprise import Surprise

LEAST_DAYS: Final = 14
"""Holidays and a broken job last less: who comes back from them is not awakened by somebody."""


def score_waking(frame: WeekFrame, day: Surprise) -> Surprise:
    """Score the days on which apps call again after a long sleep: -log10 of that chance.

    `day` is what the window of a day saw: what such a day is told by. 0 on all other days.
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
