"""Read one item of the log, whatever it looks like: what can mean one thing only is taken so."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import Any, Final

import msgspec

from audit_analytics.catalogue import MAX_KEY
from audit_analytics.source._values import BROKEN, decode_anyhow
from audit_analytics.source._wire import (
    FIRST_TIME,
    ITEM,
    LAST_TIME,
    NAME_MAX,
    TEXT_MAX,
    Detail,
    Item,
)

_MILLISECONDS_FROM: Final = 100_000_000_000
_NUMBER: Final = re.compile(r"\s*[+-]?\d{1,19}(?:\.\d{1,9})?\s*")


def read_item(text: bytes, notes: Counter[str]) -> Item | str:
    """Decode one item, whatever it looks like; the reason instead if it cannot be read.

    `notes` counts what had to be converted, cut or ignored.

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
    value = decode_anyhow(text)
    if value is BROKEN:
        return "invalid JSON"
    return _coerce_item(value, notes) if isinstance(value, dict) else "not an object"


def _coerce_item(value: dict[str, Any], notes: Counter[str]) -> Item | str:
    name = value.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
        return "no id"
    time = _read_time(value.get("event_time"), notes)
    if isinstance(time, str):
        return time
    detail = value.get("log_detail")
    if isinstance(detail, str):
        detail = decode_anyhow(detail)
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
            query_param=_read_text(detail.get("query_param"), TEXT_MAX, notes),
            payload=_read_text(detail.get("payload"), TEXT_MAX, notes),
            status_code=_read_status(detail.get("status_code"), notes),
            response=_read_text(detail.get("response"), TEXT_MAX, notes),
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
    text = _read_text(value, TEXT_MAX, notes)
    return text if text is None else _shorten_name(text, notes)


def _shorten_name(name: str, notes: Counter[str]) -> str:
    """Cut a name so that different ones stay different: long ids must not pass for duplicates."""
    if len(name) <= NAME_MAX:
        return _cut(name, NAME_MAX, notes)
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return _cut(name, NAME_MAX - len(digest) - 1, notes) + "~" + digest


def _cut(text: str, limit: int, notes: Counter[str]) -> str:
    notes["cut_fields"] += len(text) > limit
    return text[:limit].encode("utf-8", "replace").decode("utf-8")
