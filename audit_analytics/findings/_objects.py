"""The objects that calls name in their path, and how they are masked."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Final

HIDDEN: Final = "…"
_ID: Final = re.compile(r"(?!\d{8,15}$)[A-Za-z0-9_-]{1,80}")
"""Letters, digits and dashes; a number of eight to fifteen digits may be a telephone's."""

LONG: Final = 12
SHORT: Final = 6


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
