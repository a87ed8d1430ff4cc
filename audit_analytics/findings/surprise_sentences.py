"""Sentences of the surprise groups, the mixture and the addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit_analytics.findings.wording import (
    format_start,
    list_names,
    say_apis,
    say_apps,
    say_calls,
    say_errors,
    say_expected,
    say_times,
    say_when,
    show_api,
)
from audit_analytics.language import _, ngettext, say_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from audit_analytics.cases import Hit


def _volume(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} called {times} {when}; {expected}.",
        entity=who,
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


def _sensitive(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} called sensitive APIs {times} {when}; {expected}.",
        entity=who,
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


def _tokens(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} asked for a token {times} {when}; {expected}.",
        entity=who,
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


def _errors(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} met {errors} {when}; {expected}.",
        entity=who,
        errors=say_errors(hit.observed, hit.facts["label"]),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


def _one_api(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} called {api} {times} {when}; {expected}.",
        entity=who,
        api=show_api(hit.facts["label"]),
        times=say_times(hit.observed),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


def _new_network(hit: Hit, who: str, zone: str) -> str:
    values = {
        "entity": who,
        "networks": list_names(list(hit.facts["networks"])),
        "when": format_start(hit.start_at, zone),
        "calls": say_calls(hit.observed),
    }
    sentences = (
        _(
            "{entity} called from {networks}, which other apps of the tenant use, for the first "
            "time {when}: {calls} within 24 hours.",
            **values,
        ),
        _(
            "{entity} called from {networks}, a neighbour of networks the tenant uses, for the "
            "first time {when}: {calls} within 24 hours.",
            **values,
        ),
        _(
            "{entity} called from {networks}, where nobody in the tenant has called from before, "
            "for the first time {when}: {calls} within 24 hours.",
            **values,
        ),
    )
    sentence, gap = sentences[hit.facts["foreign"]], hit.facts.get("gap_seconds")
    if not gap:
        return sentence
    return _(
        "{sentence} The calls come every {gap}, like a clock.", sentence=sentence, gap=_gap(gap)
    )


def _gap(seconds: float) -> str:
    if seconds >= 0.95 * 3600:
        return _decimal(seconds / 3600, _("hour"), _("{number} hours"))
    if seconds >= 1.95 * 60:
        return _decimal(seconds / 60, _("minute"), _("{number} minutes"))
    return ngettext("{n} second", "{n} seconds", seconds)


def _decimal(value: float, one: str, many: str) -> str:
    number = say_number(value, digits=0 if abs(value - round(value)) < 0.05 else 1)
    return one if number == "1" else many.format(number=number)


def _objects(hit: Hit, who: str, zone: str) -> str:
    values = {
        "entity": who,
        "objects": ngettext("{n} object", "{n} objects", hit.observed),
        "when": say_when(hit, zone),
        "expected": say_expected(hit),
    }
    if hit.facts["hours"] == 1:
        return _("{entity} touched {objects} {when}; {expected}.", **values)
    return _("{entity} touched {objects} {when}, each counted once an hour; {expected}.", **values)


def _slow_objects(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} touched {objects} {when}, each counted once an hour, more than such days used to "
        "add up to; {expected}.",
        entity=who,
        objects=ngettext("{n} object", "{n} objects", hit.observed),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


def _api_errors(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} gave {apps} {errors} {when}, the app hit worst left out; {expected}.",
        entity=who,
        apps=say_apps(hit.facts["apps"]),
        errors=say_errors(hit.observed, hit.facts["label"]),
        when=say_when(hit, zone),
        expected=say_expected(hit),
    )


def _new_apis(hit: Hit, who: str, zone: str) -> str:
    sensitive, denied = hit.facts["sensitive"], hit.facts["denied"]
    values = {
        "entity": who,
        "apis": (
            ngettext("{n} sensitive API", "{n} sensitive APIs", hit.observed)
            if len(sensitive) == hit.observed
            else ngettext("{n} API", "{n} APIs", hit.observed)
        ),
        "when": format_start(hit.start_at, zone),
        "names": say_apis(sensitive or hit.facts["apis"]),
        "sensitive": say_number(len(sensitive)),
        "denied": ngettext("{n} call was denied", "{n} calls were denied", denied),
    }
    mixed = 0 < len(sensitive) < hit.observed
    if mixed and denied:
        return _(
            "{entity} used {apis} for the first time {when}, {sensitive} of them sensitive "
            "({names}); {denied}.",
            **values,
        )
    if mixed:
        return _(
            "{entity} used {apis} for the first time {when}, {sensitive} of them sensitive "
            "({names}).",
            **values,
        )
    if denied:
        return _("{entity} used {apis} for the first time {when} ({names}); {denied}.", **values)
    return _("{entity} used {apis} for the first time {when} ({names}).", **values)


def _mixture(hit: Hit, who: str, zone: str) -> str:
    names = {
        "VOL": _("number of calls"),
        "OBJ": _("number of objects"),
        "SLOW": _("number of objects over days"),
        "SENS": _("calls of sensitive APIs"),
        "TOK": _("token requests"),
        "ERR": _("errors"),
        "API": _("mix of APIs"),
        "NEWNET": _("new networks"),
        "NEWAPI": _("new APIs"),
    }
    groups = [names.get(name, name) for name in hit.facts["groups"]]
    return _(
        "{entity} was a little unusual in several ways {when}: {ways}.",
        entity=who,
        when=say_when(hit, zone),
        ways=_(", ").join(groups or [_("everything taken together")]),
    )


def _ip_new_apps(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} served {apps} {when}, {new} of them for the first time.",
        entity=who,
        apps=say_apps(hit.facts["apps"]),
        when=say_when(hit, zone),
        new=say_number(hit.observed),
    )


def _ip_failing_apps(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} saw {apps} fail to authenticate {when}.",
        entity=who,
        apps=say_apps(hit.observed),
        when=say_when(hit, zone),
    )


def _ip_failures(hit: Hit, who: str, zone: str) -> str:
    return _(
        "{entity} brought {failures} in {calls} {when}.",
        entity=who,
        failures=ngettext(
            "{n} authentication failure", "{n} authentication failures", hit.observed
        ),
        calls=say_calls(hit.facts["calls"]),
        when=say_when(hit, zone),
    )


SURPRISE_SENTENCES: Final[dict[str, Callable[[Hit, str, str], str]]] = {
    "VOL": _volume,
    "OBJ": _objects,
    "SLOW": _slow_objects,
    "SENS": _sensitive,
    "TOK": _tokens,
    "ERR": _errors,
    "API": _one_api,
    "NEWNET": _new_network,
    "NEWAPI": _new_apis,
    "FOREST": _mixture,
    "APIERR": _api_errors,
    "NEWAPPS": _ip_new_apps,
    "AUTHAPPS": _ip_failing_apps,
    "AUTHFAIL": _ip_failures,
}
"""Detector to what says its hits: the hit, whom it is about, the tenant's zone."""
