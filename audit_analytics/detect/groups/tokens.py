"""Surprise group TOK: token grants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit_analytics.detect._group import COUNT_METHOD, CountGroup
from audit_analytics.detect._guidance import ASK_OWNER, ROTATE
from audit_analytics.detect._rates import usual_rate
from audit_analytics.detect._surprise import fit_hourly, score_hours
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_expected, say_times, say_when

if TYPE_CHECKING:
    from audit_analytics.cases import Hit
    from audit_analytics.detect._frame import WeekFrame
    from audit_analytics.detect._surprise import Surprise


def _score_tokens(frame: WeekFrame) -> list[Surprise]:
    """Score token grants: more than usual, and a larger share of the calls than usual.

    One: min(s_NB, 2 s_BB) of the most surprising hour of each day.
    """
    counts = frame.panel.counts["token"]
    rate = usual_rate(frame, counts)
    return [score_hours(frame, counts, fit_hourly(frame, counts), rate=rate)]


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} asked for a token {times} {when}; {expected}.",
        entity=who,
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


TOK = CountGroup(
    name="TOK",
    title=mark("Unusual number of token requests"),
    short=mark("token requests"),
    kind="volume",
    method=COUNT_METHOD,
    sentence=_say,
    techniques=("T1528", "T1550.001"),
    benign=(
        mark("a client that does not cache its token"),
        mark("many instances starting at once"),
    ),
    steps=(mark("Check from which addresses the tokens were requested."), ASK_OWNER, ROTATE),
    metric="token",
    units={1: mark("token requests in an hour")},
    where={"category": ("token_issuance",)},
    scored=_score_tokens,
    telling=5,
)
