"""Sentences of the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics.findings.wording import (
    format_start,
    list_names,
    say_apis,
    say_apps,
    say_calls,
    say_errors,
    say_outcome,
    say_times,
    say_when,
    show_api,
)
from audit_analytics.language import _, ngettext, say_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from audit_analytics.cases import Hit


def _foreign_network(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} called from {network}, foreign to the whole tenant, for the first time {when}.",
        entity=who,
        network=hit.facts["network"],
        when=format_start(hit.start_at, zone),
    )


def _many_networks(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} called from {networks} {when}; never more than {usual} before.",
        entity=who,
        networks=ngettext("{n} network", "{n} networks", hit.observed),
        when=say_when(hit, zone),
        usual=say_number(hit.facts["usual"]),
    )


def _shared_ip(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} is new to the tenant, and {apps} called from it {when}.",
        entity=who,
        apps=say_apps(hit.observed),
        when=say_when(hit, zone),
    )


def _denied_network(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} lies in {network}, which is on the deny list; {calls} came from it {when}.",
        entity=who,
        network=hit.facts["network"],
        calls=say_calls(hit.observed),
        when=say_when(hit, zone),
    )


def _auth_failures(hit: Hit, who: str, zone: str) -> str:
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


def _refused_address(hit: Hit, who: str, zone: str) -> str:
    values = {
        "entity": who,
        "network": hit.facts["network"],
        "times": say_times(hit.observed),
        "when": say_when(hit, zone),
    }
    if hit.facts["token"]:
        return _(
            "{entity} was given a token on {network}, a network new to it, and was refused there "
            "{times} for its address {when}.",
            **values,
        )
    return _(
        "{entity} called on {network}, a network new to it, and was refused there {times} for its "
        "address {when}.",
        **values,
    )


def _own_app(hit: Hit, who: str, zone: str) -> str:
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


def _high_impact_write(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} changed who may do what with {apis} it never used before, {when} ({names}): "
        "{calls}.",
        entity=who,
        apis=ngettext("{n} API", "{n} APIs", len(hit.facts["apis"])),
        when=format_start(hit.start_at, zone),
        names=say_apis(hit.facts["apis"]),
        calls=say_calls(hit.observed),
    )


def _chain(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} looked around, collected and sent {when} ({steps}); it never did so before.",
        entity=who,
        when=say_when(hit, zone),
        steps=_(", then ").join(show_api(api) for api in hit.facts["apis"]),
    )


def _first_sensitive(hit: Hit, who: str, zone: str) -> str:
    count = len(hit.facts["apis"])
    if hit.facts["critical"]:
        kinds = ngettext("{n} critical API", "{n} critical APIs", count)
    else:
        kinds = ngettext("{n} sensitive API", "{n} sensitive APIs", count)
    return _(
        "{entity} used {apis} for the first time {when} ({names}): {calls}.",
        entity=who,
        apis=kinds,
        when=format_start(hit.start_at, zone),
        names=say_apis(hit.facts["apis"]),
        calls=say_calls(hit.observed),
    )


def _audit_access(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} read audit logs {times} {when} ({names}).",
        entity=who,
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        names=say_apis(hit.facts["apis"]),
    )


def _denied_then_allowed(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} was denied {api} {times} and then allowed {when}.",
        entity=who,
        api=show_api(hit.facts["api"]),
        times=say_times(hit.observed),
        when=say_when(hit, zone),
    )


def _dormant(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} woke {when} after {days} without a call: {calls}.",
        entity=who,
        when=format_start(hit.start_at, zone),
        days=ngettext("{n} day", "{n} days", hit.facts["quiet_days"]),
        calls=say_calls(hit.observed),
    )


def _enumeration(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} tried {objects} of {api} in vain {when}.",
        entity=who,
        objects=ngettext("{n} distinct object", "{n} distinct objects", hit.observed),
        api=show_api(hit.facts["api"]),
        when=say_when(hit, zone),
    )


def _probing(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} was denied {apis} {when} ({names}).",
        entity=who,
        apis=ngettext("{n} distinct API", "{n} distinct APIs", hit.observed),
        when=say_when(hit, zone),
        names=say_apis(hit.facts["apis"]),
    )


def _error_burst(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} met {errors} in {calls} within an hour {when}.",
        entity=who,
        errors=say_errors(hit.observed, hit.facts["outcome"]),
        calls=say_calls(hit.facts["calls"]),
        when=say_when(hit, zone),
    )


def _outage(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} answered {share} % of all calls with {outcome} errors {when}, for {apps}.",
        entity=who,
        share=say_number(100 * hit.facts["share"]),
        outcome=say_outcome(hit.facts["outcome"]),
        when=say_when(hit, zone),
        apps=say_apps(hit.facts["apps"]),
    )


def _rate_limited(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} was rate-limited {times} {when} ({share} % of its calls).",
        entity=who,
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        share=say_number(100 * hit.facts["share"]),
    )


def _silence(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} made no call for {hours}, {when}; {calls} would be usual.",
        entity=who,
        hours=ngettext("{n} hour", "{n} hours", hit.facts["hours"]),
        when=say_when(hit, zone),
        calls=say_calls(hit.expected or 0),
    )


RULE_SENTENCES: Final[dict[str, Callable[[Hit, str, str], str]]] = {
    "rule:new_network": _foreign_network,
    "rule:many_networks": _many_networks,
    "rule:shared_ip": _shared_ip,
    "rule:denied_network": _denied_network,
    "rule:auth_failures": _auth_failures,
    "rule:refused_address": _refused_address,
    "rule:own_app": _own_app,
    "rule:high_impact_write": _high_impact_write,
    "rule:chain": _chain,
    "rule:first_sensitive": _first_sensitive,
    "rule:audit_access": _audit_access,
    "rule:denied_then_allowed": _denied_then_allowed,
    "rule:dormant": _dormant,
    "rule:enumeration": _enumeration,
    "rule:probing": _probing,
    "rule:error_burst": _error_burst,
    "rule:outage": _outage,
    "rule:rate_limited": _rate_limited,
    "rule:silence": _silence,
}
"""Detector to what says its hits: the hit, whom it is about, the tenant's zone."""
