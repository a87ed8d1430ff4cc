"""Rule: find apps that gained a redirect host of a domain that no other app of the tenant has.

Needs an inventory. Who signs in is sent there with a code that opens what the app may see.

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
...     for day, value in ((1, ("a.example.com",)), (10, ("login.example.net",))):
...         apps = [App(app_id="cli_a", hosts=value), App(app_id="cli_b", hosts=("b.example.com",))]
...         at = datetime(2026, 11, day, tzinfo=UTC)
...         _ = write_snapshot(Path(folder), Inventory.of(apps, at))
...     inventory = read_history(Path(folder))
>>> call = {"event_time": 1794369600, "app_id": "cli_a", "log_detail": {"status_code": 200}}
>>> call["api_key"] = "GET/open-apis/im/v1/messages"
>>> events = load([call | {"id": str(n)} for n in range(3)])
>>> data = RuleInput.from_events(events, inventory=inventory)
>>> [(hit.entity, hit.facts["hosts"]) for hit in find_redirect_host(data)]
[('cli_a', ['login.example.net'])]
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pandas as pd

from audit_analytics.cases import Hit
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark
from audit_analytics.language.wording import format_start, list_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput

_SUFFIX: Final = re.compile(r"(?:com|net|org|gov|edu|ac|co)\.[a-z]{2}")
"""Second levels under which domains are registered, such as com.cn."""


def _say(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} may send people who sign in to {hosts} since {when}; no other app does.",
        entity=who,
        hosts=list_names(hit.facts["hosts"]),
        when=format_start(hit.start_at, zone),
    )


@rule(
    name="rule:redirect_host",
    title=mark("Redirect to a foreign host"),
    kind="unusual_ip",
    severity="medium",
    sentence=_say,
    techniques=("T1528",),
    benign=(mark("a new vendor that signs people in"),),
    steps=(
        mark("Find out whose host it is, and who added it in the developer console."),
        mark("Remove the redirect address if nobody knows of it."),
    ),
    place=35,
)
def find_redirect_host(data: RuleInput) -> Iterator[Hit]:
    """Find apps that gained a redirect host of a domain that no other app of the tenant has."""
    if not data.inventory:
        return
    for change in data.inventory.list_changes():
        at = pd.Timestamp(change.by_at)
        if not change.hosts or not data.week.start_at <= at < data.week.end_at:
            continue
        others = {
            _find_domain(host)
            for app in data.inventory.apps.values()
            if app.app_id != change.app.app_id
            for host in app.hosts
        }
        own = {_find_domain(host) for host in change.app.hosts if host not in change.hosts}
        hosts = [host for host in change.hosts if _find_domain(host) not in others | own]
        # a tenant whose apps share no domain has none that is its own
        if hosts and others:
            start_at = max(pd.Timestamp(change.after_at), data.week.start_at)
            yield Hit(
                entity_type="app",
                entity=change.app.app_id,
                start_at=start_at,
                end_at=at,
                observed=float(len(hosts)),
                unit=mark("redirect hosts"),
                facts={"hosts": hosts},
                where={"app_id": (change.app.app_id,)},
            )


def _find_domain(host: str) -> str:
    """Return the part of a host that somebody registered.

    Its last two labels; three under second levels such as ``com.cn``.

    Examples
    --------
    >>> _find_domain("login.corp.example"), _find_domain("a.b.corp.com.cn")
    ('corp.example', 'corp.com.cn')
    """
    labels = host.lower().rstrip(".").split(".")
    return ".".join(labels[-3 if _SUFFIX.fullmatch(".".join(labels[-2:])) else -2 :])
