"""Surprise group SENS: calls of sensitive APIs, and more than a handful of them.

One or two at an hour that has none are no use to tell of; which APIs they are and whether the app
ever called them is for others to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics import schema
from audit_analytics.detect._group import COUNT_METHOD, CountGroup
from audit_analytics.detect._guidance import SENSITIVE_BENIGN, SENSITIVE_STEPS
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_expected, say_times, say_when

if TYPE_CHECKING:
    from audit_analytics.cases import Hit

MIN_SENSITIVE: Final = 5
"""How many more calls than expected are worth telling."""


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} called sensitive APIs {times} {when}; {expected}.",
        entity=who,
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


SENS = CountGroup(
    name="SENS",
    title=mark("Sensitive APIs used more than usual"),
    short=mark("calls of sensitive APIs"),
    kind="sensitive_api",
    method=COUNT_METHOD,
    sentence=_say,
    techniques=("T1213", "T1530"),
    benign=SENSITIVE_BENIGN,
    steps=SENSITIVE_STEPS,
    metric="sensitive",
    units={
        1: mark("calls of sensitive APIs in an hour"),
        2: mark("calls of sensitive APIs in two hours"),
        24: mark("calls of sensitive APIs in a day"),
    },
    where={"severity": schema.SENSITIVE},
    least=MIN_SENSITIVE,
    telling=4,
)
