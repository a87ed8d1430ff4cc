"""Take the keys of APIs apart: what of a path is route, what is a parameter, what an id."""

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

from audit_analytics.redact import mask_text

MAX_KEY: Final = 4096
"""Longest API key that is looked at, in characters. One so long may have been cut, and could be any
route that begins like it: it is none for sure."""

_QUERY_MARK: Final = re.compile("%(3f|23)", re.IGNORECASE)
_ENCODED_MAX: Final = 3
"""Times a key may be percent-encoded; more is no spelling but an attempt."""

_METHOD: Final = re.compile(
    r"(get|post|put|patch|delete|head|options)(?=[\s:/]|https?:|[\w-]+(?:\.[\w-]+)+)", re.IGNORECASE
)
# A bare host is cut only where a path of the platform follows: other logs name a service there.
_HOST: Final = re.compile(
    r"/?(?:https?:/+[^/?#]*|[\w-]+(?:\.[\w-]+)+(?::\d+)?(?=/(?:open-apis|approval)/))",
    re.IGNORECASE,
)
_ROUTE_WORD: Final = re.compile(r"(?!.*\d{9})\w[\w.\-]{0,63}", re.ASCII)
_PLACEHOLDER: Final = re.compile(r":.|\{.*\}$|<.*>$", re.DOTALL)
_ID: Final = re.compile(
    r"(?:ou|oc|on|om|od|cli|omt|img|file)_\w+|\d+|[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}"
    r"|(?=\D*\d)[\w-]{16,}",
    re.IGNORECASE | re.ASCII,
)
_VERSIONED_WORDS: Final = re.compile(r"(?:[A-Z][a-z]+)+\d{0,8}(?:v\d+)?", re.ASCII)


def normalize_spelling(key: str) -> str:
    """Undo percent-encoding, full-width forms and the like, which change letters and not the route.

    >>> normalize_spelling("GET/open-apis/contact%2Fv3/users")
    'GET/open-apis/contact/v3/users'
    """
    for _ in range(_ENCODED_MAX):
        # an encoded ? or # belongs to its segment; decoded it would cut the rest off
        kept = _QUERY_MARK.sub(r"%25\1", key)
        plain = unicodedata.normalize("NFKC", unquote(kept, errors="replace"))
        if plain == key:
            break
        key = plain
    return key


def resolve_segments(segments: list[str]) -> list[str]:
    """Undo ``;parameters`` and dot segments (RFC 3986, 5.2.4), as a web server does.

    >>> resolve_segments(["open-apis", ".", "x", "..", "im;a=1", "v1"])
    ['open-apis', 'im', 'v1']
    """
    kept: list[str] = []
    for segment in segments:
        plain = segment.partition(";")[0].strip()
        if plain == "..":
            del kept[-1:]
        elif plain not in ("", "."):
            kept.append(plain)
    return kept


def is_route_word(segment: str) -> bool:
    """Tell whether a segment is surely part of a route, not an id, a secret or a person.

    >>> is_route_word("users"), is_route_word("ou_7d8a6e6df7621556ce0d21922b676706ccs")
    (True, False)
    """
    plain = _ROUTE_WORD.fullmatch(segment) is not None
    return plain and not _is_id(segment) and mask_text(segment) == segment


def split_key(key: str, method: str = "") -> tuple[str, list[str]]:
    """Take an API key or a path apart.

    Parameters
    ----------
    key : str
        METHOD + path or a path; characters after the first 4,096 are ignored.
    method : str, optional
        Method to use where `key` names none.

    Returns
    -------
    tuple of str and list of str
        Method in upper case, and the segments of the path.

    Examples
    --------
    >>> split_key("get /open-apis//contact/v3/users/?page_size=10")
    ('GET', ['open-apis', 'contact', 'v3', 'users'])
    """
    text = key[:MAX_KEY].strip()
    named = _METHOD.match(text)
    if named:
        method = named[1]
        text = text[named.end() :].lstrip(" \t\r\n:")
    host = _HOST.match(text)
    if host:
        text = text[host.end() :]
    text = text.partition("?")[0].partition("#")[0].strip()
    return method.strip().upper(), [segment for segment in text.split("/") if segment]


def is_placeholder(segment: str) -> bool:
    """Tell whether a path segment stands for a parameter instead of naming one.

    Parameters
    ----------
    segment : str
        One segment of a path.

    Returns
    -------
    bool
        True for ``:x``, ``{x}`` and ``<x>``.

    Examples
    --------
    >>> is_placeholder("{user_id}"), is_placeholder("ou_1")
    (True, False)
    """
    return _PLACEHOLDER.match(segment) is not None


def _is_id(segment: str) -> bool:
    if is_placeholder(segment):
        return True
    return _ID.fullmatch(segment) is not None and _VERSIONED_WORDS.fullmatch(segment) is None
