"""The calls behind a finding and the objects they name in their path, as a report shows them."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from audit_analytics.dates.buckets import format_utc

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_OBJECTS: Final = 8
HIDDEN: Final = "…"
_ID: Final = re.compile(r"(?!\d{8,15}$)[A-Za-z0-9_-]{1,80}")
"""Letters, digits and dashes; a number of eight to fifteen digits may be a telephone's."""

LONG: Final = 12
SHORT: Final = 6


def show_event(row: Mapping[Any, Any], zone: str) -> dict[str, Any]:
    """Write an event as evidence.

    Parameters
    ----------
    row : mapping
        A row of table :data:`audit_analytics.schema.EVENTS`.
    zone : str
        IANA name of the tenant's zone.

    Returns
    -------
    dict of str to Any
        Plain values; ``local`` is on the tenant's clocks.
    """
    return {
        "id": str(row["id"]),
        "at": format_utc(row["at"]),
        "local": row["at"].tz_convert(zone).strftime("%Y-%m-%d %H:%M:%S"),
        "app_id": str(row["app_id"]),
        "ip": str(row["ip"]),
        "api": str(row["api"]),
        "http_status": None if pd.isna(row["http_status"]) else int(row["http_status"]),
        "response_code": None if pd.isna(row["response_code"]) else int(row["response_code"]),
        "outcome": str(row["outcome"]),
        "object_name": name_of_row(row),
    }


def name_of_row(row: Mapping[Any, Any]) -> str:
    """Return the object a row of the log names."""
    # where the catalogue does not know an API, its placeholders are guesses: any word, any secret
    if pd.isna(row["path"]) or row["severity"] == "unknown":
        return ""
    return name_object(str(row["path"]), str(row["api"]))


def list_objects(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """List the objects that calls named, as :func:`show_event` writes them: the last ones, masked."""
    found = {
        (row["object_name"], row["api"], row["outcome"]): row["local"] for row in reversed(rows)
    }
    return [
        {"object_name": mask_object(name), "api": api, "outcome": outcome, "local": local}
        for (name, api, outcome), local in reversed(found.items())
        if name
    ][:MAX_OBJECTS]


def name_object(path: str, api: str) -> str:
    """Return the ids in a path: what stands where its API has placeholders, if the log keeps it.

    What does not look like an id may be an address, a number or a secret, and is not shown.

    Examples
    --------
    >>> name_object("/open-apis/contact/v3/users/ou_77", "GET/open-apis/contact/v3/users/:user_id")
    'ou_77'
    >>> name_object("/x/ann@corp.com/8613800138000", "GET/x/:user_mailbox_id/:id")
    '…/…'
    >>> name_object("/open-apis/contact/v3/users/:user_id", "GET/open-apis/contact/v3/users/:user_id")
    ''
    """
    pairs = zip_longest(path.strip("/").split("/"), api.partition("/")[2].split("/"), fillvalue="")
    found = [part for part, name in pairs if name.startswith(":") and not part.startswith(":")]
    return "/".join(part if _ID.fullmatch(part) else HIDDEN for part in found if part)


def mask_object(name: str) -> str:
    """Write an object so that two can be told apart, and neither can be opened.

    Examples
    --------
    >>> mask_object("ou_7d8a6e6df7621556"), mask_object("b24d52e5"), mask_object("7071")
    ('ou_7…556', 'b2…e5', '…')
    """
    return "/".join(_mask(part) for part in name.split("/"))


def _mask(part: str) -> str:
    if len(part) >= LONG:
        return f"{part[:4]}…{part[-3:]}"
    return f"{part[:2]}…{part[-2:]}" if len(part) >= SHORT else "…"
