"""What a call came to, and which scope opens which API: two tables as shipped.

``error_codes.csv`` holds the documented business codes of the open platform with their class: those
of the generic codes (9999xxxx) were checked by hand, the others assigned by keyword. ``scopes.csv``
is rebuilt by ``.ci/build_scopes.py``; any one of the scopes that open an API suffices to call it.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

_BY_STATUS: Final = {401: "auth", 403: "permission", 404: "not_found", 429: "rate_limit"}


@cache
def load_codes() -> dict[int, str]:
    """Read the table of business codes: the outcome, one of ``schema.OUTCOMES``, of each.

    >>> load_codes()[99991400]
    'rate_limit'
    """
    text = (files(__package__) / "error_codes.csv").read_text(encoding="utf-8")
    return {int(row["code"]): row["class"] for row in csv.DictReader(text.splitlines())}


def is_http_status(number: int) -> bool:
    """Tell whether a number can be an HTTP status.

    Parameters
    ----------
    number : int
        Any number.

    Returns
    -------
    bool
        True from 100 to 599.

    Examples
    --------
    >>> is_http_status(404), is_http_status(99991400)
    (True, False)
    """
    return 100 <= number <= 599


def contradicts(code: int | None, http_status: int | None) -> bool:
    """Tell whether an answer says success and its HTTP status failure: a gateway may send any body.

    Parameters
    ----------
    code, http_status : int or None
        Business code of the answer, and HTTP status; None if absent.

    Returns
    -------
    bool
        True for a code that means success together with a status from 400; that is no success.

    Examples
    --------
    >>> contradicts(0, 500), contradicts(0, 200), contradicts(99991400, 429), contradicts(0, None)
    (True, False, False, False)
    """
    failed = http_status is not None and is_http_status(http_status) and http_status >= 400
    return failed and code is not None and _classify_code(code) == "ok"


def classify(code: int | None, http_status: int | None) -> str:
    """Say what a call came to.

    The response code decides, because the platform answers many failures with HTTP 200; the HTTP
    status only where the code is absent, not in the table or contradicted (:func:`contradicts`). A
    status outside 100-599 is itself a business code, and 0 means that the log does not say.

    Parameters
    ----------
    code, http_status : int or None
        Business code of the answer, and ``status_code`` of the log; None if absent.

    Returns
    -------
    str
        One of ``schema.OUTCOMES``.

    Examples
    --------
    >>> classify(0, 200), classify(99991672, 200), classify(None, 503), classify(0, 429)
    ('ok', 'permission', 'server', 'rate_limit')
    """
    status = http_status or None
    if status is not None and not is_http_status(status):
        code, status = (status if code is None else code), None
    if code is not None and not contradicts(code, status):
        known = _classify_code(code)
        if known:
            return known
        if status is None or status < 400:
            return "other"
    return "unknown" if status is None else _classify_status(status)


def _classify_code(code: int) -> str | None:
    known = load_codes().get(code)
    return _classify_status(code) if known is None and is_http_status(code) else known


def _classify_status(status: int) -> str:
    if status < 400:
        # A redirect is how the sign-in pages answer when all is well.
        return "ok" if status >= 200 else "other"
    return _BY_STATUS.get(status, "server" if status >= 500 else "param")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a scope allows.

    Parameters
    ----------
    name : str
        Such as ``contact:user.base:readonly``.
    apis : frozenset of str
        The catalogued APIs it opens.
    serves : tuple of str
        What else it serves, which no log of calls shows: ``events``, ``fields``, ``more`` (APIs
        outside the catalogue).
    """

    name: str
    apis: frozenset[str]
    serves: tuple[str, ...]


@cache
def load_scopes() -> dict[str, Scope]:
    """Read the scopes as shipped, by name.

    >>> scopes = load_scopes()
    >>> "GET/open-apis/application/v6/applications" in scopes["admin:app.info:readonly"].apis
    True
    >>> scopes["contact:user.base:readonly"].serves
    ('fields',)
    """
    text = (files(__package__) / "scopes.csv").read_text(encoding="utf-8")
    return {
        row["scope"]: Scope(
            row["scope"], frozenset(row["apis"].split()), tuple(row["serves"].split())
        )
        for row in csv.DictReader(text.splitlines())
    }
