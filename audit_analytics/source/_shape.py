"""What is told of a row that could not be read: which fields it has and of what type, no value."""

from __future__ import annotations

import json
import re
from typing import Final

from audit_analytics.source._values import decode_anyhow

_TEXT_MAX: Final = 2**20
_ITEM: Final = ("id", "event_time", "api_key", "app_id", "ip", "log_detail")
_DETAIL: Final = ("path", "method", "query_param", "payload", "status_code", "response")
_PAGE: Final = ("code", "msg", "data", "items", "has_more", "page_token")
_NAMES: Final = frozenset((*_ITEM, *_DETAIL, *_PAGE))
_FIELD: Final = re.compile(rf'"({"|".join(sorted(_NAMES))})"\s*:')


def describe_shape(raw: bytes | str) -> str:
    """Describe a row without a word of what it says: size, and the type of each documented field.

    Other fields are counted: their names are written by callers, and may be a person's.

    Examples
    --------
    >>> describe_shape('{"id": 7, "event_time": "soon", "log_detail": {"path": ""}, "Ann": 1}')
    '{"size": 69, "fields": {"id": "number", "event_time": "text", "log_detail": {"path": "empty text"}}, "others": 1}'
    >>> describe_shape('{"id": "cut in the mid')
    '{"size": 22, "fields": ["id"]}'
    """
    shape: dict[str, object] = {"size": len(raw)}
    value = decode_anyhow(raw) if len(raw) <= _TEXT_MAX else None
    if isinstance(value, dict):
        shape["fields"], others = _describe_fields(value)
        shape |= {"others": others} if others else {}
    else:
        head = raw[:_TEXT_MAX]
        text = head if isinstance(head, str) else head.decode("utf-8", "replace")
        shape["fields"] = list(dict.fromkeys(_FIELD.findall(text)))
    return json.dumps(shape)


def _describe_fields(value: dict[str, object]) -> tuple[dict[str, object], int]:
    fields: dict[str, object] = {}
    others = 0
    for name, content in value.items():
        if name not in _NAMES:
            others += 1
        elif name in ("log_detail", "data") and isinstance(content, dict):
            fields[name], more = _describe_fields(content)
            others += more
        else:
            fields[name] = _name_type(content)
    return fields, others


def _name_type(value: object) -> str:
    if isinstance(value, str):
        return "text" if value else "empty text"
    if isinstance(value, bool):
        return "true or false"
    names = ((int | float, "number"), (dict, "object"), (list, "list"))
    return next((name for kind, name in names if isinstance(value, kind)), "null")
