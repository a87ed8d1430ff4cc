"""What the codes of the report dict are called: severities, kinds, outcomes, categories."""

from __future__ import annotations

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
    """Write a code of the report dict as people call it; anything else comes back as it is."""
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
    """
    return _(WORDS[code]) if code in WORDS else code


def say_decision(verdict: Mapping[str, Any]) -> str:
    """Write what a person decided about a finding, and the day, without the note."""
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
    """
    order = ("unknown", *reversed(schema.SEVERITIES))
    return _(", ").join(
        _("{count} {severity}", count=say_number(severities.count(name)), severity=say_code(name))
        for name in order
        if name in severities
    )


def name_outcome(outcome: str) -> str:
    """Write the outcome of a call as people call it."""
    return _(OUTCOMES[outcome]) if outcome in OUTCOMES else outcome


def name_response(name: str) -> str:
    """Write a code and outcome, as a finding's contributors have them, as people call them."""
    code, _space, outcome = name.partition(" ")
    return f"{code} ({name_outcome(outcome.strip('()'))})" if outcome else code


CATEGORIES: Final = {
    "ai_query": mark("ai query"),
    "app_control": mark("app control"),
    "app_inventory": mark("app inventory"),
    "approval_action": mark("approval action"),
    "approval_read": mark("approval read"),
    "attendance_read": mark("attendance read"),
    "audit_access": mark("audit access"),
    "biometric_read": mark("biometric read"),
    "bulk_write": mark("bulk write"),
    "calendar_exchange": mark("calendar exchange"),
    "calendar_read": mark("calendar read"),
    "chat_admin": mark("chat admin"),
    "chat_enum": mark("chat enum"),
    "code_publish": mark("code publish"),
    "credential_reset": mark("credential reset"),
    "destructive": mark("destructive"),
    "directory_bulk_read": mark("directory bulk read"),
    "directory_single_read": mark("directory single read"),
    "doc_enum": mark("doc enum"),
    "doc_export": mark("doc export"),
    "doc_read": mark("doc read"),
    "drive_permission": mark("drive permission"),
    "drive_permission_read": mark("drive permission read"),
    "event_subscribe": mark("event subscribe"),
    "hiring_bulk_read": mark("hiring bulk read"),
    "hr_bulk_read": mark("hr bulk read"),
    "hr_other": mark("hr other"),
    "hr_write": mark("hr write"),
    "mail_admin": mark("mail admin"),
    "mail_other": mark("mail other"),
    "mail_read": mark("mail read"),
    "mail_rule": mark("mail rule"),
    "mail_send": mark("mail send"),
    "meeting_content": mark("meeting content"),
    "meeting_export": mark("meeting export"),
    "message_mass_send": mark("message mass send"),
    "message_read": mark("message read"),
    "message_send": mark("message send"),
    "org_structure_write": mark("org structure write"),
    "other": mark("other"),
    "partner_org_read": mark("partner org read"),
    "payroll_config_read": mark("payroll config read"),
    "payroll_read": mark("payroll read"),
    "payroll_write": mark("payroll write"),
    "performance_read": mark("performance read"),
    "role_grant": mark("role grant"),
    "session_control": mark("session control"),
    "table_bulk_read": mark("table bulk read"),
    "tenant_recon": mark("tenant recon"),
    "tenant_security": mark("tenant security"),
    "token_issuance": mark("token issuance"),
    "unknown": mark("unknown"),
    "usage_stats_read": mark("usage stats read"),
    "user_identity_read": mark("user identity read"),
    "user_lifecycle": mark("user lifecycle"),
}
"""Category to its name; a test holds that every one of the catalogue has one."""


def name_category(category: str) -> str:
    """Write a category of APIs as people call it; one of the user's own as it is spelt."""
    return _(CATEGORIES[category]) if category in CATEGORIES else category.replace("_", " ")
