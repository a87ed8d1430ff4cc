"""Keep secrets and personal data out of logs, errors, rejects and reports.

Logged payloads can hold app secrets, tokens, passwords, phone numbers and e-mail addresses, as
JSON, as JSON inside JSON, as a query string, or cut in the middle. So values are found by the
name of their key in plain text, not by parsing; where the end of a value is in doubt, more is
masked rather than less.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["MASK", "hash_objects", "hash_personal", "mask_prose", "mask_text"]

MASK: Final = "***"
"""What stands in place of a masked value."""

_KEY: Final = (
    r"secret|passw(?:or)?d|passwd|pwd|passphrase|passcode|token|ticket|authorization|cookie"
    r"|session_?key|private_?key|api_?key_?secret|access_?key|encrypt(?:_?key)?|key_?material|credential"
    r"|signature|verifier|auth_?code|one_?time_?code|captcha|(?<![^\W_])otp(?![^\W_])|(?<!\w)code(?!\w)"
    r"|mobile|phone|e_?mail|id_?card|identity_?number|id_?number|national_?id|passport_?n|bank_?card"
    r"|bank_?account|face_?image|\u5bc6\u7801|\u53e3\u4ee4|\u5bc6\u94a5|\u4ee4\u724c|\u9a8c\u8bc1\u7801"
    r"|\u624b\u673a|\u7535\u8bdd|\u90ae\u7bb1|\u8eab\u4efd\u8bc1|\u94f6\u884c\u5361"
)
"""The last two lines: password, passphrase, key, token, captcha; mobile, phone, mail, identity card,
bank card."""
_QUOTE: Final = r"(?:\\*[\"']|%22|&quot;)"
# The name, the rest of its word, a closing quote, the separator.
_NAMED: Final = re.compile(
    rf"(?P<key>{_KEY})[\w.\[\]-]{{0,64}}{_QUOTE}?\s*(?P<sep>=>|:|=|%3A|%3D|\uff1a|\uff1d)\s*",
    re.IGNORECASE,
)
# Letters and digits written as JSON or percent escapes: a key may be spelled with them.
_ESCAPED: Final = re.compile(r"(?<!\\)\\++u([0-9a-fA-F]{4})|%([2-7][0-9a-fA-F])")
# A secret's name in a sentence, what may stand before its value, and the value.
_PROSE: Final = re.compile(
    r"(?P<before>(?:password|passwd|passcode|passphrase|secret|token|credential|pin|key"
    r"|\u5bc6\u7801|\u53e3\u4ee4|\u5bc6\u94a5|\u4ee4\u724c)s?"
    r"(?:(?:\s+[\w.@-]{1,32}){0,3}?\s*"
    r"(?:\b(?:is|was|are|equals|to|as)\b|\u662f|\u4e3a|[>\u2192])|(?=\s+[^\s\d]{0,64}\d))\s*)"
    r"(?:\\*[\"'\u201c\u300c][^\"'\u201d\u300d]*|[^\s\"'\u201c\u300c,;\uff0c\u3002*]+)",
    re.IGNORECASE,
)
# Base64 and its like, but no route: METHOD/path or a path.
_RANDOM_WORD: Final = re.compile(
    r"(?<![\w+./:-])(?!/|(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)/)(?=[\w+/-]*\d)(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])[\w+/-]{16,}={0,2}(?![\w./:-])"
)
_OPENING: Final = re.compile(_QUOTE)
_STRUCTURE: Final = re.compile(rf"(?<!\\){_QUOTE}|[\[\]{{}}]")
_BARE: Final = re.compile(r"(?:(?:bearer|basic)\s+)?[^\s,;&\"'\\}\])]+", re.IGNORECASE)
_NUMBER: Final = re.compile(r"-?\d{1,19}(?![\w.])")
_LINE: Final = re.compile(r"[^\r\n\"]*")
_TOKENS: Final = re.compile(
    r"(?i:\bbearer\s+[^\s\"',;\\]+)"
    r"|(?<![A-Za-z0-9])(?:[tau]|ur|r)-[\w.-]{16,}"
    r"|\beyJ[\w-]{8,}(?:\.[\w-]*){1,4}"
    r"|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
)


def mask_text(text: str) -> str:
    """Replace secrets and personal values in a text by ``***``.

    Masked are the values of keys that name a secret (secret, password, token, ticket, cookie,
    authorization, key material, code) or a personal field (mobile, e-mail, identity card), and
    bare access tokens and e-mail addresses anywhere; keys and everything else stay.

    Parameters
    ----------
    text : str
        JSON, JSON in JSON, a query string, a log line; cut or invalid text too.

    Returns
    -------
    str
        The text with its values masked.

    Examples
    --------
    >>> mask_text("user=ann&access_token=u-abc&page=2")
    'user=ann&access_token=***&page=2'
    """
    plain = _ESCAPED.sub(_unescape, text)
    masked = _mask_named(plain)
    # escapes are kept where they hide nothing
    return _mask_named(text) if masked == plain else masked


def _unescape(found: re.Match[str]) -> str:
    letter = chr(int(found[1] or found[2], 16))
    return letter if letter.isalnum() or letter in "_-" else found[0]


def _mask_named(text: str) -> str:
    pieces: list[str] = []
    done = 0
    found = _NAMED.search(text)
    while found:
        start, end = _find_value(text, found)
        pieces += (text[done:start], MASK if end > start else "")
        done = end
        found = _NAMED.search(text, max(end, found.end()))
    return _TOKENS.sub(MASK, "".join((*pieces, text[done:])))


def mask_prose(text: str) -> str:
    """Replace what a sentence calls a secret by ``***``, too often rather than too seldom.

    :func:`mask_text` goes by keys and separators and leaves sentences alone, so that messages
    stay readable. A row that cannot be read may be a sentence.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text without what follows "password is", "secret key", "\u5bc6\u7801\u662f" and the like,
        if it looks like a value, and without long random words.

    Examples
    --------
    >>> mask_prose("the password for ann is hunter2, call me")
    'the password for ann is ***, call me'
    """
    return _RANDOM_WORD.sub(MASK, _PROSE.sub(rf"\g<before>{MASK}", text))


def _find_value(text: str, found: re.Match[str]) -> tuple[int, int]:
    start = found.end()
    name, separator = found["key"].lower(), found["sep"]
    opening = _OPENING.match(text, start)
    if opening:
        end = _find_closing(text, opening.end(), opening[0])
        return opening.end(), len(text) if end < 0 else end
    if text[start : start + 1] in ("{", "["):
        return start, _find_balanced(text, start)
    if name in ("authorization", "cookie"):
        bare = _LINE.match(text, start)
    else:
        # {"code": 0} is the answer of every call, ?code=... is a sign-in code.
        if name == "code" and separator == ":" and _NUMBER.match(text, start):
            return start, start
        bare = _BARE.match(text, start)
    return start, bare.end() if bare else start


def _find_closing(text: str, start: int, quote: str) -> int:
    # At depth n of JSON in JSON a quote carries n backslashes more; one that carries further
    # backslashes belongs to the value. A value ending in a backslash is masked too far.
    at = text.find(quote, start)
    while at > 0 and text[at - 1] == "\\":
        at = text.find(quote, at + 1)
    return at


def _find_balanced(text: str, start: int) -> int:
    depth, at = 0, start
    quote = ""
    while found := _STRUCTURE.search(text, at):
        token, at = found[0], found.end()
        if token in ("{", "["):
            depth += 1
        elif token in ("}", "]"):
            depth -= 1
            if depth == 0:
                return at
        else:
            quote = quote or token
            closing = _find_closing(text, at, quote)
            if closing < 0:
                break
            at = closing + len(quote)
    return len(text)


def hash_personal(value: str, key: str) -> str:
    """Hash a personal value so that equal values stay comparable.

    Parameters
    ----------
    value : str
        The value, for example an e-mail address.
    key : str
        The tenant's secret key, at most 64 bytes of UTF-8; without it short values could be found by
        trying them all.

    Returns
    -------
    str
        32 hexadecimal digits: keyed BLAKE2b (RFC 7693).

    Examples
    --------
    >>> hash_personal("a@b.cn", "k") == hash_personal("a@b.cn", "k")
    True
    >>> len(hash_personal("a@b.cn", "k"))
    32
    """
    secret = key.encode("utf-8", "replace")
    data = value.encode("utf-8", "replace")
    return hashlib.blake2b(data, key=secret[:64], digest_size=16).hexdigest()


def hash_objects(values: Sequence[str], key: str = "audit-analytics!") -> NDArray[np.int64]:
    """Hash the names of objects to integers.

    Parameters
    ----------
    values : sequence of str
        Names of objects, for example concrete paths.
    key : str, optional
        Key of 16 ASCII characters; the same key gives the same hashes in every run.

    Returns
    -------
    numpy.ndarray of int64
        One hash a value: SipHash as pandas computes it.

    Raises
    ------
    ValueError
        The key is not 16 characters long.

    Examples
    --------
    >>> first, second, third = hash_objects(["/a/1", "/a/2", "/a/1"])
    >>> bool(first == third), bool(first == second)
    (True, False)
    """
    texts = np.empty(len(values), dtype=object)
    texts[:] = values
    hashes: NDArray[np.uint64] = pd.util.hash_array(texts, hash_key=key, categorize=False)
    return hashes.view(np.int64)
