"""Surprise group APIERR: an API that fails for many apps, unlike before.

It speaks with support only: errors enough, of apps enough, in a share of the calls that is felt.
Otherwise two apps that mistype the same parameter would be news about the platform.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect._baseline import expect_interval
from audit_analytics.detect._group import ApiGroup
from audit_analytics.detect._rates import score_classes
from audit_analytics.detect._tables import find_places
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_apps, say_errors, say_expected, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.cases import Case
    from audit_analytics.detect._engine import Detection
    from audit_analytics.detect._frame import WeekFrame
    from audit_analytics.detect._surprise import Surprise


UNITS: Final = (
    mark("errors of all apps but the worst hit in an hour"),
    mark("errors of all apps but the worst hit in a day"),
)


MIN_ERRORS: Final = 10
"""Errors of all apps but the worst hit."""

MIN_APPS: Final = 4
"""Apps that met such an error, the worst hit among them."""

MIN_SHARE: Final = 0.05
"""Share of the calls of the hour or day."""


def _score(frame: WeekFrame) -> list[Surprise]:
    return [_require_support(frame, seen) for seen in score_classes(frame)]


def _require_support(frame: WeekFrame, seen: Surprise) -> Surprise:
    """Take the score from what rests on few errors, few apps or a small share."""
    panel, grid = frame.panel, frame.panel.grid
    supported = (seen.score > 0) & (seen.observed >= MIN_ERRORS)
    rows, place = panel.api_calls, find_places(panel.api_calls["api"], panel.apps)
    kept = (grid.week[rows["hour"]] == frame.scored) & np.any(supported, axis=1)[place]
    failing = {
        api: {name: own[name].to_numpy() for name in ("app", "hour", *schema.ERROR_OUTCOMES)}
        for api, own in rows[kept].groupby(place[kept])
    }
    for api, day in np.argwhere(supported):
        first, hours = seen.hour[api, day], seen.hours[api, day]
        own = failing[api]
        then = (own["hour"] >= first) & (own["hour"] < first + hours)
        apps = len(np.unique(own["app"][then & (own[seen.label[api, day]] > 0)]))
        calls = panel.counts["calls"][api, first : first + hours].sum()
        felt = seen.observed[api, day] >= MIN_SHARE * calls
        supported[api, day] = apps >= MIN_APPS and felt
    return replace(seen, score=np.where(supported, seen.score, 0.0))


def _explain(detection: Detection, case: Case) -> Iterator[Hit]:
    found, grid = detection.api_days, detection.panel.grid
    api = int(found.panel.apps.get_loc(case.entity))
    day = int(found.p["APIERR"][api].argmin())
    surprise = found.surprises["APIERR"]
    if not surprise.score[api, day]:
        return
    first, hours = int(surprise.hour[api, day]), int(surprise.hours[api, day])
    mean = float(surprise.expected[api, day])
    low, high = expect_interval(mean, float(surprise.size[api, day]))
    label = str(surprise.label[api, day])
    yield Hit(
        detector="APIERR",
        kind="error_burst",
        entity_type="api",
        entity=case.entity,
        start_at=grid.hours[first],
        end_at=grid.hours[first] + pd.Timedelta(hours=hours),
        observed=float(surprise.observed[api, day]),
        expected=mean,
        low=low,
        high=high,
        unit=UNITS[hours > 1],
        p=float(found.p["APIERR"][api, day]),
        facts={
            "label": label,
            "hours": hours,
            "apps": found.count_apps(api, slice(first, first + hours), label),
        },
        where={"api": (case.entity,), "outcome": (label,)},
    )


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} gave {apps} {errors} {when}, the app hit worst left out; {expected}.",
        entity=who,
        apps=say_apps(hit.facts["apps"]),
        errors=say_errors(hit.observed, hit.facts["label"]),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


APIERR = ApiGroup(
    name="APIERR",
    title=mark("API fails for many apps"),
    kind="error_burst",
    method=mark(
        "errors of one API in all apps but the worst hit, against that API's own past (negative binomial and beta-binomial)"
    ),
    sentence=_say,
    benign=(
        mark("an incident of the platform in this API"),
        mark("an API that was changed or withdrawn"),
    ),
    steps=(
        mark("Check the platform's status page and the change log of this API."),
        mark("Look at the response codes: one code for every app is the API's, not the apps'."),
    ),
    scored=_score,
    explained=_explain,
)
