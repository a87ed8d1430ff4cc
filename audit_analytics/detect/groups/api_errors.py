"""Surprise group APIERR: an API that fails for many apps, unlike before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from audit_analytics.cases import Hit
from audit_analytics.detect.baseline import expect_interval
from audit_analytics.detect.groups import ApiGroup
from audit_analytics.detect.rates import score_classes
from audit_analytics.language import _, mark
from audit_analytics.language.wording import say_apps, say_errors, say_expected, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.cases import Case
    from audit_analytics.detect.engine import Detection


UNITS: Final = (
    mark("errors of all apps but the worst hit in an hour"),
    mark("errors of all apps but the worst hit in a day"),
)


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
    scored=score_classes,
    explained=_explain,
)
