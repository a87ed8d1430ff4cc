"""Columns to JSON items, in the shape the Feishu OpenAPI log has."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
from numpy.random import Generator as Rng

from audit_analytics.simulate._rows import TOKEN_API, service_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray

_PLACEHOLDER: Final = re.compile(r":([A-Za-z_]+)")
_TENANT_WIDE: Final = ("user_id", "department_id", "user_mailbox_id", "person_id", "talent_id")
_MESSAGES: Final = {
    0: "success",
    10003: "invalid param",
    10015: "app secret invalid",
    99991663: "Invalid access token for authorization",
    99991672: "Access denied. One of the following scopes is required",
    99991401: "ip is denied by app setting",
    99992402: "field validation failed",
    99991400: "request trigger frequency limit",
    1780001: "internal error",
}
_QUERIES: Final = {
    "contact": '{"user_id_type":"user_id"}',
    "drive": '{"page_size":"50"}',
    "bitable": '{"page_size":"100"}',
    "calendar": '{"page_size":"50"}',
    "POST/open-apis/im/v1/messages": '{"receive_id_type":"chat_id"}',
}
"""Query parameters by API or service."""

_PAYLOADS: Final = {
    "POST/open-apis/im/v1/messages": '{"receive_id":":chat_id","msg_type":"interactive"}',
    "POST/open-apis/contact/v3/users/batch_get_id": '{"emails":[":user_mailbox_id"]}',
    "POST/open-apis/drive/v1/export_tasks": '{"file_extension":"docx","token":":document_id"}',
    "POST/open-apis/attendance/v1/user_tasks/query": '{"user_ids":[":user_id"]}',
    "POST/open-apis/calendar/v4/freebusy/list": '{"user_id":":user_id"}',
    "POST/open-apis/corehr/v2/employees/batch_get": '{"employment_ids":[":employment_id"]}',
}
"""Payloads by API; ``:name`` becomes the id of the object called."""

STATUS_MISSING_SHARE: Final = 0.05
_CUT_SHARE: Final = 0.002
_NO_ADDRESS_SHARE: Final = 0.0005
_PROXY_SHARE: Final = 0.002


def write_items(
    rows: pd.DataFrame,
    *,
    spelling: Mapping[str, str],
    noise: NDArray[np.float64],
    undated: NDArray[np.bool_],
) -> Iterator[dict[str, Any]]:
    """Write calls, with ``_rows.COLUMNS`` and `id`, as items of the log, one by one.

    `spelling` says how the log writes the placeholders of each app's api_key, uniform `noise` of shape
    (n, 2) which responses are cut and addresses odd; `undated` rows lack their event_time.
    """
    columns = (rows[c].tolist() for c in ("id", "time", "app_id", "api", "ip", "object"))
    answers = (rows["status"].tolist(), rows["code"].tolist())
    extras = (noise[:, 0].tolist(), noise[:, 1].tolist(), undated.tolist())
    for number, time, app_id, api, ip, obj, status, code, cut, odd, dateless in zip(
        *columns, *answers, *extras, strict=True
    ):
        method, template = api.split("/", 1)
        path = "/" + _fill(template, app_id, obj)
        spelled = {"colon": "/" + template, "brace": _brace(template), "literal": path}
        response = _write_response(number, code)
        item = {
            "id": str(number),
            "api_key": method + spelled[spelling.get(app_id, "colon")],
            "event_time": time,
            "app_id": app_id,
            "ip": _write_ip(ip, odd),
            "log_detail": {
                "path": path,
                "method": method,
                "query_param": _QUERIES.get(api, _QUERIES.get(service_of(api), "")),
                "payload": _write_payload(api, app_id, obj),
                "status_code": status,
                "response": response[: len(response) // 2] if cut < _CUT_SHARE else response,
            },
        }
        if dateless:
            del item["event_time"]
        yield item


def draw_ids(time: NDArray[np.int64], rng: Rng) -> NDArray[np.int64]:
    """Draw ids as a log would give them: rising with time (epoch seconds), unique, 19 digits.

    Seconds << 32 | milliseconds << 22 | count within the second << 10 | writing node.
    """
    nth = np.arange(len(time)) - np.searchsorted(time, time)
    milliseconds = rng.integers(0, 1000, len(time))
    node = rng.choice(rng.integers(0, 1024, 12), size=len(time))
    ids: NDArray[np.int64] = (time << 32) | (milliseconds << 22) | ((nth % 4096) << 10) | node
    return ids


def _fill(template: str, app_id: str, obj: int) -> str:
    """Put ids in the place of placeholders; the last is the object, those before contain it."""
    names = _PLACEHOLDER.findall(template)
    for depth, name in enumerate(reversed(names)):
        scope = "" if name in _TENANT_WIDE else app_id
        template = template.replace(f":{name}", _make_id(name, scope, obj // 16**depth), 1)
    return template


@lru_cache(maxsize=200_000)
def _make_id(name: str, scope: str, number: int) -> str:
    """Make the id of an object in the form its kind has in Feishu; `scope` is its app, if it has one.

    >>> _make_id("chat_id", "cli_a", 7)[:3], len(_make_id("user_id", "", 7))
    ('oc_', 8)
    """
    digest = blake2b(f"{name}|{scope}|{number}".encode(), digest_size=16).hexdigest()
    return _FORMS.get(name, _write_number if name.endswith(("_id", "ticket")) else _write_token)(
        digest
    )


def _write_number(digest: str) -> str:
    return str(7 * 10**18 + int(digest[:14], 16))


def _write_token(digest: str) -> str:
    return digest[:27]


def _write_uuid(digest: str) -> str:
    return str(UUID(digest)).upper()


_FORMS: Final[dict[str, Callable[[str], str]]] = {
    "user_id": lambda digest: digest[:8],
    "user_mailbox_id": lambda digest: f"u{digest[:6]}@example.com",
    "chat_id": lambda digest: f"oc_{digest}",
    "message_id": lambda digest: f"om_{digest}",
    "department_id": lambda digest: f"od-{digest}",
    "instance_id": _write_uuid,
    "approval_code": _write_uuid,
    "task_guid": _write_uuid,
    "calendar_id": lambda digest: f"feishu.cn_{digest[:16]}@group.calendar.feishu.cn",
    "event_id": lambda digest: f"{digest[:16]}_0",
    "table_id": lambda digest: f"tbl{digest[:12]}",
    "record_id": lambda digest: f"rec{digest[:12]}",
    "document_id": _write_token,
    "range": lambda digest: f"{digest[:6]}!A1:F200",
}
"""The form of each kind of id; other ids are numbers, other names tokens."""


def _write_payload(api: str, app_id: str, obj: int) -> str:
    if api == TOKEN_API:
        return f'{{"app_id":"{app_id}","app_secret":"example-not-a-secret"}}'
    template = _PAYLOADS.get(api)
    if template is None:
        return "" if api.startswith(("GET", "DELETE")) else "{}"
    return _PLACEHOLDER.sub(
        lambda m: _make_id(m[1], "" if m[1] in _TENANT_WIDE else app_id, obj), template
    )


def _write_response(number: int, code: int) -> str:
    message = _MESSAGES.get(code, "not found" if code in _NOT_FOUND else "permission denied")
    if code == 0:
        return f'{{"code":0,"msg":"{message}"}}'
    return f'{{"code":{code},"msg":"{message}","error":{{"log_id":"{number:032x}"}}}}'


_NOT_FOUND: Final = (99991201, 99992351, 1254043, 1770002, 1061007, 195100, 131005, 230019)


def _write_ip(ip: str, odd: float) -> str:
    if odd < _NO_ADDRESS_SHARE:
        return ""
    return f"{ip}, 100.64.0.8" if odd < _NO_ADDRESS_SHARE + _PROXY_SHARE else ip


@lru_cache
def _brace(template: str) -> str:
    return "/" + _PLACEHOLDER.sub(r"{\1}", template)
