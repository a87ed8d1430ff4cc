"""Advice that several detectors give in the same words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from audit_analytics.language import _, mark, name_owner

if TYPE_CHECKING:
    from collections.abc import Iterable

ASK_OWNER: Final = mark(
    "Ask the app's owner in the developer console whether a release or a backfill ran then."
)
ASK_NAMED: Final = mark(
    "Ask {owner} in the developer console whether a release or a backfill ran then."
)
CONTAIN: Final = mark(
    "To stop the app, after asking: an administrator switches it off in the admin console, or {call} "
    "(scope admin:app.enable:write)."
)
ROTATE: Final = mark(
    "If nobody knows of it, rotate the app secret and restrict the app to its known addresses."
)
BACKFILL: Final = mark("a backfill or migration")

VOLUME_BENIGN: Final = (
    BACKFILL,
    mark("a retry loop after a failed release"),
    mark("a seasonal peak"),
)
VOLUME_STEPS: Final = (mark("Look at the top APIs: reading or writing, and of what."), ASK_OWNER)

SENSITIVE_BENIGN: Final = (mark("a periodic export"), mark("a new feature that needs this data"))
SENSITIVE_STEPS: Final = (
    mark("Check whether the app's purpose needs these APIs, and who approved the scope."),
    ASK_OWNER,
    ROTATE,
)

ERRORS_TITLE: Final = mark("Error burst")
ERRORS_BENIGN: Final = (
    mark("an expired configuration"),
    mark("a scope that was withdrawn"),
    mark("a deleted object still polled"),
)
ERRORS_STEPS: Final = (
    mark(
        "Look at the response codes: one code on one API is mostly a defect, many APIs are a search."
    ),
    ASK_OWNER,
)

NETWORK_TITLE: Final = mark("Calls from a new network")
NETWORK_TECHNIQUES: Final = ("T1078.004", "T1550.001")
NETWORK_BENIGN: Final = (
    mark("a move to another cloud region"),
    mark("a new egress address"),
    mark("a developer testing by hand"),
)
NETWORK_STEPS: Final = (
    mark("Find out who owns the address, and whether other apps moved there, too."),
    mark("Compare what was called from there with what the app usually calls."),
    ROTATE,
)

SHARED_TITLE: Final = mark("One address, many apps")
SHARED_TECHNIQUES: Final = ("T1110.004", "T1528")
SHARED_BENIGN: Final = (
    mark("a new egress gateway"),
    mark("an integration platform that serves many apps"),
)
SHARED_STEPS: Final = (
    mark("Find out who owns the address."),
    mark("Check each app's successes from this address, above all right after the failures."),
    mark("Block the address and rotate the secrets of the apps that succeeded."),
)


def say_steps(steps: Iterable[str], app_id: str, *, stop: object) -> list[str]:
    """Say what to do next, with the owner's name where one is known.

    Parameters
    ----------
    steps : iterable of str
        English texts.
    app_id : str
        The app it is about; empty if it is about none.
    stop : object
        Whether to say, too, how to stop the app; this tool never does.

    Returns
    -------
    list of str
        In the current language. The last is the ready call; none for a text that is no app id,
        which would make another call.

    Examples
    --------
    >>> say_steps([], "cli_a1?x=/../", stop=True), len(say_steps([], "cli_a1", stop=True))
    ([], 1)
    """
    owner = name_owner(app_id)
    said = [_(ASK_NAMED, owner=owner) if owner and s == ASK_OWNER else _(s) for s in steps]
    if stop and re.fullmatch(r"cli_\w{1,60}", app_id, re.ASCII):
        path = f"/open-apis/application/v6/applications/{app_id}/management"
        said.append(_(CONTAIN, call=f'PUT {path} {{"enable": false}}'))
    return said
