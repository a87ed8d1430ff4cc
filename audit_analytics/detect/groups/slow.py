"""Surprise group SLOW: distinct objects over days.

The hourly counts know the distinct objects of an hour; which of them are the same as an hour before
they do not know, so an object counts once an hour. What a day of looking at one object every hour
could bring is no surprise; beyond that a walk of one object an hour and a look at the same one every
hour cannot be told apart, and the sentence says how it was counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.detect._group import OBJECT_METHOD, CountGroup
from audit_analytics.detect._guidance import ASK_OWNER, ROTATE
from audit_analytics.detect._spans import name_objects, score_spans
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import say_expected, say_when

if TYPE_CHECKING:
    from audit_analytics.cases import Hit
    from audit_analytics.detect._frame import WeekFrame
    from audit_analytics.detect._surprise import Surprise


MIN_OBJECTS: Final = 25
"""How many more than expected: one object that an app looks at every hour makes 24 a day."""


def _score(frame: WeekFrame) -> list[Surprise]:
    frame = frame.whole
    objects = frame.panel.counts["objects"]
    if not name_objects(frame):
        objects = np.zeros_like(objects)
    return score_spans(frame, objects)


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} touched {objects} {when}, each counted once an hour, more than such days used to "
        "add up to; {expected}.",
        entity=who,
        objects=ngettext("{n} object", "{n} objects", hit.observed),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


SLOW = CountGroup(
    name="SLOW",
    title=mark("More objects over several days"),
    short=mark("number of objects over days"),
    kind="volume",
    method=OBJECT_METHOD,
    sentence=_say,
    techniques=("T1213", "T1530"),
    benign=(
        mark("more users, or a new source that the app serves"),
        mark("a backfill at low speed"),
    ),
    steps=(
        mark("Look at which objects these are: a slow walk through all of them is a leak."),
        mark("See whether it goes on: growth stays, a leak ends when it has everything."),
        ASK_OWNER,
        ROTATE,
    ),
    metric="objects",
    units={
        48: mark("objects in two days, each once an hour"),
        96: mark("objects in four days, each once an hour"),
        168: mark("objects in a week, each once an hour"),
    },
    scored=_score,
    least=MIN_OBJECTS,
    telling=8,
    supports=True,
)
