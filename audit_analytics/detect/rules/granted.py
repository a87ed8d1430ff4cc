"""Rule: find apps that collect within days of a new grant, with the very scope they gained.

Needs an inventory; a release that asks for a scope and uses it does the same, but seldom as much.

Examples
--------
>>> from datetime import UTC, datetime
>>> from audit_analytics import load
>>> from audit_analytics.detect import RuleInput
>>> from audit_analytics.inventory import App, Grant, Inventory, Version
>>> had, gained = "im:chat:readonly", "im:message.history:readonly"
>>> first = Version("1", datetime(2026, 1, 1, tzinfo=UTC), (had,))
>>> second = Version("2", datetime(2026, 11, 10, tzinfo=UTC), (had, gained))
>>> grants = Grant(had), Grant(gained)
>>> app = App(app_id="cli_a", grants=grants, versions=(first, second))
>>> call = {"event_time": 1794369600, "app_id": "cli_a", "log_detail": {"status_code": 200}}
>>> call["api_key"] = "GET/open-apis/im/v1/messages"
>>> events = load([call | {"id": str(n)} for n in range(30)])
>>> data = RuleInput.from_events(events, inventory=Inventory.of([app]))
>>> [(hit.entity, hit.facts["scopes"]) for hit in find_granted(data)]
[('cli_a', ['im:message.history:readonly'])]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from pydantic import Field

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.catalogue import load_scopes
from audit_analytics.detect._detector import Thresholds
from audit_analytics.detect._guidance import ROTATE
from audit_analytics.detect._tables import HOUR, SECOND
from audit_analytics.detect.rules import rule
from audit_analytics.detect.rules.chain import COLLECT
from audit_analytics.language import _, mark
from audit_analytics.language.wording import format_start, list_names, say_apis, say_calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audit_analytics.detect._rule_input import RuleInput


class GrantedThresholds(Thresholds):
    """Thresholds of this rule."""

    granted_hours: int = Field(72, ge=1, description="hours from a grant to its first use")
    granted_calls: int = Field(20, ge=1, description="calls with a new scope that stand alone")


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} was granted {scopes} {granted} and began to collect with it {when} ({names}): "
        "{calls}.",
        entity=who,
        scopes=list_names(hit.facts["scopes"]),
        granted=format_start(hit.facts["granted_at"], zone),
        when=format_start(hit.start_at, zone),
        names=say_apis(hit.facts["apis"]),
        calls=say_calls(hit.observed),
    )


@rule(
    name="rule:granted",
    title=mark("Granted, then collected"),
    kind="sensitive_api",
    severity="high",
    sentence=_say,
    techniques=("T1098.003", "T1213"),
    benign=(mark("a release whose new feature needs the scope"),),
    steps=(
        mark("Ask who asked for the scope and who approved the version that has it."),
        mark("Compare what was collected with what the app is for."),
        ROTATE,
    ),
    thresholds=GrantedThresholds,
    place=15,
    first_use=True,
)
def find_granted(data: RuleInput) -> Iterator[Hit]:
    """Find apps that collect within days of a new grant, with the very scope they gained."""
    limits = data.thresholds(GrantedThresholds)
    within = limits.granted_hours * HOUR
    known, rows = load_scopes(), data.by_api
    collected = rows[
        (rows["ok_count"] > 0)
        & rows["severity"].isin(schema.SENSITIVE)
        & rows["category"].isin(COLLECT)
    ]
    for change in data.inventory.list_changes() if data.inventory else ():
        until = pd.Timestamp(change.by_at) + within
        if not change.scopes or until < data.week.start_at:
            continue

        def list_apis(scopes: Iterable[str]) -> set[str]:
            return {api for name in scopes if name in known for api in known[name].apis}

        opened = list_apis(change.scopes) - list_apis(change.had)
        used = collected[(collected["app_id"] == change.app.app_id) & collected["api"].isin(opened)]
        before = used.loc[used["first_at"] < change.after_at, "api"].astype("str").unique()
        used = used[~used["api"].isin(before) & (used["first_at"] <= until)]
        if used.empty or not data.week.start_at <= used["first_at"].min() < data.week.end_at:
            continue
        apis = tuple(sorted(used["api"].astype("str").unique()))
        yield Hit(
            entity_type="app",
            entity=change.app.app_id,
            start_at=used["first_at"].min(),
            end_at=used["last_at"].max() + SECOND,
            observed=float(used["calls_count"].sum()),
            unit=mark("calls with a new scope"),
            alone=bool(used["ok_count"].sum() >= limits.granted_calls),
            facts={
                "apis": list(apis),
                "scopes": sorted(s for s in change.scopes if not list_apis([s]).isdisjoint(apis)),
                "granted_at": pd.Timestamp(change.by_at),
            },
            where={"app_id": (change.app.app_id,), "api": apis},
        )
