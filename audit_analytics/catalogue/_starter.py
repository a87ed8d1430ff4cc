"""A first rating of the APIs the catalogue does not know, to be corrected by the user."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from audit_analytics.catalogue._by_name import propose_rating


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

    Examples
    --------
    >>> print(write_starter([Usage("GET/open-apis/x/v1/audits", 7, 2)]).splitlines()[-1])
    "GET/open-apis/x/v1/audits" = { category = "audit_access", severity = "high" }  # 7 calls, 2 apps
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
