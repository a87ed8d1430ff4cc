"""Detector COMMON: many apps changed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit_analytics.cases import Hit
from audit_analytics.detect._group import WeekGroup
from audit_analytics.language import _, label_entity, mark
from audit_analytics.language.wording import list_names, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audit_analytics.cases import Case
    from audit_analytics.detect._engine import Detection


def _explain(detection: Detection, _untold: Sequence[Case]) -> Iterator[Hit]:
    grid = detection.panel.grid
    for common in detection.common:
        day = grid.days(0)[common.day]
        start, end = grid.day_span(day)
        apps = [str(app) for app in detection.panel.apps[common.apps]]
        yield Hit(
            detector="COMMON",
            kind="mixture",
            entity_type="tenant",
            entity="apps",
            start_at=start,
            end_at=end,
            observed=float(len(apps)),
            unit=mark("apps that changed at once"),
            severity="medium",
            facts={
                "way": detection.groups[common.group].short,
                "apps": apps,
                "tested": common.tested,
            },
            where={"app_id": tuple(apps)},
        )


def _say(hit: Hit, who: str, zone: str) -> str:  # noqa: ARG001 - a change of all has no entity
    way: str = hit.facts["way"]
    return _(
        "This week differs as a whole: {apps} of {tested} apps stood out by {way} {when} ({names}). "
        "Each was judged against what they all did.",
        apps=len(hit.facts["apps"]),
        tested=hit.facts["tested"],
        way=_(way),
        when=say_when(hit, zone),
        names=list_names([label_entity(app, "app") for app in hit.facts["apps"]]),
    )


COMMON = WeekGroup(
    name="COMMON",
    title=mark("The week differs as a whole"),
    kind="mixture",
    method=mark("days on which many apps changed in the same way, against other days"),
    sentence=_say,
    benign=(
        mark("a release of something that many apps rely on"),
        mark("a change of the tenant's network, or an event that everybody works for"),
    ),
    steps=(
        mark("Ask what changed for everybody on this day before looking at any single app."),
        mark("Look at the apps that stood out and have nothing to do with it."),
    ),
    explained=_explain,
)
