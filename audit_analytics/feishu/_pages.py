"""What is asked of the log, and its pages: what is new in each, and when to stop believing them."""

from __future__ import annotations

import math
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from audit_analytics.errors import ConfigError, RemoteError
from audit_analytics.feishu._answers import Answer

PAGE_SIZE_MAX: Final = 100
SMALL_PAGE: Final = 10
"""Rows of a page where the usual hundred are too long: a message alone may have 150 KB, and is
escaped twice. Ten rows of any legal size fit into an answer."""

API_KEYS_MAX: Final = 100


@dataclass(frozen=True)
class Query:
    """One question to the log, checked before it leaves.

    Parameters
    ----------
    start, end : datetime.datetime
        The span ``[start, end)``; timezone-aware.
    api_keys : tuple of str, default ()
        Only calls of these APIs; at most 100, see :func:`split_filters`.
    page_size : int, default 100
        Rows a page, 1 to 100.

    Raises
    ------
    ConfigError
        There is no time zone, or no such span.

    Examples
    --------
    >>> hour = Query(datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC))
    >>> str(hour)
    '2026-03-02T09:00:00Z/2026-03-02T10:00:00Z'
    >>> hour.end_second - hour.start_second
    3600
    """

    start: datetime
    end: datetime
    api_keys: tuple[str, ...] = ()
    page_size: int = PAGE_SIZE_MAX

    def __post_init__(self) -> None:
        if self.start.utcoffset() is None or self.end.utcoffset() is None:
            raise ConfigError("query: start and end have to have a time zone")
        if self.start >= self.end:
            raise ConfigError(f"query: start {self.start} has to be before end {self.end}")
        if self.start_second < 1:
            raise ConfigError(f"query: start {self.start} has to be after 1970")

    def __str__(self) -> str:
        ends = (f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for at in (self.start, self.end))
        return "/".join(ends)

    @property
    def start_second(self) -> int:
        """Return the first second of the span, since the epoch."""
        return math.ceil(self.start.timestamp())

    @property
    def end_second(self) -> int:
        """Return the first second after the span, since the epoch."""
        return math.ceil(self.end.timestamp())


def write_body(query: Query, page_token: str = "") -> dict[str, Any]:
    """Return the body of a request. The API does not say whether its ends belong to the span.

    So one second more is asked for on each side, and left out when the page is read.
    """
    optional = {"api_keys": list(query.api_keys), "page_token": page_token}
    return {
        "start_time": query.start_second - 1,
        "end_time": query.end_second,
        "page_size": query.page_size,
        **{name: value for name, value in optional.items() if value},
    }


def split_filters(api_keys: Iterable[str]) -> list[tuple[str, ...]]:
    """Split APIs into as few filters as the API's limit of 100 allows.

    Parameters
    ----------
    api_keys : iterable of str
        Any number of APIs; repeated ones count once.

    Returns
    -------
    list of tuple of str
        Each fits :class:`Query`; no API is in two of them. Empty without APIs.

    Examples
    --------
    >>> [len(part) for part in split_filters(f"GET/open-apis/x/{i}" for i in range(391))]
    [100, 100, 100, 91]
    """
    keys = sorted(set(api_keys))
    return [tuple(keys[i : i + API_KEYS_MAX]) for i in range(0, len(keys), API_KEYS_MAX)]


REPEATS_MAX: Final = 3
"""How often in a row a page may bring nothing new and a page token already seen."""

IDLE_MAX: Final = 500
"""How many pages in a row may bring nothing new; a narrow filter over a dense hour has many."""

IDLE_REQUESTS_MAX: Final = 600
"""Requests beyond those that bring rows which all readings of a window may take together."""

FILTERED_IDLE_MAX: Final = 1_500
"""The same for each filter: if the platform filters pages instead of rows, most of them are empty.
The four filters of the sensitive APIs may take an hour's quota for an hour; more never keeps up."""

REQUESTS_MAX: Final = 20_000
"""Requests which all readings of a window may take together: 200 minutes of the quota."""

_MILLISECONDS_FROM = 100_000_000_000


class WindowTooLong(RemoteError):  # noqa: N818 - reads as what happened
    """The window holds more than can be read in one go: cut it in half."""


class PaginationBroken(RemoteError):  # noqa: N818 - reads as what happened
    """The pages do not lead to the end of the window: read it again from its first page."""


class PageTokenExpired(PaginationBroken):
    """The platform no longer takes the page token."""


class BudgetSpent(RemoteError):  # noqa: N818 - reads as what happened
    """The window cost more requests than any window may: leave it, and read the others."""


class Budget:
    """What one window may cost, over all its readings and halves.

    A reading that breaks off is begun again, and a window that does not end is halved; without a
    budget a platform that answers nonsense would cost hours of the quota.

    Parameters
    ----------
    idle_max : int, default 600
        Requests beyond those that brought rows.

    Examples
    --------
    >>> budget = Budget(idle_max=1)
    >>> budget.spend()
    >>> budget.earn()
    >>> budget.spend()
    >>> budget.spend()
    Traceback (most recent call last):
        ...
    audit_analytics.feishu._pages.BudgetSpent: 3 requests brought only 1 page of new rows; ...
    """

    def __init__(self, *, idle_max: int = IDLE_REQUESTS_MAX) -> None:
        self._idle_max = idle_max
        self._requests = self._pages = 0
        self._lock = threading.Lock()

    @classmethod
    def for_filters(cls, filters: Sequence[tuple[str, ...]]) -> Budget:
        """Return what a window may cost that is read once for each filter.

        Parameters
        ----------
        filters : sequence of tuple of str
            APIs asked for; an empty filter asks for all.

        Returns
        -------
        Budget
            A new one.
        """
        idle = FILTERED_IDLE_MAX * sum(map(bool, filters))
        return cls(idle_max=max(idle, IDLE_REQUESTS_MAX))

    def spend(self) -> None:
        """Note a request; BudgetSpent if there were too many."""
        with self._lock:
            self._requests += 1
            if self._requests > REQUESTS_MAX or self._requests - self._pages > self._idle_max:
                pages = f"{self._pages:,} page{'' if self._pages == 1 else 's'}"
                raise BudgetSpent(
                    f"{self._requests:,} requests brought only {pages} of new rows; left for now"
                )

    def earn(self) -> None:
        """Note a page that brought rows."""
        with self._lock:
            self._pages += 1


@dataclass(frozen=True)
class Page:
    """A page of a window of the log.

    Parameters
    ----------
    number : int
        Position in the window, from 1.
    body : bytes
        The answer as it came, with every item.
    items : list of dict
        The items that lie in the window and were on no page before; an item without id or time
        is always among them.
    left_out : list of int, default []
        Seconds of the items that lie outside the window, as they came.
    served_at : float or None, default None
        The platform's time when it answered, in seconds since the epoch.
    """

    number: int
    body: bytes = field(repr=False)
    items: list[Any] = field(repr=False)
    left_out: list[int] = field(default_factory=list, repr=False)
    served_at: float | None = None


class Walk:
    """Reads the pages of one window in order.

    Its ``counts`` say what was noticed: ``pages``, ``items`` (kept), ``duplicates``, ``overlap``
    (rows of the second before the window or of its end, asked for on purpose), ``outside_window``,
    ``undated``, ``unsorted`` (steps against the window's prevailing order), ``empty_pages`` (with
    more to come), ``repeated_tokens``.
    """

    def __init__(self, query: Query) -> None:
        self.counts: Counter[str] = Counter()
        self._query = query
        # The ids of the window, exactly and in 2 MB of memory: a set would take 60 MB for 600,000 rows.
        # An empty name is a private file, unlinked as soon as it is opened.
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute("CREATE TABLE seen (id BLOB PRIMARY KEY) WITHOUT ROWID")
        self._tokens: set[int] = set()
        self._repeats = self._idle = 0
        self._last_second: int | None = None
        self._rises = self._falls = 0

    def close(self) -> None:
        """Forget the ids and settle the counts; call it once, at the end."""
        self._seen.close()
        self.counts["unsorted"] += min(self._rises, self._falls)

    def read(self, answer: Answer, number: int) -> tuple[Page, str]:
        """Read a successful answer: the page and the token of the next one, empty after the last.

        PaginationBroken if the answer is no page, or does not lead on.
        """
        # An empty page may come without items, or even without data.
        data = _or_else(answer.content.get("data"), {})
        found = _or_else(data.get("items"), []) if isinstance(data, dict) else None
        if not isinstance(found, list) or data.get("has_more") not in (None, False, True):
            raise PaginationBroken(f"the answer has another shape than documented ({answer})")
        left_out: list[int] = []
        items = [item for item in found if self._is_wanted(item, left_out)]
        self.counts["pages"] += 1
        self.counts["items"] += len(items)
        page = Page(number, answer.body, items, left_out, answer.served_at)
        if not data.get("has_more"):
            return page, ""
        self.counts["empty_pages"] += not found
        page_token = data.get("page_token")
        if not isinstance(page_token, str) or not page_token:
            raise PaginationBroken(f"more pages are promised, but no page_token came ({answer})")
        self._check_progress(page_token, answer, is_idle=not items)
        return page, page_token

    def _is_wanted(self, item: object, left_out: list[int]) -> bool:
        if not isinstance(item, dict):
            return True  # The reader of items rejects it, with a count and the text.
        second = _event_second(item)
        if second is None:
            self.counts["undated"] += 1
        else:
            self._note_order(second)
            if not self._query.start_second <= second < self._query.end_second:
                left_out.append(second)
                edges = (self._query.start_second - 1, self._query.end_second)
                self.counts["overlap" if second in edges else "outside_window"] += 1
                return False
        if isinstance(item.get("id"), str) and not self._is_new(item["id"]):
            self.counts["duplicates"] += 1
            return False
        return True

    def _is_new(self, item_id: str) -> bool:
        key = item_id.encode("utf-8", "surrogatepass")
        return self._seen.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount > 0

    def _note_order(self, second: int) -> None:
        if self._last_second is not None:
            self._rises += second > self._last_second
            self._falls += second < self._last_second
        self._last_second = second

    def _check_progress(self, page_token: str, answer: Answer, *, is_idle: bool) -> None:
        # A token may come twice and still lead on (a scroll cursor, or one page served twice), so
        # only a repeat without anything new counts against the window.
        is_repeat = hash(page_token) in self._tokens
        self._tokens.add(hash(page_token))
        self.counts["repeated_tokens"] += is_repeat
        self._repeats = self._repeats + 1 if is_idle and is_repeat else 0
        self._idle = self._idle + 1 if is_idle else 0
        if self._repeats > REPEATS_MAX or self._idle > IDLE_MAX:
            raise PaginationBroken(
                f"{self._idle} pages in a row brought nothing new, and more are promised ({answer})"
            )


def _or_else(value: object, absent: Any) -> Any:  # noqa: ANN401 - any JSON value
    # what is empty and of another kind is not absent: an hour would be lost in silence
    return absent if value is None else value


def _event_second(item: dict[str, Any]) -> int | None:
    try:
        second = int(item["event_time"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return second // 1000 if second >= _MILLISECONDS_FROM else second
