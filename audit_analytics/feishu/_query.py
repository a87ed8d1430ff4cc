"""What is asked of the log: a span of time and, at most, some APIs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from audit_analytics.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        A value is of the wrong type or out of range.

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
        values: dict[str, Any] = dict(vars(self))
        for name in ("start", "end"):
            if not isinstance(values[name], datetime) or values[name].utcoffset() is None:
                raise ConfigError(f"query: {name} has to be a datetime with a time zone")
        if self.start >= self.end:
            raise ConfigError(f"query: start {self.start} has to be before end {self.end}")
        if self.start_second < 1:
            raise ConfigError(f"query: start {self.start} has to be after 1970")
        if type(values["page_size"]) is not int or not 1 <= self.page_size <= PAGE_SIZE_MAX:
            raise ConfigError(f"query: page_size is {self.page_size}; give 1 to {PAGE_SIZE_MAX}")
        if not isinstance(values["api_keys"], tuple) or not all(
            isinstance(key, str) and key for key in values["api_keys"]
        ):
            raise ConfigError("query: api_keys has to be a tuple of non-empty strings")
        if len(self.api_keys) > API_KEYS_MAX:
            raise ConfigError(
                f"query: {len(self.api_keys)} api_keys; the API takes {API_KEYS_MAX}, "
                "ask with split_filters"
            )

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

    def body(self, page_token: str = "") -> dict[str, Any]:
        """Return the request's body.

        The API does not say whether its ends belong to the span. So it is asked for one second more
        on each side, and what lies outside ``[start, end)`` is left out when the page is read.

        Parameters
        ----------
        page_token : str, default ''
            From the page before.

        Returns
        -------
        dict
            Ready for JSON.
        """
        optional = {"api_keys": list(self.api_keys), "page_token": page_token}
        return {
            "start_time": self.start_second - 1,
            "end_time": self.end_second,
            "page_size": self.page_size,
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
