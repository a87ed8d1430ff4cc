"""Rows as the platform answers them, read as a sync reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from audit_analytics.source import read_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from audit_analytics.catalogue import Catalogue
    from audit_analytics.feishu.client import AuditLogClient, Budget, Page, Query
    from audit_analytics.source import Log

BATCH_ROWS: Final = 10_000
"""Rows held in memory a window; they become one row group of its file."""

BATCH_BYTES: Final = 16 * 2**20
"""Bytes of answers held in memory a window."""


def read_batches(
    client: AuditLogClient, queries: Iterable[Query], budget: Budget, note: Callable[[Page], object]
) -> Iterator[tuple[list[Any], int]]:
    """Read the pages of a window, once for each filter: batches of items, each with its pages.

    At least one batch is yielded; `note` is called with each page.
    """
    items: list[Any] = []
    size = pages = 0
    for query in queries:
        for page in client.iter_pages(query, budget):
            note(page)
            items += page.items
            size += len(page.body)
            pages += 1
            if len(items) >= BATCH_ROWS or size >= BATCH_BYTES:
                yield items, pages
                items, size, pages = [], 0, 0
    yield items, pages


def flatten_items(
    items: list[Any], source: str, catalogue: Catalogue, *, keeps_texts: bool = False
) -> Log:
    """Flatten the items of a window, whatever they are; what is no object becomes a reject."""
    # A list of texts would be taken for paths.
    rows = [item if isinstance(item, dict) else {"item": item} for item in items]
    log = read_log(rows, catalogue=catalogue, keeps_texts=keeps_texts)
    for frame in (log.events, log.rejects):
        frame["source"] = pd.Categorical.from_codes(np.zeros(len(frame), int), pd.Index([source]))
    return log
