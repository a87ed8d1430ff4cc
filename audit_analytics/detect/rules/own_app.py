"""Rule: find calls of this tool's own app that this tool does not make.

From a network its app was never seen on, or of other APIs than the audit log's and those for
tokens. An API that the app used in earlier weeks stands alone only if it is sensitive: the
app may deliver the report as well.

Examples
--------
>>> from audit_analytics import load
>>> from audit_analytics.detect import RuleInput
>>> call = {"id": "1", "event_time": 1794369600, "app_id": "cli_own"}
>>> events = load([call | {"api_key": "GET/open-apis/contact/v3/users"}])
>>> hits = find_own_misuse(RuleInput.from_events(events, own_apps={"cli_own"}))
>>> [(hit.entity, hit.severity, hit.facts["apis"]) for hit in hits]
[('cli_own', 'high', ['GET/open-apis/contact/v3/users'])]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect._tables import SECOND, is_known
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark
from audit_analytics.language.wording import list_names, say_apis, say_calls, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput

OWN_CATEGORIES: Final = frozenset({"audit_access", "token_issuance"})
"""What this tool calls."""


def _say(hit: Hit, who: str, zone: str) -> str:
    values = {
        "entity": who,
        "networks": list_names(hit.facts["networks"]),
        "apis": say_apis(hit.facts["apis"]),
        "when": say_when(hit, zone),
        "calls": say_calls(hit.observed),
    }
    if hit.facts["networks"]:
        return _(
            "{entity} is this tool's own app and called from {networks}, where it was never seen "
            "before, {when}: {calls}.",
            **values,
        )
    return _("{entity} is this tool's own app and used {apis} {when}: {calls}.", **values)


@rule(
    name="rule:own_app",
    title=mark("This tool's own app was used otherwise"),
    kind="sensitive_api",
    severity="high",
    sentence=_say,
    techniques=("T1078.004", "T1528"),
    benign=(
        mark("this tool was moved to another machine"),
        mark("the app delivers the report, or another program shares its secret"),
    ),
    steps=(
        mark("Find out who owns the address, and whether this tool ran there."),
        mark("If it did not, rotate this app's secret first: it reads the whole audit log."),
        mark(
            "Give the app no scope but the audit log's, and restrict it to this machine's address."
        ),
    ),
    place=0,
    begins=True,
)
def find_own_misuse(data: RuleInput) -> Iterator[Hit]:
    """Find calls of this tool's own app that this tool does not make."""
    yield from _find_other_apis(data)
    yield from _find_new_networks(data)


def _find_other_apis(data: RuleInput) -> Iterator[Hit]:
    other = data.own_by_api[~data.own_by_api["category"].isin(OWN_CATEGORIES)]
    used = data.in_week(other)
    known = is_known(used, data.before_week(other), ["app_id", "api"])
    alone = ~known | used["severity"].isin(schema.SENSITIVE)
    for (app_id, stands), rows in used.groupby(["app_id", alone], observed=True):
        apis = sorted(rows["api"].astype("str").unique())
        found = [name for name in schema.SEVERITIES if name in set(rows["severity"].astype("str"))]
        yield Hit(
            entity_type="app",
            entity=str(app_id),
            start_at=rows["first_at"].min(),
            end_at=rows["last_at"].max() + SECOND,
            observed=float(rows["calls_count"].sum()),
            unit=mark("calls in the week"),
            severity=max(["medium", *found], key=schema.SEVERITIES.index),
            alone=bool(stands),
            facts={"apis": apis, "networks": []},
            where={"app_id": (str(app_id),), "api": tuple(apis)},
        )


def _find_new_networks(data: RuleInput) -> Iterator[Hit]:
    calls = data.own_by_ip[~data.own_by_ip["network"].isin(schema.NO_PLACE)]
    past = data.before_week(calls)
    week = data.in_week(calls)
    # an app that is itself new has no network that it was not seen on before
    seen_at = past.groupby("app_id", observed=True)["first_at"].min()
    old = [app_id for app_id, at in seen_at.items() if data.is_known_since(at)]
    new = week[week["app_id"].isin(old) & ~is_known(week, past, ["app_id", "network"])]
    for app_id, rows in new.groupby("app_id", observed=True):
        networks = sorted(rows["network"].astype("str").unique())
        yield Hit(
            kind="unusual_ip",
            entity_type="app",
            entity=str(app_id),
            start_at=rows["first_at"].min(),
            end_at=rows["last_at"].max() + SECOND,
            observed=float(rows["calls_count"].sum()),
            unit=mark("calls in the week"),
            facts={"apis": [], "networks": networks},
            where={"app_id": (str(app_id),), "network": tuple(networks)},
        )
