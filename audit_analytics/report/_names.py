"""What the codes of the report dict are called: severities, kinds, outcomes, categories."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from audit_analytics import schema
from audit_analytics.detect import TACTICS
from audit_analytics.language import Said, _, mark, say_number, use_labels, use_language

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
    """Write a code of the report dict as people call it; anything else comes back as it is.

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

    >>> name_outcome("not_found")
    'not found'
    """
    return _(OUTCOMES[outcome]) if outcome in OUTCOMES else outcome


def name_response(name: str) -> str:
    """Write a code and outcome, as a finding's contributors have them, as people call them.

    >>> name_response("99992351 (not_found)")
    '99992351 (not found)'
    """
    code, _space, outcome = name.partition(" ")
    return f"{code} ({name_outcome(outcome.strip('()'))})" if outcome else code


CATEGORIES: Final = frozenset((
    mark("ai query"), mark("app control"), mark("app inventory"), mark("approval action"),
    mark("approval read"), mark("attendance read"), mark("audit access"), mark("biometric read"),
    mark("bulk write"), mark("calendar exchange"), mark("calendar read"), mark("chat admin"),
    mark("chat enum"), mark("code publish"), mark("credential reset"), mark("destructive"),
    mark("directory bulk read"), mark("directory single read"), mark("doc enum"),
    mark("doc export"), mark("doc read"), mark("drive permission"), mark("drive permission read"),
    mark("event subscribe"), mark("hiring bulk read"), mark("hr bulk read"), mark("hr other"),
    mark("hr write"), mark("mail admin"), mark("mail other"), mark("mail read"),
    mark("mail rule"), mark("mail send"), mark("meeting content"), mark("meeting export"),
    mark("message mass send"), mark("message read"), mark("message send"),
    mark("org structure write"), mark("other"), mark("partner org read"),
    mark("payroll config read"), mark("payroll read"), mark("payroll write"),
    mark("performance read"), mark("role grant"), mark("session control"),
    mark("table bulk read"), mark("tenant recon"), mark("tenant security"),
    mark("token issuance"), mark("unknown"), mark("usage stats read"), mark("user identity read"),
    mark("user lifecycle"),
))  # fmt: skip
"""What the categories of APIs are called; a test holds that every one of the catalogue is."""


def name_category(category: str) -> str:
    """Write a category of APIs as people call it; one of the user's own as it is spelt.

    >>> name_category("hr_bulk_read"), name_category("our_own")
    ('hr bulk read', 'our own')
    """
    name = category.replace("_", " ")
    return _(name) if name in CATEGORIES else name
