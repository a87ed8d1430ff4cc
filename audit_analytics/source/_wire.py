"""The wire format: items and pages as the API answers them, and their address and answer.

Well-formed input takes the fast way, one typed decode of a whole batch. Anything else is taken
apart item by item (``_items``, ``_values``), so that one bad row costs one reject.
"""

from __future__ import annotations

import ipaddress
import json
import re
from functools import lru_cache
from typing import Annotated, Final

import msgspec
import numpy as np

from audit_analytics.catalogue import MAX_KEY, load_codes
from audit_analytics.source._values import decode_anyhow

FIRST_TIME: Final = 946_684_800
LAST_TIME: Final = 4_102_444_800
"""Event times outside 2000-2100 (epoch seconds) are rejected."""
TEXT_MAX: Final = 2**20
NAME_MAX: Final = 256
METHOD_MAX: Final = 16
STATUS_MAX: Final = 2**53
_CODE: Final = re.compile(rb"-?\d{1,12}")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Name = Annotated[str, msgspec.Meta(max_length=NAME_MAX)]
Long = Annotated[str, msgspec.Meta(max_length=TEXT_MAX)]


class Detail(msgspec.Struct, gc=False):
    """``log_detail`` of an item."""

    path: Annotated[str, msgspec.Meta(max_length=MAX_KEY)] | None = None
    method: Annotated[str, msgspec.Meta(max_length=METHOD_MAX)] | None = None
    query_param: Long | None = None  # JSON texts, possibly cut
    payload: Long | None = None
    # HTTP status, business code, or 0 for "unknown"
    status_code: Annotated[int, msgspec.Meta(ge=-STATUS_MAX, le=STATUS_MAX)] | None = None
    response: Long | None = None  # JSON text, possibly cut


class Item(msgspec.Struct, gc=False):
    """One call as logged; what the fast decode accepts needs no further check."""

    # log id, 1 to 256 characters; a longer one ends in ``~`` and a hash of the whole
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX)]
    event_time: Annotated[int, msgspec.Meta(ge=FIRST_TIME, le=LAST_TIME)]  # seconds since the epoch
    api_key: Annotated[str, msgspec.Meta(max_length=MAX_KEY)] | None = None
    app_id: Name | None = None
    ip: Name | None = None
    log_detail: Detail | None = None


class _Data(msgspec.Struct, gc=False):
    items: list[Item]


class _Page(msgspec.Struct, gc=False):
    data: _Data
    code: int = 0


ITEM: Final = msgspec.json.Decoder(Item)
_ITEMS: Final = msgspec.json.Decoder(list[Item])
_PAGE: Final = msgspec.json.Decoder(_Page)
_PARTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode_batch(text: bytes) -> list[Item] | None:
    """Decode a page or a list of items in which everything is well-formed.

    None if anything at all is unusual, then use :func:`split_document`.

    >>> decode_batch(b'[{"id": "1", "event_time": 1700000000}]')[0].id
    '1'
    >>> decode_batch(b'[{"id": "1"}]') is None
    True
    """
    try:
        if text.lstrip()[:1] == b"[":
            return _ITEMS.decode(text)
        page = _PAGE.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if page.code else page.data.items


def split_document(text: bytes) -> list[bytes] | str:
    """Take a page, its data, a list, or an item apart into the texts of its items, or say why not.

    Pages within a list stay whole.

    >>> split_document(b'{"code": 0, "data": {"items": [{"id": 1}, 2]}}')
    [b'{"id": 1}', b'2']
    >>> split_document(b'{"code": 1780001, "msg": "busy"}')
    'error page 1780001'
    """
    try:
        return _split(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # control characters, lone surrogates, a value too deep: they must not cost the others
        value = decode_anyhow(text)
    if not isinstance(value, dict | list):
        return [text]
    try:
        return _split(encode(value))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return [text]


def _split(text: bytes) -> list[bytes] | str:
    if text.lstrip()[:1] == b"[":
        return [bytes(part) for part in _PARTS.decode(text)]
    return _find_items(text, _FIELDS.decode(text))


def _find_items(text: bytes, fields: dict[str, msgspec.Raw]) -> list[bytes] | str:
    if "id" in fields or not fields.keys() & {"code", "data", "items"}:
        return [text]
    code = bytes(fields.get("code", b"0")).strip(b'" ')
    if code not in (b"0", b"null"):
        # anything but a documented code is text that somebody else wrote, a phone number perhaps
        is_known = _CODE.fullmatch(code) and int(code) in load_codes()
        return f"error page {code.decode()}" if is_known else "error page"
    data = fields.get("data", msgspec.Raw(text))
    # whose name is damaged: rows are lost here
    suspects = (b"[",) if "data" in fields else (b"[", b"{")
    try:
        page = _FIELDS.decode(data)
        if "items" not in page and any(bytes(value)[:1] in suspects for value in page.values()):
            return "page without a list of items"
        items = page.get("items", msgspec.Raw(b"null"))
        return [] if items == msgspec.Raw(b"null") else [bytes(p) for p in _PARTS.decode(items)]
    except msgspec.MsgspecError:
        return [] if bytes(data) == b"null" else "page without a list of items"


def encode(value: object) -> bytes:
    """Encode a decoded item or page again, so that one way of reading serves both.

    NumPy scalars are numbers, missing values null; what has no JSON raises as the encoder does.

    >>> encode({"id": np.int64(7)})
    b'{"id":7}'
    """
    try:
        return msgspec.json.encode(value, enc_hook=_simplify)
    except (UnicodeEncodeError, OverflowError):
        # Lone surrogates; escaped they pass, and are replaced when read.
        return json.dumps(value, default=_simplify).encode()


def clean_text(text: str) -> str:
    """Replace control characters and lone surrogates, which have no place in a name, by U+FFFD.

    >>> clean_text("a" + chr(0)) == "a" + chr(0xFFFD)
    True
    """
    return text if text.isprintable() else _UNPRINTABLE.sub("\ufffd", text)


def _simplify(value: object) -> object:
    """Turn what a DataFrame holds into JSON."""
    return value.item() if isinstance(value, np.generic | np.ndarray) else None


_PLATFORM: Final = ipaddress.ip_network("fdbd::/16")


class _Answer(msgspec.Struct, gc=False):
    code: int | str | None = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)
# The value must have ended: of 99991672 cut in the middle nobody knows what it was.
_CODE_VALUE: Final = re.compile(r"\s*:\s*(?:\"(-?\d{1,18})\"|(-?\d{1,18})(?=[\s,}]))")
# An open string runs to the end: were it to fail there, every quote in it would be tried anew.
_TOKEN: Final = re.compile(r"\"(?:[^\"\\]|\\.)*+\"?|[{}\[\]]", re.DOTALL)
_INTEGER: Final = re.compile(r"-?\d{1,18}")
_ADDRESS: Final = re.compile(r"[^\s,;]+")
_IPV4: Final = re.compile(
    r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}(?<!\n)", re.ASCII
)
_ADDRESSES_KEPT: Final = 65_536
_PORT: Final = re.compile(r"\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")


def read_code(response: str) -> int | None:
    """Read the business code of an answer whose JSON may be invalid or cut; None if it has none.

    >>> read_code('{"code":99991663,"msg":"cut he')
    99991663
    """
    try:
        code = _ANSWER.decode(response).code
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return _find_code(response)
    if isinstance(code, str):
        return int(code) if _INTEGER.fullmatch(code) else None
    return code if code is not None and abs(code) < 10**18 else None


def _find_code(response: str) -> int | None:
    """Read the code of a cut answer: its own, not one of the data it brought, a caller's perhaps."""
    depth = 0
    for token in _TOKEN.finditer(response):
        if token[0] in ("{", "["):
            depth += 1
        elif token[0] in ("}", "]"):
            depth -= 1
            if depth == 0:
                break
        elif depth == 1 and token[0] == '"code"':
            found = _CODE_VALUE.match(response, token.end())
            if found:
                return int(found[1] or found[2])
    return None


@lru_cache(_ADDRESSES_KEPT)
def read_address(text: str) -> str:
    """Normalise the first of one address or several, with or without port, zone or brackets.

    As :mod:`ipaddress` writes it, IPv4-mapped as IPv4; without one, the first 64 characters stay.

    >>> read_address("::ffff:203.0.113.9, 10.0.0.1"), read_address("[2001:DB8::1]:443")
    ('203.0.113.9', '2001:db8::1')
    """
    if _IPV4.fullmatch(text):
        return text
    for part in _ADDRESS.findall(text):
        port = _PORT.fullmatch(part)
        address = _parse_address((port[1] or port[2]) if port else part)
        if address:
            return str(getattr(address, "ipv4_mapped", None) or address)
    return clean_text(text.strip()[:64])


@lru_cache(_ADDRESSES_KEPT)
def find_network(ip: str) -> str:
    """Name the network of an address: the /24 of an IPv4, the /48 of an IPv6 address.

    'platform' for the platform's own fdbd::/16, the text itself where it is no address.

    >>> find_network("203.0.113.9"), find_network("2001:db8:1:2::3"), find_network("fdbd::1")
    ('203.0.113.0/24', '2001:db8:1::/48', 'platform')
    """
    address = _parse_address(ip)
    if address is None:
        return ip
    if address in _PLATFORM:
        return "platform"
    return str(
        ipaddress.ip_network(
            (int(address), 24) if address.version == 4 else (int(address), 48), strict=False
        )
    )


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
