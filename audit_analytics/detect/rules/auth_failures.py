"""Rule: find networks from which several apps fail to authenticate within an hour.

Calls without an app id, or without an address, count as well; an address a try is one
finding about their network. Addresses that each tried enough apps are findings of their own.

Examples
--------
>>> from audit_analytics import load
>>> refused = {"api_key": "GET/x", "log_detail": {"response": '{"code": 99991663}'}}
>>> log = [
...     refused | {"id": f"{n}", "event_time": 1794369600, "app_id": f"cli_{n}", "ip": f"203.0.113.{n}"}
...     for n in range(6)
... ]
>>> [(hit.entity, hit.observed) for hit in find_auth_failures(load(log))]
[('203.0.113.0/24', 6.0)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics.cases import Hit
from audit_analytics.detect._guidance import SHARED_STEPS, SHARED_TECHNIQUES
from audit_analytics.detect._stuffing import StuffingThresholds, find_stuffing
from audit_analytics.detect._tables import SECOND, count_places
from audit_analytics.detect.rules import rule
from audit_analytics.language import _, mark, ngettext
from audit_analytics.language.wording import say_apps, say_times, say_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audit_analytics.detect._rule_input import RuleInput

UNKNOWN: Final = "unknown"
"""Entity of calls that came without an address."""


def _say(hit: Hit, who: str, zone: str) -> str:
    apps, nameless = hit.facts["apps"], hit.facts["nameless"]
    addresses = hit.facts["addresses"]
    values = {
        "entity": who,
        "times": say_times(hit.facts["failures"]),
        "apps": say_apps(len(apps)),
        "addresses": ngettext("{n} address", "{n} addresses", addresses),
        "when": say_when(hit, zone),
    }
    if addresses > 1 and apps and nameless:
        return _(
            "{entity} failed {times} to authenticate as {apps} and without an app id from "
            "{addresses} {when}.",
            **values,
        )
    if addresses > 1 and apps:
        return _(
            "{entity} failed {times} to authenticate as {apps} from {addresses} {when}.", **values
        )
    if addresses > 1:
        return _(
            "{entity} failed {times} to authenticate without an app id from {addresses} {when}.",
            **values,
        )
    if apps and nameless:
        return _(
            "{entity} failed {times} to authenticate as {apps} and without an app id {when}.",
            **values,
        )
    if apps:
        return _("{entity} failed {times} to authenticate as {apps} {when}.", **values)
    return _("{entity} failed {times} to authenticate without an app id {when}.", **values)


@rule(
    name="rule:auth_failures",
    title=mark("Credential stuffing"),
    kind="unusual_ip",
    severity="high",
    sentence=_say,
    techniques=SHARED_TECHNIQUES,
    benign=(
        mark("several apps whose secret was rotated at once"),
        mark("a client that lost its app id"),
    ),
    steps=SHARED_STEPS,
    thresholds=StuffingThresholds,
    place=20,
)
def find_auth_failures(data: RuleInput) -> Iterator[Hit]:
    """Find networks from which several apps fail to authenticate within an hour."""
    thresholds = data.thresholds(StuffingThresholds)
    most = thresholds.auth_failure_apps
    stuffed = data.in_week(find_stuffing(data.every_ip, thresholds))
    tried = stuffed.groupby("ip", observed=True)["app_id"].nunique()
    busy = stuffed["ip"].isin(tried.index[tried >= most]) & (stuffed["ip"] != "")
    alone = stuffed["network"].isin(stuffed.loc[~busy, "network"].unique())
    addresses, networks = (
        count_places(stuffed[~alone], "ip"),
        count_places(stuffed[alone], "network"),
    )
    for kind, table in (("ip", addresses), ("network", networks)):
        for place in table.itertuples():
            one = len(place.addresses) == 1 and place.addresses[0] != ""
            column, name = ("ip", place.addresses[0]) if one else (kind, str(place.Index))
            named = [app_id for app_id in place.apps if app_id]
            yield Hit(
                entity_type=column,
                entity=name or UNKNOWN,
                start_at=place.first_at,
                end_at=place.last_at + SECOND,
                observed=float(len(named) or place.auth),
                unit=mark("apps failing to authenticate")
                if named
                else mark("failures without an app id"),
                facts={
                    "apps": named,
                    "failures": int(place.auth),
                    "addresses": len(place.addresses),
                    "nameless": "" in place.apps,
                },
                where={column: (name,), "outcome": ("auth",)},
            )
