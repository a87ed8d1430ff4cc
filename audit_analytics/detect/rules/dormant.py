"""Rule: find apps that wake after weeks without a call.

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

from typing import TYPE_CHECKING

import pandas as pd
from pydantic import Field

from audit_analytics.cases import Hit
from audit_analytics.detect.detector import Thresholds
from audit_analytics.detect.guidance import ROTATE
from audit_analytics.detect.rule_input import SECOND
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import format_start, say_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect.rule_input import RuleInput


class DormantThresholds(Thresholds):
    """Thresholds of this rule."""

    dormant_days: int = Field(30, ge=1, description="days without a call that make an app dormant")
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
    quiet = pd.Timedelta(days=thresholds.dormant_days)
    last = data.last_seen
    apps = (
        data.in_week(data.by_api)
        .groupby("app_id", observed=True)
        .agg(first_at=("first_at", "min"), last_at=("last_at", "max"), calls=("calls_count", "sum"))
    )
    apps = apps.join(last.rename("slept_at"), how="inner")
    for app in apps[apps["first_at"] - apps["slept_at"] >= quiet].itertuples():
        yield Hit(
            entity_type="app",
            entity=str(app.Index),
            start_at=app.first_at,
            end_at=app.last_at + SECOND,
            observed=float(app.calls),
            unit=mark("calls in the week"),
            severity="low" if app.calls < thresholds.dormant_calls else None,
            facts={"quiet_days": (app.first_at - app.slept_at).days},
            where={"app_id": (str(app.Index),)},
        )
