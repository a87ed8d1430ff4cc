"""Rule: find apps that wake after weeks without a call.

How long an app may be quiet is its own affair: a job that runs once a month sleeps as long every
time. So a sleep is told if it is half as long again as any other of the app, as far back as the log
goes; after thirty days by itself, after two weeks where something else about the app is told.

Examples
--------
>>> from audit_analytics import load
>>> from audit_analytics.detect import RuleInput
>>> call = {"app_id": "cli_a", "api_key": "GET/open-apis/im/v1/chats"}
>>> log = [call | {"id": f"{at}", "event_time": at} for at in (1791000000, 1794369600)]
>>> hits = find_dormant(RuleInput.from_events(load(log), week="2026-W46"))
>>> [(hit.entity, hit.facts["quiet_days"]) for hit in hits]
[('cli_a', 39)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd
from pydantic import Field

from audit_analytics.cases import Hit
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._guidance import ROTATE
from audit_analytics.detect._tables import SECOND
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import format_start, say_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput


LONGER: Final = 1.5
"""Than every other sleep of the app."""


class DormantThresholds(Thresholds):
    """Thresholds of this rule."""

    dormant_days: int = Field(30, ge=1, description="days without a call that make an app dormant")
    asleep_days: int = Field(
        14, ge=1, description="days without a call that are told if the app stands out otherwise"
    )
    dormant_calls: int = Field(3, ge=1, description="fewer calls after it are of low severity")


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} woke {when} after {days} without a call: {calls}.",
        entity=who,
        when=format_start(hit.start_at, zone),
        days=ngettext("{n} day", "{n} days", hit.facts["quiet_days"]),
        calls=say_calls(hit.observed),
    )


@rule(
    name="rule:dormant",
    title=mark("Dormant app wakes"),
    kind="volume",
    severity="medium",
    sentence=_say,
    techniques=("T1078.004",),
    benign=(mark("a yearly or quarterly job"),),
    steps=(mark("Check whether the app still has an owner."), ROTATE),
    thresholds=DormantThresholds,
    place=80,
)
def find_dormant(data: RuleInput) -> Iterator[Hit]:
    """Find apps that wake after weeks without a call."""
    thresholds = data.thresholds(DormantThresholds)
    shortest = min(thresholds.asleep_days, thresholds.dormant_days)
    apps = (
        data.in_week(data.by_api)
        .groupby("app_id", observed=True)
        .agg(first_at=("first_at", "min"), last_at=("last_at", "max"), calls=("calls_count", "sum"))
    )
    apps = apps.join(data.last_seen.rename("slept_at"), how="inner")
    apps = apps.assign(quiet=apps["first_at"] - apps["slept_at"])
    apps = apps[apps["quiet"] >= pd.Timedelta(days=shortest)]
    usual = _find_longest_sleep(data, apps.index)
    for app in apps[apps["quiet"] >= LONGER * usual].itertuples():
        yield Hit(
            entity_type="app",
            entity=str(app.Index),
            start_at=app.first_at,
            end_at=app.last_at + SECOND,
            observed=float(app.calls),
            unit=mark("calls in the week"),
            severity="low" if app.calls < thresholds.dormant_calls else None,
            alone=app.quiet >= pd.Timedelta(days=thresholds.dormant_days),
            facts={"quiet_days": app.quiet.days},
            where={"app_id": (str(app.Index),)},
        )


def _find_longest_sleep(data: RuleInput, apps: pd.Index) -> pd.Series:
    """Return the longest time that each app did not call before it fell asleep."""
    past = data.before_week(data.all_calls)
    hours = past[past["app_id"].isin(apps)].groupby(["app_id", "bucket_at"], observed=True)
    spans = hours.agg(first=("first_at", "min"), last=("last_at", "max")).reset_index()
    before = spans.groupby("app_id", observed=True)["last"].shift()
    longest = (spans["first"] - before).groupby(spans["app_id"], observed=True).max()
    return longest.reindex(apps).fillna(pd.Timedelta(0))
