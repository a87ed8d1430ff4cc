"""Detector REST: the cases within the budget that are not told one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect._group import WeekGroup
from audit_analytics.language import label_entity, mark, ngettext
from audit_analytics.language.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audit_analytics.cases import Case
    from audit_analytics.detect._engine import Detection


def _explain(detection: Detection, untold: Sequence[Case]) -> Iterator[Hit]:
    if not untold:
        return
    grid = detection.panel.grid
    days = grid.days(0)
    apps = [case.entity for case in untold if case.entity_type == "app"]
    least = "low" if detection.quiet else "medium"
    yield Hit(
        detector="REST",
        kind="mixture",
        entity_type="tenant",
        entity="apps",
        start_at=grid.day_span(days[0])[0],
        end_at=grid.day_span(days[-1])[1],
        observed=float(len(untold)),
        unit=mark("cases that are not told one by one"),
        severity=max((least, *(c.rarity for c in untold)), key=schema.SEVERITIES.index),
        facts={
            "untold": [(case.entity, case.entity_type) for case in untold],
            "quiet": detection.quiet,
            "crowd": True,
        },
        where={"app_id": tuple(apps)} if apps else {},
    )


def _say(hit: Hit, who: str, zone: str) -> str:  # noqa: ARG001 - what is left has no entity
    count = len(hit.facts["untold"])
    names = list_names([label_entity(*entity) for entity in hit.facts["untold"]])
    if hit.facts["quiet"]:
        return ngettext(
            "{n} more case is within the alarm budget, in a week that brought no more than chance "
            "does; it is counted here, not told ({names}).",
            "{n} more cases are within the alarm budget, in a week that brought no more than chance "
            "does; they are counted here, not told ({names}).",
            count,
            names=names,
        )
    return ngettext(
        "This week differs as a whole: {n} more case was as rare as those told one by one; it "
        "is counted here, not told ({names}).",
        "This week differs as a whole: {n} more cases were as rare as those told one by one; "
        "they are counted here, not told ({names}).",
        count,
        names=names,
    )


REST = WeekGroup(
    name="REST",
    title=mark("More cases than are told"),
    kind="mixture",
    method=mark(
        "cases beyond three times the alarm budget, or beyond a report of twice the budget in a "
        "week that brought no more than chance does"
    ),
    sentence=_say,
    benign=(mark("a week in which chance brought a few cases more"),),
    steps=(
        mark("Look at them when those told one by one are done."),
        mark("If there are many, ask what changed for everybody in this week."),
    ),
    explained=_explain,
)
