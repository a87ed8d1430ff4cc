"""Read rows that are columns or objects already: DataFrames, Parquet, decoded pages."""

from __future__ import annotations

from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from audit_analytics.errors import InputError
from audit_analytics.schema import EVENTS
from audit_analytics.source._flatten import EventBuilder
from audit_analytics.source._text import TextReader
from audit_analytics.source._wire import decode_batch, encode

_ROWS: Final = 16_384
_DETAIL: Final = "log_detail."


def read_parquet(file: BinaryIO, label: str, builder: EventBuilder) -> None:
    """Read a Parquet file of events or of items."""
    parquet = pq.ParquetFile(file)
    names = parquet.schema_arrow.names
    if not EVENTS.missing(names):
        words = [column.name for column in EVENTS.columns if column.dtype == "category"]
        file.seek(0)
        table = pq.ParquetFile(file, read_dictionary=words).read(columns=EVENTS.names)
        builder.add_events(table.to_pandas())
        return
    if not {"id", "event_time"} <= set(names):
        reason = "Parquet without the columns of events or of items"
        builder.reject(label, 0, reason, "", rows=max(1, parquet.metadata.num_rows))
        return
    for batch in parquet.iter_batches(_ROWS):
        read_frame(batch.to_pandas(integer_object_nulls=True), label, builder)


def read_frame(frame: pd.DataFrame, label: str, builder: EventBuilder) -> None:
    """Read a frame with the columns of ``schema.EVENTS``, or of the API's items, dotted or nested.

    One that has neither, or a column twice, is an InputError.
    """
    if not frame.columns.is_unique:
        raise InputError(f"{label}: a column stands there twice. Drop or rename one of them.")
    missing = EVENTS.missing(frame.columns)
    if not missing:
        builder.add_events(frame)
        return
    if not {"id", "event_time"} <= set(frame.columns):
        raise InputError(
            f"{label}: neither the columns of events (missing: {', '.join(missing)}) nor id and "
            "event_time of the API's items. Rename the columns, or give the pages as received."
        )
    if (
        isinstance(frame["event_time"].dtype, pd.DatetimeTZDtype)
        or frame["event_time"].dtype.kind == "M"
    ):
        seconds = pd.to_datetime(frame["event_time"], utc=True).astype("datetime64[s, UTC]")
        frame = frame.assign(event_time=seconds.astype("int64").where(seconds.notna()))
    frame = frame.assign(**{str(name): _restore_integers(frame[name]) for name in frame.columns})
    for start in range(0, len(frame), _ROWS):
        rows = frame.iloc[start : start + _ROWS].to_dict("records")
        _take_objects([_nest(row) for row in rows], label, start, builder)


def _restore_integers(column: pd.Series) -> pd.Series:
    """Undo what one missing value does to a column of integers: pandas makes them floats."""
    values = column.to_numpy() if column.dtype.kind == "f" else np.empty(0)
    known = values[~np.isnan(values)]
    if not len(known) or (known % 1).any() or (np.abs(known) >= 2**53).any():
        return column
    return column.astype("Int64").astype(object)


def read_objects(objects: list[Any], builder: EventBuilder) -> None:
    """Read decoded items or pages."""
    for start in range(0, len(objects), _ROWS):
        _take_objects(objects[start : start + _ROWS], "list", start, builder)


def _nest(row: dict[Any, Any]) -> dict[str, Any]:
    item = {name: value for name, value in row.items() if not str(name).startswith(_DETAIL)}
    dotted = {
        str(name).removeprefix(_DETAIL): value
        for name, value in row.items()
        if str(name).startswith(_DETAIL)
    }
    return {**item, "log_detail": dotted} if dotted else item


def _take_objects(objects: list[Any], label: str, start: int, builder: EventBuilder) -> None:
    try:
        batch = decode_batch(encode(objects))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        batch = None
    if batch is not None:
        builder.add(batch, label)
        return
    TextReader(label, builder).take_objects(objects, start)
