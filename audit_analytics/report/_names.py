"""What the codes of the report dict are called: severities, kinds of entities, outcomes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from audit_analytics import schema
from audit_analytics.detect import TACTICS
from audit_analytics.language import Said, _, mark, say_number, use_labels, use_language

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAMES: Final = {
    "critical": mark("Critical"),
    "high": mark("High"),
    "medium": mark("Medium"),
    "low": mark("Low"),
    "none": mark("None"),
    "unknown": mark("Unknown"),
    "app": mark("App"),
    "ip": mark("IP address"),
    "network": mark("Network"),
    "api": mark("API"),
    "tenant": mark("Tenant"),
    "platform": mark("Platform"),
    "apps": mark("Apps"),
    "ips": mark("IP addresses"),
    "networks": mark("Networks"),
    "apis": mark("APIs"),
    "calls": mark("Calls"),
    "errors": mark("Errors"),
    "new": mark("New"),
    "continuing": mark("Continuing"),
    "resolved": mark("Resolved"),
    "suppressed": mark("Suppressed"),
    "unusual_ip": mark("Unusual IPs"),
    "error_burst": mark("Error bursts"),
    "sensitive_api": mark("Sensitive APIs"),
    "new_api": mark("New APIs"),
    "volume": mark("Volume"),
    "silence": mark("Silence"),
    "mixture": mark("Mixture"),
    "object": mark("Object"),
    "grant": mark("Permission granted"),
    **{name: name for _uid, name in TACTICS.values()},
}
"""What the codes of the report dict are called."""

WORDS: Final = {
    "critical": mark("critical"),
    "high": mark("high"),
    "medium": mark("medium"),
    "low": mark("low"),
    "none": mark("none"),
    "unknown": mark("unknown"),
    "app": mark("app"),
    "ip": mark("ip"),
    "network": mark("network"),
    "api": mark("api"),
    "tenant": mark("tenant"),
}
"""What codes are called within a line."""

DECISIONS: Final = {"true": mark("confirmed"), "benign": mark("harmless"), "closed": mark("closed")}
"""What the verdicts of people are called."""

OUTCOMES: Final = {
    "ok": mark("success"),
    "auth": mark("authentication"),
    "permission": mark("permission"),
    "not_found": mark("not found"),
    "rate_limit": mark("rate limit"),
    "param": mark("parameter"),
    "server": mark("server"),
    "other": mark("other"),
    "unknown": mark("unknown"),
}
"""What the outcomes of calls are called."""


@contextmanager
def speak_as(report: Mapping[str, Any]) -> Iterator[None]:
    """Speak a report's language, and call entities as it does.

    Parameters
    ----------
    report : mapping of str to Any
        The report dict.

    Yields
    ------
    None
        Language and labels are the former ones after the block.
    """
    with use_language(report["lang"]), use_labels(Said(report.get("labels", {}))):
        yield


def name_code(code: str) -> str:
    """Write a code of the report dict as people call it: severity, kind of entity, status or total.

    Anything else comes back as it is.

    Examples
    --------
    >>> name_code("ips")
    'IP addresses'
    """
    return _(NAMES[code]) if code in NAMES else code


def say_code(code: str) -> str:
    """Write a code of the report dict within a line.

    Parameters
    ----------
    code : str
        Severity or kind of entity; anything else comes back as it is.

    Returns
    -------
    str
        Its name.

    Examples
    --------
    >>> say_code("high")
    'high'
    """
    return _(WORDS[code]) if code in WORDS else code


def say_decision(verdict: Mapping[str, Any]) -> str:
    """Write what a person decided about a finding, and the day, without the note.

    Examples
    --------
    >>> say_decision({"verdict": "benign", "created": "2026-11-09"})
    'harmless on 2026-11-09'
    """
    decision = DECISIONS[verdict["verdict"]]
    return _("{verdict} on {day}", verdict=_(decision), day=verdict["created"])


def count_severities(severities: Sequence[str]) -> str:
    """Say how many there are of each severity, the worst first.

    Parameters
    ----------
    severities : sequence of str
        One severity a finding.

    Returns
    -------
    str
        A list.

    Examples
    --------
    >>> count_severities(["low", "high", "low"])
    '1 high, 2 low'
    """
    order = ("unknown", *reversed(schema.SEVERITIES))
    return _(", ").join(
        _("{count} {severity}", count=say_number(severities.count(name)), severity=say_code(name))
        for name in order
        if name in severities
    )


def name_outcome(outcome: str) -> str:
    """Write the outcome of a call as people call it.

    Examples
    --------
    >>> name_outcome("not_found")
    'not found'
    """
    return _(OUTCOMES[outcome]) if outcome in OUTCOMES else outcome


def name_response(name: str) -> str:
    """Write a code and outcome, as a finding's contributors have them, as people call them.

    Examples
    --------
    >>> name_response("99992351 (not_found)")
    '99992351 (not found)'
    """
    code, _space, outcome = name.partition(" ")
    return f"{code} ({name_outcome(outcome.strip('()'))})" if outcome else code
