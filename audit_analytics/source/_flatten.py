"""Flatten logged items into the table of events; no row is lost."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import pandas as pd

from audit_analytics.catalogue import Catalogue
from audit_analytics.errors import InputError
from audit_analytics.redact import mask_prose, mask_text
from audit_analytics.schema import EVENTS, OUTCOMES, REJECTS, SEVERITIES
from audit_analytics.source._blocks import Fields
from audit_analytics.source._columns import Columns
from audit_analytics.source._log import Log, concat_events, describe_shape, drop_duplicates
from audit_analytics.source._wire import FIRST_TIME, LAST_TIME, Item, clean_text

_RAW_MAX: Final = 4096
_TEXTS_MAX: Final = 1000
"""Rejects whose text is kept; all are counted, but whoever writes the log writes these texts."""
_REJECTS_MAX: Final = 100_000
"""Rejects that are listed one by one; a megabyte of gzip holds millions."""
_REASONS_MAX: Final = 1000
_OTHER_REASON: Final = "another reason"

_WORDS: Final = [column.name for column in EVENTS.columns if column.dtype == "category"]

_Reject = tuple[str, int, str, str]


class EventBuilder:
    """Collect items and build the table of events from them.

    `keeps_texts` says that rejects keep the row as found, its secrets masked, not only its shape.

    >>> builder = EventBuilder()
    >>> builder.add([Item(id="1", event_time=1700000000, api_key="GET/open-apis/im/v1/chats")], "a")
    >>> builder.finish().events[["api", "outcome"]].iloc[0].tolist()
    ['GET/open-apis/im/v1/chats', 'unknown']
    """

    def __init__(self, catalogue: Catalogue | None = None, *, keeps_texts: bool = False) -> None:
        self.columns = Columns(catalogue or Catalogue.default())
        self.frames: list[pd.DataFrame] = []  # events that came as frames
        self.rejects: list[_Reject] = []  # source, row, reason and text of the first rejects
        self.reasons: Counter[str] = Counter()  # all rejects by reason
        self.notes: Counter[str] = Counter()  # what had to be converted, cut or ignored
        self.rows_read = 0
        self._texts = 0
        self._show = _show if keeps_texts else describe_shape

    def add(self, items: list[Item], source: str) -> None:
        """Take in well-formed items of a file or page, in order."""
        self.columns.add(items, source)
        self.rows_read += len(items)

    def add_fields(self, fields: Fields, source: str) -> None:
        """Take in the fields of many items, as :func:`read_block` of ``_blocks`` gives them."""
        self.columns.add_fields(fields, source)
        self.rows_read += len(fields["id"])

    def add_events(self, events: pd.DataFrame) -> None:
        """Take in a frame that already is a table of events; InputError if a value does not fit."""
        if not pd.api.types.is_datetime64_any_dtype(events["at"].dtype):
            raise InputError(
                f"column at holds {events['at'].dtype}, not instants: which unit and zone it is in "
                "would be a guess. Convert it with pandas.to_datetime, or give event_time."
            )
        try:
            table = EVENTS.coerce(events)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"the frame of events does not fit the table ({type(error).__name__}). "
                "See schema.EVENTS for the dtype of every column."
            ) from None
        table = table.assign(**{name: _fill_words(table[name]) for name in _WORDS})
        for name, allowed in (("outcome", OUTCOMES), ("severity", (*SEVERITIES, "unknown"))):
            odd = sorted(set(table[name].cat.categories) - set(allowed))
            if odd:
                raise InputError(
                    f"column {name} holds {odd[:3]}; allowed are {', '.join(allowed)}. "
                    "Map them first."
                )
        first, last = (pd.Timestamp(time, unit="s", tz="UTC") for time in (FIRST_TIME, LAST_TIME))
        reasons = np.select(
            [table["id"].isna(), table["at"].isna(), ~table["at"].between(first, last)],
            ["no id", "no event_time", "event_time out of range"],
            "",
        )
        for row in np.flatnonzero(reasons != "").tolist():
            self.reject(str(table["source"].iloc[row]), row + 1, str(reasons[row]), "")
        table = table.loc[reasons == ""]
        self.frames.append(table)
        self.rows_read += len(table)

    def reject(
        self, source: str, row: int, reason: str, raw: bytes | str, *, rows: int = 1
    ) -> None:
        """Take in a row, or `rows` that cannot be told apart, that cannot be read.

        `row` is the line, or position of the item, from 1. Of `raw` the shape is kept, or its text.
        """
        if len(self.rejects) < _REJECTS_MAX:
            text = self._show(raw) if self._has_room(raw) else ""
            self.rejects.append((clean_text(source), row, reason, text))
        self._count_reason(reason, rows)
        self.rows_read += rows

    def absorb(self, other: EventBuilder, *, rows_before: int = 0) -> None:
        """Take in what another builder holds, after what is here; it is used up.

        `rows_before`, rows of its file that other builders have read, is added to each reject's.
        """
        self.columns.absorb(other.columns)
        self.frames += other.frames
        self.notes.update(other.notes)
        for reason, count in other.reasons.items():
            self._count_reason(reason, count)
        for source, row, reason, text in other.rejects[: _REJECTS_MAX - len(self.rejects)]:
            kept = text if self._has_room(text) else ""
            self.rejects.append((source, row + rows_before, reason, kept))
        self.rows_read += other.rows_read

    def finish(self) -> Log:
        """Build the tables: events sorted by (at, id) without duplicates, rejects and counts."""
        built, unique = self.columns.build()
        events, duplicates, conflicts = drop_duplicates(
            concat_events([built, *self.frames]), unique=unique and not self.frames
        )
        rejects_count = self.reasons.total()
        self.notes["rejects_not_listed"] = rejects_count - len(self.rejects)
        rejects = REJECTS.coerce(pd.DataFrame(self.rejects, columns=REJECTS.names))
        counts = {
            "rows_read": self.rows_read,
            "events": len(events),
            "duplicates": duplicates,
            "rejects": rejects_count,
            "conflicting_duplicates": conflicts,
            **{name: number for name, number in sorted(self.notes.items()) if number},
        }
        return Log(events, rejects, counts, dict(self.reasons))

    def _count_reason(self, reason: str, rows: int) -> None:
        # the code of an error page is part of its reason, and written by others
        known = reason in self.reasons or len(self.reasons) < _REASONS_MAX
        self.reasons[reason if known else _OTHER_REASON] += rows

    def _has_room(self, text: bytes | str) -> bool:
        """Tell whether the text of a reject is to be kept; count those that are not."""
        if text and self._texts == _TEXTS_MAX:
            self.notes["reject_texts_left_out"] += 1
            return False
        self._texts += bool(text)
        return bool(text)


def _fill_words(column: pd.Series) -> pd.Series:
    """Give missing words their word: what is missing must not end as NaN in a report."""
    if not column.isna().any():
        return column
    word = "unknown" if column.name in ("outcome", "category", "severity") else ""
    if word not in column.cat.categories:
        column = column.cat.add_categories(word)
    return column.fillna(word)


def _show(raw: bytes | str) -> str:
    head = raw[:_RAW_MAX]
    text = head if isinstance(head, str) else head.decode("utf-8", "replace")
    text = text.encode("utf-8", "replace").decode("utf-8")
    return mask_prose(mask_text(text))[:_RAW_MAX]
