"""Surprise group VOL: all calls of an app."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Final

from audit_analytics.detect._guidance import VOLUME_BENIGN, VOLUME_STEPS
from audit_analytics.detect._spans import require_excess, score_spans
from audit_analytics.detect._surprise import score_counts
from audit_analytics.detect._waking import score_waking
from audit_analytics.detect.groups import COUNT_METHOD, CountGroup
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


def _score(frame: WeekFrame) -> list[Surprise]:
    whole = frame.whole
    hours = score_counts(frame, frame.panel.counts["calls"])
    spans = score_spans(whole, whole.panel.counts["calls"])
    counted = [require_excess(seen, LEAST, otherwise=EVEN) for seen in (*hours, *spans)]
    # that a daily job wakes after weeks is one call
    return [*counted, score_waking(whole, hours[-1])]


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
