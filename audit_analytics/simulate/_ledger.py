"""The log a stand-in serves, page by page, and what can go wrong with it, repeatable."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import random
import secrets
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from audit_analytics.errors import InputError

PAGE_SIZE_MAX: Final = 100
API_KEYS_MAX: Final = 100
LONGEST_SPAN_SECONDS: Final = 30 * 86400

_DUPLICATED_ROWS: Final = 3


class BadRequest(ValueError):  # noqa: N818 - named after the HTTP status
    """A parameter is wrong, or the page token is not of this query or too old."""


@dataclass(frozen=True)
class Slice:
    """Rows of one page."""

    rows: list[int]  # positions in the ledger
    page_token: str  # leads to the next page; empty if this is the last one


class Ledger:
    """The items of a log, sorted by time: ids, epoch seconds and JSON texts by position.

    They come as the API has them, or from ``.jsonl`` or ``.jsonl.gz`` of pages or items.

    >>> ledger = Ledger([{"id": str(i), "api_key": "GET/x", "event_time": 100 + i} for i in range(3)])
    >>> first = ledger.read({"page_size": 2}, now=1e9)
    >>> [ledger.ids[row] for row in first.rows]
    ['0', '1']
    >>> ledger.read({"page_size": 2, "page_token": first.page_token}, now=1e9).rows
    [2]
    """

    page_token_seconds = 7200.0

    def __init__(self, items: Iterable[dict[str, Any]] | Path) -> None:
        self._key = secrets.token_bytes(16)
        rows = [
            (int(item.get("event_time", 0)), str(item.get("id", "")), _names(item), _dump(item))
            for item in (_read_items(items) if isinstance(items, Path) else items)
        ]
        rows.sort(key=lambda row: row[0])
        self.times = array("q", (row[0] for row in rows))
        self.ids = [row[1] for row in rows]
        self._names = [row[2] for row in rows]
        self.texts = [row[3] for row in rows]

    def read(self, query: dict[str, Any], *, now: float) -> Slice:
        """Return the page a request asks for, BadRequest if it is wrong; rows after `now` do not exist."""
        page_size = _whole(query, "page_size", 20)
        first_second, last_second = (
            _whole(query, "start_time", 0),
            _whole(query, "end_time", int(now)),
        )
        app_id, api_keys = query.get("app_id", ""), query.get("api_keys", [])
        if not 1 <= page_size <= PAGE_SIZE_MAX or not isinstance(app_id, str):
            raise BadRequest("page_size or app_id")
        if not isinstance(api_keys, list) or len(api_keys) > API_KEYS_MAX:
            raise BadRequest("api_keys")
        if first_second > last_second:
            raise BadRequest("start_time is after end_time")
        if "start_time" in query and last_second - first_second > LONGEST_SPAN_SECONDS:
            raise BadRequest("the span is too long")
        span = self._find_span(first_second, last_second)
        at = self._read_position(query, now=now)
        wanted = set(api_keys)
        rows: list[int] = []
        for position in range(at, len(span)):
            row = span[position]
            owner, api_key = self._names[row]
            if (app_id and owner != app_id) or (wanted and api_key not in wanted):
                continue
            if self._shows_at(row) > now:
                continue
            if len(rows) == page_size:
                return Slice(rows, self._seal(query, position, now=now))
            rows.append(row)
        return Slice(rows, "")

    def _find_span(self, first_second: int, last_second: int) -> range:
        """Return the positions of the rows between two seconds, both of them included."""
        return range(
            bisect_left(self.times, first_second), bisect_left(self.times, last_second + 1)
        )

    def _seal(self, query: dict[str, Any], position: int, *, now: float) -> str:
        """Make a page token, good for a query and the place in its span where the page begins."""
        # The random part makes each token its own, as the real ones are.
        text = f"{position}.{int(now)}.{_digest(query)}.{secrets.token_hex(4)}".encode()
        return base64.urlsafe_b64encode(self._mac(text) + text).decode()

    def _read_position(self, query: dict[str, Any], *, now: float) -> int:
        """Read where in a query's span its page begins; 0 without a page token.

        BadRequest if the page token is not of this query, or too old.
        """
        if not query.get("page_token"):
            return 0
        try:
            token = base64.urlsafe_b64decode(query["page_token"])
            position, made_at, digest, _ = token[8:].decode().split(".")
        except (ValueError, TypeError):
            raise BadRequest("page_token") from None
        is_ours = hmac.compare_digest(self._mac(token[8:]), token[:8])
        if not is_ours or digest != _digest(query) or now - int(made_at) > self.page_token_seconds:
            raise BadRequest("page_token")
        return int(position)

    def spoil(  # noqa: PLR0911 - one a fault
        self, fault: str, query: dict[str, Any], page: Slice, *, now: float
    ) -> Slice:
        """Serve a page as one of :data:`audit_analytics.simulate._ledger.KINDS` leaves it."""
        at = self._read_position(query, now=now)
        match fault:
            case "repeated_page" if at:
                before = max(0, at - int(query.get("page_size", 20)))
                again = {**query, "page_token": self._seal(query, before, now=now)}
                return Slice(self.read(again, now=now).rows, query["page_token"])
            case "duplicates" if at:
                before = max(0, at - _DUPLICATED_ROWS)
                again = {**query, "page_token": self._seal(query, before, now=now)}
                return self.read(again, now=now)
            case "unsorted":
                return Slice(page.rows[1::2] + page.rows[::2], page.page_token)
            case "empty_page":
                return Slice([], self._seal(query, at, now=now))
            case "endless" if not page.page_token:
                return Slice(page.rows, self._seal(query, at, now=now))
            case "outside_window":
                return Slice([*page.rows, 0, len(self.ids) - 1], page.page_token)
        return page

    def render(self, page: Slice) -> bytes:
        """Write a page as the API answers it."""
        items = b",".join(self.texts[row] for row in page.rows)
        token = f',"page_token":"{page.page_token}"' if page.page_token else ""
        more = json.dumps(bool(page.page_token))
        return b'{"code":0,"msg":"success","data":{"items":[%b],"has_more":%b%b}}' % (
            items,
            more.encode(),
            token.encode(),
        )

    def _mac(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, "sha256")[:8]

    def _shows_at(self, row: int) -> float:
        return self.times[row]


def _read_items(path: Path) -> Iterator[dict[str, Any]]:
    files = sorted(path.rglob("*.jsonl*")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: no .jsonl or .jsonl.gz in it; write some with simulate")
    for file in files:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for line in lines:
                entry = json.loads(line)
                # A page, a page within an answer, or an item.
                yield from entry.get("data", entry).get("items", [entry])


def _names(item: dict[str, Any]) -> tuple[str, str]:
    return item.get("app_id", ""), item.get("api_key", "")


def _dump(item: dict[str, Any]) -> bytes:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "backslashreplace"
    )


def _whole(query: dict[str, Any], name: str, default: int) -> int:
    value = query.get(name, default)
    if type(value) is not int:
        raise BadRequest(name)
    return value


def _digest(query: dict[str, Any]) -> str:
    asked = {name: value for name, value in query.items() if name != "page_token"}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


KINDS: Final = (
    "rate_limited",
    "server_error",
    "token_refused",
    "page_token_expired",
    "slow",
    "cut_body",
    "html",
    "repeated_page",
    "duplicates",
    "unsorted",
    "empty_page",
    "endless",
    "outside_window",
)
"""The faults a request can meet, one at a time.

``repeated_page`` serves the page before once more, ``duplicates`` adds rows of the page before,
``empty_page`` has no rows but more to come, ``endless`` leads from the last page back to it.
"""


class Faults:
    """The share of requests that meet each fault, and what is wrong all the time.

    Parameters
    ----------
    seed : int, default 0
        Decides which requests are hit.
    script : tuple of str, default ()
        Faults of the first requests in order, '' for none; the probabilities come after.
    slow_seconds : float, default 5
        How long a slow page takes, in seconds of the server's clock.
    **shares : float
        Probability 0 to 1 that a request meets a fault, by its name in :data:`KINDS`.

    Examples
    --------
    >>> plan = FaultPlan(Faults(script=("html", "")))
    >>> [plan.next_fault() for _ in range(3)]
    ['html', '', '']
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        script: tuple[str, ...] = (),
        slow_seconds: float = 5.0,
        **shares: float,
    ) -> None:
        if unknown := {*shares, *script} - {*KINDS, ""}:
            raise ValueError(f"faults: no such fault: {', '.join(sorted(unknown))}")
        if not all(0 <= share <= 1 for share in shares.values()) or sum(shares.values()) > 1:
            raise ValueError(f"faults: probabilities of 0 to 1, at most 1 in all, not {shares}")
        self.seed = seed
        self.script = script
        self.slow_seconds = slow_seconds
        self.shares = shares


class FaultPlan:
    """Deals the faults out to requests, whichever thread they come from."""

    def __init__(self, faults: Faults) -> None:
        self._script = list(reversed(faults.script))
        self._random = random.Random(faults.seed)  # noqa: S311 - repeatable, not secret
        self._kinds = [*KINDS, ""]
        shares = [faults.shares.get(kind, 0.0) for kind in KINDS]
        self._weights = [*shares, max(0.0, 1.0 - sum(shares))]
        self._lock = threading.Lock()

    def next_fault(self) -> str:
        """Return the fault of the next request, one of :data:`KINDS`, or '' for none."""
        with self._lock:
            if self._script:
                return self._script.pop()
            return self._random.choices(self._kinds, self._weights)[0]
