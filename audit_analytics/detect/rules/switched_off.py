"""Rule: find apps that are answered though they are switched off or not installed any more.

Needs an inventory. What an app was before and after the days on which it was seen off is unknown.

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
...     for day, value in ((1, "on"), (10, "off")):
...         apps = [App(app_id="cli_a", status=value)]
...         at = datetime(2026, 11, day, tzinfo=UTC)
...         _ = write_snapshot(Path(folder), Inventory.of(apps, at))
...     inventory = read_history(Path(folder))
>>> call = {"event_time": 1794369600, "app_id": "cli_a", "log_detail": {"status_code": 200}}
>>> call["api_key"] = "GET/open-apis/im/v1/messages"
>>> events = load([call | {"id": str(n)} for n in range(3)])
>>> data = RuleInput.from_events(events, inventory=inventory)
>>> [(hit.entity, hit.observed) for hit in find_switched_off(data)]
[('cli_a', 3.0)]
"""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import pandas as pd

from audit_analytics.detect._guidance import ROTATE
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark
from audit_analytics.language.wording import format_start, say_calls, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.cases import Hit
    from audit_analytics.detect._rule_input import RuleInput

OFF: Final = frozenset({"off", "gone"})


def _say(hit: Hit, who: str, zone: str) -> str:
    values = {
        "entity": who,
        "since": format_start(hit.facts["off_at"], zone),
        "calls": say_calls(hit.observed),
        "when": say_when(hit, zone),
    }
    if hit.facts["gone"]:
        return _(
            "{entity} is not among the installed apps since {since} and was answered all the same: "
            "{calls} {when}.",
            **values,
        )
    return _(
        "{entity} is switched off since {since} and was answered all the same: {calls} {when}.",
        **values,
    )


@rule(
    name="rule:switched_off",
    title=mark("Calls of an app that is off"),
    kind="sensitive_api",
    severity="high",
    sentence=_say,
    techniques=("T1078.004", "T1550.001"),
    benign=(mark("it was switched on again after the apps were last asked for"),),
    steps=(
        mark("Look in the admin console whether the app is on, and who switched it."),
        ROTATE,
    ),
    place=25,
)
def find_switched_off(data: RuleInput) -> Iterator[Hit]:
    """Find apps that are answered though they are switched off or not installed any more."""
    answered = data.in_week(data.by_api)
    answered = answered[answered["ok_count"] > 0]
    snapshots = data.inventory.snapshots if data.inventory else ()
    for seen, after in zip_longest(snapshots, snapshots[1:]):
        since = pd.Timestamp(seen.taken_at)
        # nothing says how it was between the last look that found it off and a later snapshot
        until = pd.Timestamp(seen.fetched_at) if after else data.week.end_at
        off = {app.app_id: app for app in seen.apps.values() if app.status in OFF}
        rows = answered[answered["app_id"].isin(off)]
        rows = rows[(rows["first_at"] >= since) & (rows["first_at"] <= until)]
        for hit in data.hits(rows, unit=mark("calls in the week")):
            gone = off[hit.entity].status == "gone"
            yield replace(hit, facts={**hit.facts, "off_at": since, "gone": gone})
