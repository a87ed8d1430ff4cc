"""What an analyst should know about each kind of finding: techniques, benign causes, next steps.

ATT&CK ids are from MITRE ATT&CK Enterprise, version 17.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audit_analytics.language import mark

ATTACK_VERSION: Final = "17.1"

TECHNIQUES: Final = {
    "T1069.003": "Permission Groups Discovery: Cloud Groups",
    "T1078.004": "Valid Accounts: Cloud Accounts",
    "T1087.004": "Account Discovery: Cloud Account",
    "T1098.003": "Account Manipulation: Additional Cloud Roles",
    "T1110.004": "Brute Force: Credential Stuffing",
    "T1213": "Data from Information Repositories",
    "T1489": "Service Stop",
    "T1499": "Endpoint Denial of Service",
    "T1526": "Cloud Service Discovery",
    "T1528": "Steal Application Access Token",
    "T1530": "Data from Cloud Storage",
    "T1531": "Account Access Removal",
    "T1550.001": "Use Alternate Authentication Material: Application Access Token",
    "T1567": "Exfiltration Over Web Service",
}


@dataclass(frozen=True)
class Guidance:
    """What stands beside a finding whatever its numbers are.

    Parameters
    ----------
    title : str
        Short name, without the entity. Texts are English here and translated where they are shown.
    techniques : tuple of str
        ATT&CK technique ids; none where the cause is as likely no attack at all.
    benign : tuple of str
        Causes that are known to be harmless.
    steps : tuple of str
        What to check next, the quickest first.
    """

    title: str
    techniques: tuple[str, ...]
    benign: tuple[str, ...]
    steps: tuple[str, ...]


_ASK_OWNER = mark(
    "Ask the app's owner in the developer console whether a release or a backfill ran then."
)
_ROTATE = mark(
    "If nobody knows of it, rotate the app secret and restrict the app to its known addresses."
)

_VOLUME = Guidance(
    mark("Unusual number of calls"),
    ("T1213", "T1499"),
    (
        mark("a backfill or migration"),
        mark("a retry loop after a failed release"),
        mark("a seasonal peak"),
    ),
    (mark("Look at the top APIs: reading or writing, and of what."), _ASK_OWNER),
)
_SENSITIVE = Guidance(
    mark("Sensitive APIs used more than usual"),
    ("T1213", "T1530"),
    (mark("a periodic export"), mark("a new feature that needs this data")),
    (
        mark("Check whether the app's purpose needs these APIs, and who approved the scope."),
        _ASK_OWNER,
        _ROTATE,
    ),
)
_ERRORS = Guidance(
    mark("Error burst"),
    (),
    (
        mark("an expired configuration"),
        mark("a scope that was withdrawn"),
        mark("a deleted object still polled"),
    ),
    (
        mark(
            "Look at the response codes: one code on one API is mostly a defect, many APIs are a search."
        ),
        _ASK_OWNER,
    ),
)
_NEW_NETWORK = Guidance(
    mark("Calls from a new network"),
    ("T1078.004", "T1550.001"),
    (
        mark("a move to another cloud region"),
        mark("a new egress address"),
        mark("a developer testing by hand"),
    ),
    (
        mark("Find out who owns the address, and whether other apps moved there, too."),
        mark("Compare what was called from there with what the app usually calls."),
        _ROTATE,
    ),
)
_SHARED = Guidance(
    mark("One address, many apps"),
    ("T1110.004", "T1528"),
    (mark("a new egress gateway"), mark("an integration platform that serves many apps")),
    (
        mark("Find out who owns the address."),
        mark("Check each app's successes from this address, above all right after the failures."),
        mark("Block the address and rotate the secrets of the apps that succeeded."),
    ),
)

GUIDANCE: Final = {
    "VOL": _VOLUME,
    "OBJ": Guidance(
        mark("Unusual number of objects"),
        ("T1213", "T1530"),
        (mark("a backfill or migration"), mark("a report that walks through everything once")),
        (
            mark("Look at which objects these are: a walk through all of them is an export."),
            _ASK_OWNER,
            _ROTATE,
        ),
    ),
    "SLOW": Guidance(
        mark("More objects over several days"),
        ("T1213", "T1530"),
        (mark("more users, or a new source that the app serves"), mark("a backfill at low speed")),
        (
            mark("Look at which objects these are: a slow walk through all of them is a leak."),
            mark("See whether it goes on: growth stays, a leak ends when it has everything."),
            _ASK_OWNER,
            _ROTATE,
        ),
    ),
    "SENS": _SENSITIVE,
    "ERR": _ERRORS,
    "NEWNET": _NEW_NETWORK,
    "NEWAPPS": _SHARED,
    "AUTHAPPS": _SHARED,
    "AUTHFAIL": _SHARED,
    "APIERR": Guidance(
        mark("API fails for many apps"),
        (),
        (
            mark("an incident of the platform in this API"),
            mark("an API that was changed or withdrawn"),
        ),
        (
            mark("Check the platform's status page and the change log of this API."),
            mark("Look at the response codes: one code for every app is the API's, not the apps'."),
        ),
    ),
    "TOK": Guidance(
        mark("Unusual number of token requests"),
        ("T1528", "T1550.001"),
        (mark("a client that does not cache its token"), mark("many instances starting at once")),
        (mark("Check from which addresses the tokens were requested."), _ASK_OWNER, _ROTATE),
    ),
    "API": Guidance(
        mark("Unusual use of one API"),
        ("T1213",),
        (mark("a backfill or migration"), mark("a new batch job")),
        (mark("Look at how many distinct objects were read."), _ASK_OWNER),
    ),
    "NEWAPI": Guidance(
        mark("APIs used for the first time"),
        ("T1526", "T1087.004"),
        (mark("a new release of the app"), mark("a developer trying out APIs")),
        (
            mark("Check whether a release of the app explains the new APIs."),
            mark("Denied calls among them point to somebody who does not know the app's scopes."),
            _ROTATE,
        ),
    ),
    "FOREST": Guidance(
        mark("Unusual in several ways at once"),
        (),
        (mark("a new release of the app"), mark("a change of its schedule")),
        (
            mark("Look at the day as a whole: which APIs, from where, and at what hours."),
            _ASK_OWNER,
        ),
    ),
    "rule:new_network": _NEW_NETWORK,
    "rule:many_networks": _NEW_NETWORK,
    "rule:shared_ip": _SHARED,
    "rule:denied_network": _SHARED,
    "rule:auth_failures": Guidance(
        mark("Credential stuffing"),
        _SHARED.techniques,
        (
            mark("several apps whose secret was rotated at once"),
            mark("a client that lost its app id"),
        ),
        _SHARED.steps,
    ),
    "rule:first_sensitive": Guidance(
        mark("First use of a sensitive API"),
        ("T1213", "T1526"),
        _SENSITIVE.benign,
        _SENSITIVE.steps,
    ),
    "rule:high_impact_write": Guidance(
        mark("High-impact change"),
        ("T1098.003", "T1531"),
        (
            mark("an administrator's script run once"),
            mark("a new release that manages members or permissions"),
        ),
        (
            mark("Look at what was changed, and undo it if nobody asked for it."),
            mark("Check in the admin console who granted the app this scope, and when."),
            _ASK_OWNER,
            _ROTATE,
        ),
    ),
    "rule:chain": Guidance(
        mark("Discovered, collected, sent"),
        ("T1526", "T1213", "T1567"),
        (
            mark("a new report job that reads data and posts a summary"),
            mark("a first release of the app"),
        ),
        (
            mark("Find out where the messages, mails or shared documents went."),
            mark("Compare what was collected with what the app is for."),
            _ASK_OWNER,
            _ROTATE,
        ),
    ),
    "rule:refused_address": Guidance(
        mark("Token used from an address that is not allowed"),
        ("T1528", "T1550.001"),
        (
            mark("a server that moved before its address was added to the app's allow list"),
            mark("a developer trying the app from a new place"),
        ),
        (
            mark("Find out who owns the address; if nobody does, rotate the app secret now."),
            mark("Check what other apps were tried from there."),
            mark("If it is yours, add it to the app's allow list of addresses."),
        ),
    ),
    "rule:own_app": Guidance(
        mark("This tool's own app was used otherwise"),
        ("T1078.004", "T1528"),
        (
            mark("this tool was moved to another machine"),
            mark("the app delivers the report, or another program shares its secret"),
        ),
        (
            mark("Find out who owns the address, and whether this tool ran there."),
            mark("If it did not, rotate this app's secret first: it reads the whole audit log."),
            mark(
                "Give the app no scope but the audit log's, and restrict it to this machine's address."
            ),
        ),
    ),
    "rule:audit_access": Guidance(
        mark("Audit logs read"),
        ("T1526", "T1087.004"),
        (mark("a SIEM or a compliance tool that was just connected"),),
        (mark("Check who runs the app and why it needs the audit log."), _ROTATE),
    ),
    "rule:denied_then_allowed": Guidance(
        mark("Denied, then allowed"),
        ("T1069.003", "T1213"),
        (mark("a scope that was requested, and granted after the first attempts"),),
        (mark("Check who granted the scope, and whether the request was reviewed."), _ROTATE),
    ),
    "rule:dormant": Guidance(
        mark("Dormant app wakes"),
        ("T1078.004",),
        (mark("a yearly or quarterly job"),),
        (mark("Check whether the app still has an owner."), _ROTATE),
    ),
    "rule:enumeration": Guidance(
        mark("Object enumeration"),
        ("T1087.004", "T1213"),
        (mark("a clean-up job that walks through deleted objects"),),
        (
            mark(
                "Look at the ids tried: rising or random ids are guesses, known ids are a stale list."
            ),
            _ASK_OWNER,
            _ROTATE,
        ),
    ),
    "rule:probing": Guidance(
        mark("Permission probing"),
        ("T1069.003", "T1526"),
        (mark("an integration test that walks through all APIs"),),
        (
            mark(
                "Look at which of the APIs answered: these are what the prober now knows it can use."
            ),
            _ASK_OWNER,
            _ROTATE,
        ),
    ),
    "rule:error_burst": _ERRORS,
    "rule:outage": Guidance(
        mark("Platform-wide errors"),
        (),
        (
            mark("an incident of the platform"),
            mark("an expired certificate on the tenant's own gateway"),
        ),
        (
            mark("Check the platform's status page for these hours."),
            mark("Check the tenant's own gateway."),
        ),
    ),
    "rule:rate_limited": Guidance(
        mark("Rate limit reached"), ("T1499",), _VOLUME.benign, _VOLUME.steps
    ),
    "rule:silence": Guidance(
        mark("App fell silent"),
        ("T1489",),
        (mark("a planned shutdown"), mark("a failed release"), mark("an expired secret")),
        (mark("Check whether the service still runs."), _ASK_OWNER),
    ),
}
"""Detector name to guidance; a test holds that every detector has one."""
