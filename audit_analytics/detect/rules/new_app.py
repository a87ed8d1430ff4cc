"""Rule: find apps that are new to the tenant; it stands alone where one read or did what is sensitive.

Needs an inventory: an app that merely calls for the first time may have been there for years.

Examples
--------
>>> from datetime import UTC, datetime
>>> from audit_analytics import load
>>> from audit_analytics.detect import RuleInput
>>> from audit_analytics.inventory import App, Inventory, Version
>>> first = Version("1", datetime(2026, 11, 10, tzinfo=UTC), ())
>>> app = App(app_id="cli_a", versions=(first,), owner="Li Na")
>>> call = {"event_time": 1794369600, "app_id": "cli_a", "log_detail": {"status_code": 200}}
>>> call["api_key"] = "GET/open-apis/im/v1/messages"
>>> old = [call | {"id": f"b{h}", "app_id": "cli_b", "event_time": 1794369600 - h * 3600} for h in range(600)]
>>> events = load([*old, *(call | {"id": str(n)} for n in range(3))])
>>> data = RuleInput.from_events(events, week="2026-W46", inventory=Inventory.of([app]))
>>> [(hit.entity, hit.observed) for hit in find_new_app(data)]
[('cli_a', 3.0)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect._tables import DAY
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, name_owner
from audit_analytics.language.wording import format_start, say_apis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput

NEW_DAYS: Final = 14
"""Age of an app, in days, up to which its first call is that of a new one."""


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} is new to the tenant (owner: {owner}); it first called {when}: {names}.",
        entity=who,
        owner=name_owner(hit.entity) or _("nobody known"),
        when=format_start(hit.start_at, zone),
        names=say_apis(hit.facts["apis"]),
    )


@rule(
    name="rule:new_app",
    title=mark("New app"),
    kind="new_api",
    severity="medium",
    sentence=_say,
    techniques=("T1098.003",),
    benign=(mark("an app that was just approved"),),
    steps=(
        mark("Ask who approved the app, and whether its owner works for the company."),
        mark("Compare its scopes with what it is for."),
    ),
    place=85,
    begins=True,
    first_use=True,
)
def find_new_app(data: RuleInput) -> Iterator[Hit]:
    """Find apps that are new to the tenant."""
    if not (data.has_history and data.inventory):
        return
    born = {
        change.app.app_id: change.after_at
        for change in data.inventory.list_changes()
        if change.is_new
    }
    born |= {
        app.app_id: app.versions[0].published_at
        for app in data.inventory.apps.values()
        if app.versions
    }
    rows = data.by_api[data.by_api["app_id"].isin(born)]
    for app_id, mine in rows.groupby("app_id", observed=True):
        first_at = mine["first_at"].min()
        is_new = first_at - NEW_DAYS * DAY <= pd.Timestamp(born[str(app_id)]) <= first_at
        if not is_new or first_at < data.week.start_at:
            continue
        day = mine[mine["first_at"] < first_at + DAY].sort_values(["first_at", "api"])
        answered = day[day["ok_count"] > 0]
        apis = tuple(day["api"].astype("str").unique())
        yield Hit(
            entity_type="app",
            entity=str(app_id),
            start_at=first_at,
            end_at=first_at + DAY,
            observed=float(day["calls_count"].sum()),
            unit=mark("calls in 24 hours"),
            alone=bool(answered["severity"].isin(schema.SENSITIVE).any()),
            facts={"apis": list(apis)},
            where={"app_id": (str(app_id),), "api": apis},
        )
