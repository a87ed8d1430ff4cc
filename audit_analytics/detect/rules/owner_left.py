"""Rule: find apps that go on calling after the person who answered for them has left.

Needs two looks at the inventory: told is the change, in the week in which it was seen. Cards say
of every app that nobody answers for it, whenever that began.

Examples
--------
>>> from datetime import UTC, datetime
>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> from audit_analytics import load
>>> from audit_analytics.detect import RuleInput
>>> from audit_analytics.inventory import App, Inventory
>>> from audit_analytics.inventory import read_history, write_snapshot
>>> with TemporaryDirectory() as folder:
...     for day, status in ((9, ""), (11, "resigned")):
...         apps = [App(app_id="cli_a", owner="Wu Fang", owner_status=status)]
...         at = datetime(2026, 11, day, tzinfo=UTC)
...         _ = write_snapshot(Path(folder), Inventory.of(apps, at))
...     inventory = read_history(Path(folder))
>>> call = {"event_time": 1794369600, "app_id": "cli_a", "api_key": "GET/open-apis/im/v1/messages"}
>>> events = load([call | {"id": str(n)} for n in range(3)])
>>> data = RuleInput.from_events(events, week="2026-W46", inventory=inventory)
>>> [(hit.entity, hit.observed) for hit in find_owner_left(data)]
[('cli_a', 3.0)]
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from audit_analytics import schema
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark
from audit_analytics.language.wording import format_start, say_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.cases import Hit
    from audit_analytics.detect._rule_input import RuleInput


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "The owner of {entity} has left the company by {when}, and the app goes on: {calls} since.",
        entity=who,
        when=format_start(hit.facts["seen_at"], zone),
        calls=say_calls(hit.observed),
    )


@rule(
    name="rule:owner_left",
    title=mark("Its owner has left"),
    kind="sensitive_api",
    severity="low",
    sentence=_say,
    techniques=("T1078.004",),
    benign=(mark("somebody took it over, and nobody wrote it down"),),
    steps=(
        mark("Name a new owner in the developer console, or switch the app off."),
        mark("Rotate the app secret: who left may have it."),
    ),
)
def find_owner_left(data: RuleInput) -> Iterator[Hit]:
    """Find apps that go on calling after the person who answered for them has left."""
    answered = data.in_week(data.by_api)
    snapshots = data.inventory.snapshots if data.inventory else ()
    for before, after in pairwise(snapshots):
        seen_at = pd.Timestamp(after.taken_at)
        if not data.week.start_at <= seen_at < data.week.end_at:
            continue
        stayed = {name for name, app in before.apps.items() if not app.owner_left}
        left = [name for name, app in after.apps.items() if name in stayed and app.owner_left]
        rows = answered[answered["app_id"].isin(left) & (answered["first_at"] >= seen_at)]
        sensitive = {*rows.loc[rows["severity"].isin(schema.SENSITIVE), "app_id"].astype("str")}
        for hit in data.hits(rows, unit=mark("calls in the week")):
            severity = "medium" if hit.entity in sensitive else None
            yield replace(hit, severity=severity, facts={**hit.facts, "seen_at": seen_at})
