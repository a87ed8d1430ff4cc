"""A log as read: how its parts are joined, and what is told of a row that cannot be read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import union_categoricals

from audit_analytics.schema import EVENTS
from audit_analytics.source._values import decode_anyhow


@dataclass(frozen=True)
class Log:
    """A log as read: its events, what could not be read, and how many of each.

    Parameters
    ----------
    events : pandas.DataFrame
        Table ``schema.EVENTS``, sorted by (at, id).
    rejects : pandas.DataFrame
        Table ``schema.REJECTS``: the first 100,000 rows that could not be read.
    counts : dict of str to int
        'rows_read' = 'events' + 'duplicates' + 'rejects'; 'conflicting_duplicates' are the
        duplicates that differ from the row kept; further keys say what had to be converted.
    reject_reasons : dict of str to int
        All rejected rows by reason.
    """

    events: pd.DataFrame
    rejects: pd.DataFrame
    counts: dict[str, int] = field(default_factory=dict)
    reject_reasons: dict[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Say what was read, on one line."""
        shown = ", ".join(f"{name} {number:,}" for name, number in self.counts.items())
        return f"Log({shown})"


def concat_events(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Join tables of events whose categories may differ.

    Parameters
    ----------
    frames : list of pandas.DataFrame
        Tables ``schema.EVENTS``, at least one.

    Returns
    -------
    pandas.DataFrame
        One table, rows in the order of the frames.

    Examples
    --------
    >>> concat_events([EVENTS.empty(), EVENTS.empty()]).shape
    (0, 18)
    """
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    if len(filled) == 1:
        return filled[0]
    return pd.DataFrame(
        {
            name: (
                union_categoricals([frame[name] for frame in filled])
                if isinstance(filled[0][name].dtype, pd.CategoricalDtype)
                else pd.concat([frame[name] for frame in filled], ignore_index=True)
            )
            for name in EVENTS.names
        }
    )


def drop_duplicates(events: pd.DataFrame, *, unique: bool = False) -> tuple[pd.DataFrame, int, int]:
    """Keep the first row of every id, sort by (at, id), and count rows dropped, and those that differed.

    `unique` says that every id is known to be there once; then none is looked for.

    >>> drop_duplicates(EVENTS.empty())[1:]
    (0, 0)
    """
    again = np.zeros(len(events), bool) if unique else events["id"].duplicated().to_numpy(bool)
    conflicts = 0
    if again.any():
        twice = events.loc[events["id"].isin(events.loc[again, "id"])]
        said = pd.util.hash_pandas_object(twice.drop(columns="source"), index=False)
        conflicts = int((said != said.groupby(twice["id"].to_numpy()).transform("first")).sum())
        events = events.loc[~again]
    table = pa.table({"at": events["at"].to_numpy("datetime64[us]"), "id": pa.array(events["id"])})
    order = pc.sort_indices(table, [("at", "ascending"), ("id", "ascending")])
    return events.take(order.to_numpy()).reset_index(drop=True), int(again.sum()), conflicts


_TEXT_MAX: Final = 2**20
_ITEM: Final = ("id", "event_time", "api_key", "app_id", "ip", "log_detail")
_DETAIL: Final = ("path", "method", "query_param", "payload", "status_code", "response")
_PAGE: Final = ("code", "msg", "data", "items", "has_more", "page_token")
_NAMES: Final = frozenset((*_ITEM, *_DETAIL, *_PAGE))
_FIELD: Final = re.compile(rf'"({"|".join(sorted(_NAMES))})"\s*:')


def describe_shape(raw: bytes | str) -> str:
    """Describe a row without a word of what it says: size, and the type of each documented field.

    Other fields are counted: their names are written by callers, and may be a person's.

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
