"""What an API outside the catalogue may do, by its method and the words of its path.

A guess: it rates a call no higher than ``high``, and a catalogue of the user's own takes its place.
"""

from __future__ import annotations

import re
from typing import Final

_SEGMENTS: Final = 3
"""So many segments at the end of a path, placeholders left out, say what is done to what."""

# between words: where a capital begins one, and whatever is neither letter nor digit
_BREAK: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")


def _any_of(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b")


_NAMED: Final = tuple(
    (_any_of(words), category, reading, writing)
    for words, category, reading, writing in (
        # words of a path, then category and severity of reading and of writing
        ("assume role|(?:access|session|authorization) tokens?|authenticat(?:e|ion)|session start",
         "token_issuance", "medium", "medium"),
        ("auth|sso|login(?! profile)|logon|log(?:ged)? in|sign(?:ed)? in|oauth",
         "token_issuance", "medium", "medium"),
        ("passwords?|passwd|credentials?|secrets?|mfa|factors?|login profiles?|key pairs?",
         "credential_reset", "high", "critical"),
        ("(?:access|api|private|deploy|ssh|account|list) keys?", "credential_reset", "high", "critical"),
        ("tokens?", "token_issuance", "medium", "medium"),
        ("audits?|trails?", "audit_access", "high", "high"),
        ("firewalls?|security groups?", "tenant_security", "low", "high"),
        ("security|compliance|logging|detectors?|diagnostic settings?", "tenant_security", "high", "critical"),
        ("roles?|permissions?|privileges?|acls?|grants?|polic(?:y|ies)|bindings?|administrators?|admins?",
         "role_grant", "medium", "critical"),
        ("sessions?|logout|log ?off", "session_control", "medium", "high"),
        ("payroll|salary|salaries|compensation|payslips?|payments?", "payroll_read", "critical", "critical"),
        ("employees?|personnel|staff|resumes?|candidates?", "hr_bulk_read", "high", "high"),
        ("biometrics?|face|fingerprints?", "biometric_read", "critical", "critical"),
        ("exports?|downloads?|downloaded|backups?|snapshots?|dumps?", "doc_export", "high", "high"),
        ("mails?|mailbox|mailboxes|emails?|inbox", "mail_read", "high", "high"),
        ("messages?|chats?", "message_read", "medium", "low"),
        ("users?|accounts?|members?|contacts?", "directory_bulk_read", "medium", "high"),
        ("departments?|groups?|org|orgs|tenant", "directory_bulk_read", "low", "medium"),
        ("applications?|apps?|webhooks?", "app_control", "low", "high"),
        ("files?|documents?|docs?|records?|tables?", "doc_read", "low", "low"),
    )
)  # fmt: skip

_WRITTEN: Final = {
    "doc_read": "bulk_write",
    "directory_bulk_read": "user_lifecycle",
    "hr_bulk_read": "hr_write",
    "payroll_read": "payroll_write",
    "message_read": "message_send",
    "mail_read": "mail_send",
}
"""The category of a write, where reads have one of their own."""

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_READING: Final = re.compile(
    r"^access\b|\b(?:m?get|list|describe|query|search|head|reads?|view|viewed|accessed|fetch|lookup|find"
    r"|filter|select|count|checks?|test|validate|evaluate|verify|preview|scan|watch|decrypt"
    r"|downloads?|downloaded|exports?|acquire|acknowledge|receive)\b"
)
"""Words of what is read with any method: a call by name is a POST whatever it does."""

_DELETING: Final = _any_of(
    "del|deletes?|deleted|removes?|removed|destroy|terminate|drop|purge|truncate|wipe|trash|erase"
)

GUESSES: Final = "\n".join(
    [
        *("\t".join((words.pattern, *rating)) for words, *rating in _NAMED),
        _READING.pattern,
        _DELETING.pattern,
    ]
)
"""What the guesses rest on, to be fingerprinted."""


def propose_rating(api: str) -> tuple[str, str]:
    """Propose what an API outside the catalogue is about, and how bad its abuse could be.

    Parameters
    ----------
    api : str
        Canonical METHOD/path.

    Returns
    -------
    category, severity : str
        Of the first words of the path that name something; by what is done to it where none does.

    Examples
    --------
    >>> propose_rating("GET/open-apis/staff/v1/payslips"), propose_rating("DELETE/x/v1/things/:id")
    (('payroll_read', 'critical'), ('destructive', 'medium'))
    >>> propose_rating("POST/iam.example/CreateAccessKey")
    ('credential_reset', 'critical')
    """
    method, _, path = api.partition("/")
    segments = [_say(part) for part in path.split("/") if part and not part.startswith(":")]
    done = segments[-1] if segments else ""
    deletes = method == "DELETE" or (method not in _READS and bool(_DELETING.search(done)))
    reads = not deletes and (method in _READS or bool(_READING.search(done)))
    named = " / ".join(segments[-_SEGMENTS:])
    for words, category, reading, writing in _NAMED:
        if words.search(named) and not (deletes and writing == "low"):
            return (category, reading) if reads else (_WRITTEN.get(category, category), writing)
    if deletes:
        return "destructive", "medium"
    return "other", "none" if reads else "low"


def guess_severity(api: str) -> str:
    """Guess how sensitive an API outside the catalogue is: critical is only what was looked at."""
    if not api:
        return "unknown"
    severity = propose_rating(api)[1]
    return "high" if severity == "critical" else severity


def _say(segment: str) -> str:
    """Return the words of a segment.

    >>> _say("GetSecretValue"), _say("role-assignments"), _say("listIAMUsers")
    ('get secret value', 'role assignments', 'list iam users')
    """
    return " ".join(word.lower() for word in _BREAK.split(segment) if word)
