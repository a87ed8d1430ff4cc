"""Measure what the platform's documents leave open, with few requests and no secret in the result."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from audit_analytics.catalogue import Catalogue, is_http_status
from audit_analytics.feishu import AuditLogClient, Query, WindowTooLong

FIELDS: Final = ("id", "api_key", "event_time", "app_id", "ip")
DETAILS: Final = ("path", "method", "query_param", "payload", "status_code", "response")

BLOCK: Final = timedelta(days=28)
"""Span of one look into the past; the platform is assumed to take 30 days."""

BLOCKS_MAX: Final = 14
SAMPLE_ROWS: Final = 1000
_PAGES_LOOKED_AT: Final = 3
_LITERAL_ID: Final = re.compile(r"(?:^|/)(?=[^/:{]*\d)[\w-]{12,}(?:/|$)")


def take_sample(client: AuditLogClient, end: datetime) -> tuple[list[Any], Query | None]:
    """Read up to :data:`SAMPLE_ROWS` rows of the newest window before `end` that has any, and return it.

    The first window is an hour long, each further one four times as long, up to 28 days.
    """
    span = timedelta(hours=1)
    while span <= BLOCK:
        query = Query(end - span, end)
        items: list[Any] = []
        for page in client.iter_pages(query):
            items += page.items
            if len(items) >= SAMPLE_ROWS:
                break
        if items:
            return items[:SAMPLE_ROWS], query
        span = BLOCK if span < BLOCK < span * 4 else span * 4
    return [], None


def find_earliest(client: AuditLogClient, end: datetime) -> tuple[datetime | None, bool]:
    """Find the hour in which the log begins, and whether that is exact, with some 20 requests.

    Blocks of 28 days are looked at, the newest first, until one is empty or refused; the last one
    with rows is cut in halves. A tenant silent for 28 days looks as if its log began after that.
    """
    block = 0
    while block < BLOCKS_MAX and _has_rows(client, end - (block + 1) * BLOCK, end - block * BLOCK):
        block += 1
    if not block:
        return None, True
    low, high = end - block * BLOCK, end - (block - 1) * BLOCK
    is_exact = block < BLOCKS_MAX
    while high - low > timedelta(hours=1):
        middle = low + (high - low) / 2
        if _has_rows(client, low, middle):
            high = middle
        else:
            low = middle
    return low.replace(minute=0, second=0, microsecond=0), is_exact


def measure_ends(client: AuditLogClient, second: int) -> dict[str, bool]:
    """Find out whether a row at the very 'start' or 'end' of what is asked for is answered.

    `second`, since the epoch, is one that has rows.
    """
    at, step = datetime.fromtimestamp(second, UTC), timedelta(seconds=1)
    # A query asks for one second more on each side, so the row's second is the outermost one.
    return {
        "start": _serves(client, Query(at + step, at + 2 * step), second),
        "end": _serves(client, Query(at - step, at), second),
    }


def describe_items(items: Sequence[Any], catalogue: Catalogue) -> dict[str, Any]:
    """Describe how rows look, in JSON values: their order, and the share of them by field and shape."""
    count = len(items)
    fill, keys, statuses = Counter[str](), Counter[str](), Counter[str]()
    catalogued = 0
    rows = [item if isinstance(item, dict) else {} for item in items]
    for item in rows:
        found = item.get("log_detail")
        detail = found if isinstance(found, dict) else {}
        fill.update(name for name in FIELDS if item.get(name) not in (None, ""))
        fill.update(f"log_detail.{name}" for name in DETAILS if detail.get(name) not in (None, ""))
        api_key, method = str(item.get("api_key") or ""), str(detail.get("method") or "")
        keys[_shape_key(api_key)] += 1
        statuses[_shape_status(detail.get("status_code"))] += 1
        catalogued += catalogue.match(api_key, method, str(detail.get("path") or "")).known
    names = (*FIELDS, *(f"log_detail.{name}" for name in DETAILS))
    return {
        "rows_count": count,
        "order": _find_order([item.get("event_time") for item in rows]),
        "fill": {name: fill[name] / count for name in names},
        "api_key": {shape: n / count for shape, n in keys.most_common()},
        "status_code": {shape: n / count for shape, n in statuses.most_common()},
        "catalogued_share": catalogued / count,
    }


def _has_rows(client: AuditLogClient, start: datetime, end: datetime) -> bool:
    try:
        for page in client.iter_pages(Query(start, end, page_size=10)):
            if page.items:
                return True
            if page.number >= _PAGES_LOOKED_AT:
                return False
    except WindowTooLong:
        # Before the platform's retention.
        return False
    return False


def _serves(client: AuditLogClient, query: Query, second: int) -> bool:
    for page in client.iter_pages(query):
        # a row of that second is none of the window, and answered all the same
        if second in page.left_out:
            return True
        if page.number >= _PAGES_LOOKED_AT:
            break
    return False


def _find_order(times: list[Any]) -> str:
    seconds = [at for at in times if isinstance(at, int)]
    steps = [b - a for a, b in itertools.pairwise(seconds)]
    rises, falls = any(step > 0 for step in steps), any(step < 0 for step in steps)
    if rises and falls:
        return "unsorted"
    return "oldest first" if rises else "newest first" if falls else "unknown"


def _shape_key(api_key: str) -> str:
    method, slash, path = api_key.partition("/")
    if not slash:
        return "empty" if not api_key else "neither method nor path"
    shape = "method and path" if method.isalpha() else "path only"
    if "/:" in path:
        return shape + ", :placeholders"
    if "{" in path:
        return shape + ", {placeholders}"
    return shape + (", literal ids" if _LITERAL_ID.search(path) else "")


def _shape_status(status: object) -> str:
    if status is None or isinstance(status, bool) or not isinstance(status, int):
        return "absent" if status is None else "not a number"
    if status == 0:
        return "0 (unknown)"
    return f"HTTP {status // 100}xx" if is_http_status(status) else "business code"
