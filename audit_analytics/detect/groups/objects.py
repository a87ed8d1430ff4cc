"""Surprise group OBJ: distinct objects.

A leak walks through objects, an app mostly comes back to its own. Where calls hardly ever name an
object there is nothing to walk through: a tenant with one in fifty calls or fewer is not tested,
and a handful more than expected is no walk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from audit_analytics.detect._group import OBJECT_METHOD, CountGroup
from audit_analytics.detect._guidance import ASK_OWNER, BACKFILL, ROTATE
from audit_analytics.detect._spans import name_objects
from audit_analytics.detect._surprise import score_counts
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import say_expected, say_when

if TYPE_CHECKING:
    from audit_analytics.cases import Hit
    from audit_analytics.detect._frame import WeekFrame
    from audit_analytics.detect._surprise import Surprise


MIN_OBJECTS: Final = 10
"""How many more objects than expected make a walk."""


def _score(frame: WeekFrame) -> list[Surprise]:
    objects = frame.panel.counts["objects"]
    if not name_objects(frame):
        objects = np.zeros_like(objects)
    return score_counts(frame, objects)


def _say(hit: Hit, who: str, zone: str) -> str:
    values = {
        "entity": who,
        "objects": ngettext("{n} object", "{n} objects", hit.observed),
        "when": say_when(hit, zone),
        "expected": say_expected(hit),
    }
    if hit.facts["hours"] == 1:
        return _("{entity} touched {objects} {when}; {expected}.", **values)
    return _("{entity} touched {objects} {when}, each counted once an hour; {expected}.", **values)


OBJ = CountGroup(
    name="OBJ",
    title=mark("Unusual number of objects"),
    short=mark("number of objects"),
    kind="volume",
    method=OBJECT_METHOD,
    sentence=_say,
    techniques=("T1213", "T1530"),
    benign=(BACKFILL, mark("a report that walks through everything once")),
    steps=(
        mark("Look at which objects these are: a walk through all of them is an export."),
        ASK_OWNER,
        ROTATE,
    ),
    metric="objects",
    units={
        1: mark("distinct objects in an hour"),
        2: mark("objects in two hours, each once an hour"),
        24: mark("objects in a day, each once an hour"),
    },
    scored=_score,
    least=MIN_OBJECTS,
    telling=7,
    supports=True,
)
