"""Surprise group ERR: errors of one class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit_analytics import schema
from audit_analytics.detect._group import CountGroup
from audit_analytics.detect._guidance import ERRORS_BENIGN, ERRORS_STEPS, ERRORS_TITLE
from audit_analytics.detect._rates import expect_outage, find_api_failures, score_classes
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_errors, say_expected, say_when

if TYPE_CHECKING:
    from audit_analytics.cases import Hit
    from audit_analytics.detect._frame import WeekFrame
    from audit_analytics.detect._surprise import Surprise


def _score_errors(frame: WeekFrame) -> list[Surprise]:
    """Score errors class by class: more than usual, and a larger share than usual.

    min(s_NB, 2 s_BB) of the most surprising class, of the hours and of the days; rate limits and
    server errors count half; what an outage of the platform or of an API explains is expected.
    """
    panel, extra = frame.panel, {}
    for name in schema.ERROR_OUTCOMES:
        platform = expect_outage(frame, name)
        extra[name] = panel.counts["calls"] * platform
        failing = find_api_failures(frame, name, platform)
        at = failing["app"].to_numpy(), failing["hour"].to_numpy()
        np.add.at(extra[name], at, failing["errors"].to_numpy())
    return score_classes(frame, extra)


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} met {errors} {when}; {expected}.",
        entity=who,
        errors=say_errors(hit.observed, hit.facts["label"]),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


ERR = CountGroup(
    name="ERR",
    title=ERRORS_TITLE,
    short=mark("errors"),
    kind="error_burst",
    method=mark(
        "errors of one class: more than usual, and a larger share than usual (negative binomial and beta-binomial)"
    ),
    sentence=_say,
    benign=ERRORS_BENIGN,
    steps=ERRORS_STEPS,
    units={1: mark("errors in an hour"), 24: mark("errors in a day")},
    labels="outcome",
    scored=_score_errors,
    telling=3,
)
