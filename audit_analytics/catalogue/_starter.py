"""A first rating of APIs the catalogue does not know, to be reviewed: by method and words of the path.

It is a proposal and never rates a call by itself: what an unknown API does its path only suggests.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple


class Usage(NamedTuple):
    """How an API outside the catalogue was used.

    Parameters
    ----------
    api : str
        Canonical METHOD/path.
    calls, apps : int
        Calls, and apps that made them.
    """

    api: str
    calls: int
    apps: int


_WORDS: Final = (
    # words of a path, then category and severity of reading and of writing
    ("password|passwords|credential|credentials|secret|secrets|passwd", "credential_reset", "high", "critical"),
    ("token|tokens|oauth", "token_issuance", "medium", "medium"),
    ("role|roles|permission|permissions|privilege|privileges|acl|grant|grants", "role_grant", "medium", "critical"),
    ("session|sessions|logout", "session_control", "medium", "high"),
    ("audit|audits|log|logs", "audit_access", "high", "high"),
    ("security|kms|mfa|policy|policies|compliance", "tenant_security", "high", "critical"),
    ("payroll|salary|salaries|compensation|payslip|payslips|payment|payments", "payroll_read", "critical", "critical"),
    ("employee|employees|personnel|staff|resume|resumes|candidate|candidates", "hr_bulk_read", "high", "high"),
    ("biometric|biometrics|face|fingerprint", "biometric_read", "critical", "critical"),
    ("export|exports|download|downloads|backup|backups", "doc_export", "high", "high"),
    ("mail|mails|mailbox|mailboxes|email|emails", "mail_read", "high", "high"),
    ("message|messages|chat|chats", "message_read", "medium", "low"),
    ("user|users|account|accounts|member|members|contact|contacts", "directory_bulk_read", "medium", "high"),
    ("department|departments|group|groups|org|tenant", "directory_bulk_read", "low", "medium"),
    ("application|applications|app|apps|webhook|webhooks", "app_control", "low", "high"),
    ("file|files|document|documents|doc|docs|record|records|table|tables", "doc_read", "low", "low"),
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
_ASKING: Final = frozenset({"query", "search", "list", "get", "mget", "filter", "batch_get"})
"""Last words of paths that are read with POST."""

_HEAD: Final = """\
# The APIs of the log that the catalogue does not know, rated by method and by what their paths name.
# Look through the ratings, correct them, and set  catalogue = "my_apis.toml"  in the settings.
#
# severity: none, low, medium, high, critical. From high on an API is sensitive: its calls are
# counted apart, a first use is told, and an app that adopts it is rated by it.
# category: what it is about. These switch something on beside a name in the report:
#   token_issuance                              counted as token requests
#   audit_access                                reading the audit log is told
#   app_control, credential_reset, drive_permission, mail_admin, mail_rule, payroll_write,
#   role_grant, session_control, tenant_security, user_lifecycle
#                                               a first write (not GET) is told
#   app_inventory, chat_enum, directory_bulk_read, doc_enum, tenant_recon
#                                               discover, first step of the chain of exfiltration
#   biometric_read, directory_bulk_read, doc_export, hiring_bulk_read, hr_bulk_read, mail_read,
#   meeting_content, message_read, payroll_read, performance_read, table_bulk_read
#                                               collect, its second step, where sensitive
#   drive_permission, event_subscribe, mail_rule, mail_send, message_mass_send, message_send
#                                               send, its third step

[api]
"""


def propose_rating(api: str) -> tuple[str, str]:
    """Propose what an API outside the catalogue is about, and how bad its abuse could be.

    Parameters
    ----------
    api : str
        Canonical METHOD/path.

    Returns
    -------
    category, severity : str
        Of the first word of the path that names something; by the method alone where none does.
    """
    method, _, path = api.partition("/")
    words = [word for segment in path.split("/") for word in re.split(r"[_\-.]", segment.lower())]
    last = path.rsplit("/", 1)[-1].lower()
    reads = method in _READS or last in _ASKING
    for names, category, reading, writing in _WORDS:
        if not set(names.split("|")).isdisjoint(words):
            return (category, reading) if reads else (_WRITTEN.get(category, category), writing)
    if method == "DELETE":
        return "destructive", "medium"
    return "other", "none" if reads else "low"


def write_starter(used: Iterable[Usage]) -> str:
    """Write a catalogue file of APIs, to be edited.

    Parameters
    ----------
    used : iterable of Usage
        APIs outside the catalogue.

    Returns
    -------
    str
        TOML that :func:`load_catalogue` reads: a line an API, the most called group first.
    """
    groups: dict[str, list[Usage]] = defaultdict(list)
    for row in used:
        groups["/".join(row.api.split("/")[1:4])].append(row)
    lines = []
    for rows in sorted(groups.values(), key=lambda rows: (-sum(r.calls for r in rows), rows)):
        lines += ["", f"# {len(rows):,} APIs, {sum(r.calls for r in rows):,} calls"]
        for row in sorted(rows, key=lambda row: (-row.calls, row.api)):
            category, severity = propose_rating(row.api)
            lines.append(
                f'{_quote(row.api)} = {{ category = "{category}", severity = "{severity}" }}'
                f"  # {row.calls:,} calls, {row.apps:,} apps"
            )
    return _HEAD + "\n".join([*lines[1:], ""])


def _quote(text: str) -> str:
    """Write a TOML string; JSON's escapes are TOML's, but for the one character it leaves bare."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
