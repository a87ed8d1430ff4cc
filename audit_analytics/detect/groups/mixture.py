"""Detector FOREST: a day that is a little unusual in many ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit_analytics.cases import Hit
from audit_analytics.detect._baseline import expect_interval
from audit_analytics.detect._group import MixtureGroup
from audit_analytics.detect._guidance import ASK_OWNER
from audit_analytics.language import _, mark, say_number
from audit_analytics.language.wording import say_when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit_analytics.detect._engine import Detection


def _explain(detection: Detection, app: int) -> Hit:
    """Name the surprises that weigh most where no single one is clear."""
    grid = detection.panel.grid
    day = int(detection.far["joint"][app].argmax())
    app_id = str(detection.panel.apps[app])
    weights = detection.attribution[app, day]
    most = [g for g in np.argsort(-weights, kind="stable")[:3] if weights[g] > 0]
    first = grid.first_hour[grid.days(0)[day]]
    hours = int(grid.day_hours[grid.days(0)[day]])
    calls = detection.panel.counts["calls"][app, first : first + hours].sum()
    return Hit(
        detector="FOREST",
        kind="mixture",
        entity_type="app",
        entity=app_id,
        start_at=grid.hours[first],
        end_at=grid.hours[first] + pd.Timedelta(hours=hours),
        observed=float(calls),
        unit=mark("calls in a day"),
        p=float(detection.app_p["joint"][app, day]),
        facts={
            "ways": [
                (detection.groups[g].short, _count(detection, detection.groups[g].name, app, day))
                for g in most
            ]
        },
        where={"app_id": (app_id,)},
    )


def _count(
    detection: Detection, name: str, app: int, day: int
) -> tuple[float, float, float] | None:
    """Return what was counted and the interval it was expected in; None of new pairs."""
    seen = detection.surprises.get(name)
    if seen is None or not seen.score[app, day]:
        return None
    interval = expect_interval(float(seen.expected[app, day]), float(seen.size[app, day]))
    return float(seen.observed[app, day]), *interval


def _say(hit: Hit, who: str, zone: str) -> str:
    ways = [_say_way(way, numbers) for way, numbers in hit.facts["ways"]]
    return _(
        "{entity} was a little unusual in several ways {when}: {ways}.",
        entity=who,
        when=say_when(hit, zone),
        ways=_(", ").join(ways or [_("everything taken together")]),
    )


def _say_way(way: str, numbers: Sequence[float] | None) -> str:
    if numbers is None:
        return _(way)
    observed, low, high = (say_number(number) for number in numbers)
    if low == high:
        return _("{way} ({n}, usually {low})", way=_(way), n=observed, low=low)
    return _("{way} ({n}, usually {low} to {high})", way=_(way), n=observed, low=low, high=high)


FOREST = MixtureGroup(
    name="FOREST",
    title=mark("Unusual in several ways at once"),
    kind="mixture",
    method=mark(
        "isolation forest over all surprises of an app's day: a little unusual in many ways"
    ),
    sentence=_say,
    benign=(mark("a new release of the app"), mark("a change of its schedule")),
    steps=(
        mark("Look at the day as a whole: which APIs, from where, and at what hours."),
        ASK_OWNER,
    ),
    explained=_explain,
)
