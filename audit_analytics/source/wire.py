"""The wire format: items and pages as the API answers them, decoded with tolerance.

Well-formed input takes the fast way, one typed decode of a whole batch. Anything else is taken
apart item by item, so that one bad row costs one reject.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import numpy as np

from audit_analytics.catalogue.keys import MAX_KEY

if TYPE_CHECKING:
    from collections import Counter

FIRST_TIME: Final = 946_684_800
LAST_TIME: Final = 4_102_444_800
"""Event times outside 2000-2100 (epoch seconds) are rejected."""

_MILLISECONDS_FROM: Final = 100_000_000_000
_TEXT_MAX: Final = 2**20
_NAME_MAX: Final = 256
_CODE: Final = re.compile(rb"-?\d{1,12}")
_NUMBER: Final = re.compile(r"\s*[+-]?\d{1,19}(?:\.\d{1,9})?\s*")
_LIST: Final = re.compile(rb"\s*\[\s*|\s*\{[^\[]{0,4096}?\"items\"\s*:\s*\[\s*")
_COMMA: Final = re.compile(r"\s*,\s*")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Name = Annotated[str, msgspec.Meta(max_length=_NAME_MAX)]
Long = Annotated[str, msgspec.Meta(max_length=_TEXT_MAX)]


class Detail(msgspec.Struct, gc=False):
    """``log_detail`` of an item.

    Parameters
    ----------
    path, method : str, optional
        As logged.
    query_param, payload : str, optional
        JSON texts, possibly cut.
    status_code : int, optional
        HTTP status, business code, or 0 for "unknown".
    response : str, optional
        JSON text, possibly cut.
    """

    path: Annotated[str, msgspec.Meta(max_length=MAX_KEY)] | None = None
    method: Annotated[str, msgspec.Meta(max_length=16)] | None = None
    query_param: Long | None = None
    payload: Long | None = None
    status_code: Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)] | None = None
    response: Long | None = None


class Item(msgspec.Struct, gc=False):
    """One call as logged; what the fast decode accepts needs no further check.

    Parameters
    ----------
    id : str
        Log id, 1 to 256 characters; a longer one ends in ``~`` and a hash of the whole.
    event_time : int
        Seconds since the epoch.
    api_key, app_id, ip : str, optional
        As logged.
    log_detail : Detail, optional
        Request and answer.
    """

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=_NAME_MAX)]
    event_time: Annotated[int, msgspec.Meta(ge=FIRST_TIME, le=LAST_TIME)]
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

    Parameters
    ----------
    text : bytes
        JSON text.

    Returns
    -------
    list of Item or None
        The items; None if anything at all is unusual, then use :func:`split_document`.

    Examples
    --------
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
    """Take a JSON document apart into the texts of its items.

    Parameters
    ----------
    text : bytes
        A page, the data of a page, a list of items or pages, or a single item.

    Returns
    -------
    list of bytes or str
        One JSON text an item (pages within a list stay whole), or the reason why there is none.

    Examples
    --------
    >>> split_document(b'{"code": 0, "data": {"items": [{"id": 1}, 2]}}')
    [b'{"id": 1}', b'2']
    >>> split_document(b'{"code": 1780001, "msg": "busy"}')
    'error page 1780001'
    """
    try:
        if text.lstrip()[:1] == b"[":
            return [bytes(part) for part in _PARTS.decode(text)]
        fields = _FIELDS.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [text]
    if "id" in fields or not fields.keys() & {"code", "data", "items"}:
        return [text]
    code = bytes(fields.get("code", b"0")).strip(b'" ')
    if code not in (b"0", b"null"):
        # only a number is a code; anything else is text that somebody else wrote
        return f"error page {code.decode()}" if _CODE.fullmatch(code) else "error page"
    data = fields.get("data", msgspec.Raw(text))
    try:
        items = _FIELDS.decode(data).get("items", msgspec.Raw(b"null"))
        return [] if items == msgspec.Raw(b"null") else [bytes(p) for p in _PARTS.decode(items)]
    except msgspec.MsgspecError:
        return [] if bytes(data) == b"null" else "page without a list of items"


def split_broken(text: bytes) -> list[bytes]:
    """Take the readable items out of a list or page that is cut or broken in the middle.

    Parameters
    ----------
    text : bytes
        JSON text that is not valid as a whole.

    Returns
    -------
    list of bytes
        The items up to the damage and the rest as one more text; ``[text]`` if there is no list
        or nothing in it can be read.

    Examples
    --------
    >>> split_broken(b'{"data": {"items": [{"id": 1}, {"id": 2')
    [b'{"id": 1}', b'{"id": 2']
    """
    opening = _LIST.match(text)
    if opening is None:
        return [text]
    whole = text[opening.end() :].decode("utf-8", "replace")
    decoder = json.JSONDecoder(strict=False, parse_int=_parse_int)
    parts: list[bytes] = []
    at = 0
    try:
        while at < len(whole):
            end = decoder.raw_decode(whole, at)[1]
            parts.append(whole[at:end].encode())
            between = _COMMA.match(whole, end)
            at = between.end() if between else end
            if between is None:
                break
    except (ValueError, RecursionError):
        pass
    rest = whole[at:].strip()
    return [*parts, *([rest.encode()] if rest else [])] if parts else [text]


def read_item(text: bytes, notes: Counter[str]) -> Item | str:
    """Decode one item, whatever it looks like.

    Parameters
    ----------
    text : bytes
        JSON text of the item.
    notes : collections.Counter
        Counts what had to be converted, cut or ignored.

    Returns
    -------
    Item or str
        The item, or the reason why it cannot be read.

    Examples
    --------
    >>> from collections import Counter
    >>> read_item(b'{"id": 7, "event_time": "1700000000"}', Counter()).id
    '7'
    >>> read_item(b'{"event_time": 1700000000}', Counter())
    'no id'
    """
    try:
        return ITEM.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    value = _decode_anyhow(text)
    if value is _BROKEN:
        return "invalid JSON"
    return _coerce_item(value, notes) if isinstance(value, dict) else "not an object"


def encode(value: object) -> bytes:
    """Encode a decoded item or page again, so that one way of reading serves both.

    Parameters
    ----------
    value : object
        What a JSON document or a DataFrame holds.

    Returns
    -------
    bytes
        JSON text; NumPy scalars as numbers, missing values as null.

    Raises
    ------
    TypeError, ValueError, RecursionError, msgspec.MsgspecError
        There is no JSON for it.

    Examples
    --------
    >>> encode({"id": np.int64(7)})
    b'{"id":7}'
    """
    try:
        return msgspec.json.encode(value, enc_hook=_simplify)
    except (UnicodeEncodeError, OverflowError):
        # Lone surrogates; escaped they pass, and are replaced when read.
        return json.dumps(value, default=_simplify).encode()


def clean_text(text: str) -> str:
    """Replace characters that have no place in a name.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text with control characters and lone surrogates as U+FFFD.

    Examples
    --------
    >>> clean_text("a" + chr(0)) == "a" + chr(0xFFFD)
    True
    """
    return text if text.isprintable() else _UNPRINTABLE.sub("\ufffd", text)


_BROKEN: Final = object()


def _simplify(value: object) -> object:
    """Turn what a DataFrame holds into JSON."""
    return value.item() if isinstance(value, np.generic | np.ndarray) else None


def _decode_anyhow(text: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text.decode("utf-8", "replace"), strict=False, parse_int=_parse_int)
    except (ValueError, RecursionError):
        return _BROKEN


def _parse_int(digits: str) -> int | str:
    # Python refuses to convert thousands of digits; as text they fail where they stand.
    return int(digits) if len(digits) < 400 else digits


def _coerce_item(value: dict[str, Any], notes: Counter[str]) -> Item | str:
    name = value.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
        return "no id"
    time = _read_time(value.get("event_time"), notes)
    if isinstance(time, str):
        return time
    detail = value.get("log_detail")
    if isinstance(detail, str):
        detail = _decode_anyhow(detail.encode("utf-8", "replace"))
    if not isinstance(detail, dict):
        notes["ignored_fields"] += detail is not None
        detail = {}
    return Item(
        id=_shorten_name(str(name), notes),
        event_time=time,
        api_key=_read_text(value.get("api_key"), MAX_KEY, notes),
        app_id=_read_app(value.get("app_id"), notes),
        ip=_read_text(value.get("ip"), 256, notes),
        log_detail=Detail(
            path=_read_text(detail.get("path"), MAX_KEY, notes),
            method=_read_text(detail.get("method"), 16, notes),
            query_param=_read_text(detail.get("query_param"), _TEXT_MAX, notes),
            payload=_read_text(detail.get("payload"), _TEXT_MAX, notes),
            status_code=_read_status(detail.get("status_code"), notes),
            response=_read_text(detail.get("response"), _TEXT_MAX, notes),
        ),
    )


def _read_time(value: object, notes: Counter[str]) -> int | str:
    if value is None or value == "":
        return "no event_time"
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "event_time is not a number"
    if abs(value) >= _MILLISECONDS_FROM:
        value = value // 1000
        notes["millisecond_times"] += 1
    # The comparison is false for NaN too.
    return int(value) if FIRST_TIME <= value <= LAST_TIME else "event_time out of range"


def _read_status(value: object, notes: Counter[str]) -> int | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value) and "." not in value:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**53:
        return value
    notes["ignored_fields"] += value is not None
    return None


def _read_text(value: object, limit: int, notes: Counter[str]) -> str | None:
    if isinstance(value, dict | list):
        try:
            value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        except RecursionError:
            value = None
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        return _cut(value, limit, notes)
    notes["ignored_fields"] += value is not None
    return None


def _read_app(value: object, notes: Counter[str]) -> str | None:
    text = _read_text(value, _TEXT_MAX, notes)
    return text if text is None else _shorten_name(text, notes)


def _shorten_name(name: str, notes: Counter[str]) -> str:
    """Cut a name so that different ones stay different: long ids must not pass for duplicates."""
    if len(name) <= _NAME_MAX:
        return _cut(name, _NAME_MAX, notes)
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return _cut(name, _NAME_MAX - len(digest) - 1, notes) + "~" + digest


def _cut(text: str, limit: int, notes: Counter[str]) -> str:
    notes["cut_fields"] += len(text) > limit
    return text[:limit].encode("utf-8", "replace").decode("utf-8")
