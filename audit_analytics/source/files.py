"""Read a log from files, folders, DataFrames or decoded pages.

What a file holds is found out from its content, not from its name: a page as the API answers
it, a list of items or of pages, one of them a line (JSONL), each also gzip-compressed; Parquet
of events or of items. Lines are read in blocks, so memory grows with the columns, not the text.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from audit_analytics.errors import InputError
from audit_analytics.schema import EVENTS
from audit_analytics.source.flatten import EventBuilder, Log
from audit_analytics.source.wire import (
    ITEM,
    Item,
    decode_batch,
    read_item,
    split_broken,
    split_document,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from audit_analytics.catalogue import Catalogue

_BLOCK: Final = 2**20
_ZIPPED_MAX: Final = 64 * 2**20
_PLAIN_MAX: Final = 2**30
_CACHED: Final = 400
"""Decoded items are handed over before they leave the processor's cache."""
_ROWS: Final = 16_384
_DEPTH: Final = 3
_ASK: Final = "Give JSON or JSONL pages of the audit log (also .gz), Parquet, or a folder of them."
_DETAIL: Final = "log_detail."


def read_log(
    source: str | Path | pd.DataFrame | dict[str, Any] | Sequence[str | Path | dict[str, Any]],
    *,
    catalogue: Catalogue | None = None,
    progress: Callable[[int], object] | None = None,
) -> Log:
    """Read an audit log into the table of events.

    Parameters
    ----------
    source : path, sequence of paths, pandas.DataFrame, dict or sequence of dict
        Files or folders (searched recursively, in order of name; hidden files, README,
        labels.csv and rejects files are left out); a frame with the columns of
        ``schema.EVENTS`` or of the API's items; a page; or a list of items or pages.
    catalogue : Catalogue, optional
        The APIs and their sensitivity; as shipped unless given.
    progress : callable, optional
        Called with the number of rows read since the last call.

    Returns
    -------
    Log
        Events sorted by (at, id), rejects, and counts with
        rows_read = events + duplicates + rejects.

    Raises
    ------
    InputError
        A path does not exist, a folder holds no file, or nothing in it can be read as a row.

    Examples
    --------
    >>> page = {"code": 0, "data": {"items": [{"id": "1", "event_time": 1700000000}]}}
    >>> read_log(page).counts["events"]
    1
    """
    builder = EventBuilder(catalogue, progress)
    if isinstance(source, pd.DataFrame):
        _read_frame(source, "DataFrame", builder)
        return builder.finish()
    if isinstance(source, dict):
        _read_objects([source], builder)
        return builder.finish()
    parts = [source] if isinstance(source, str | Path) else list(source)
    if not all(isinstance(part, str | Path) for part in parts):
        _read_objects(parts, builder)
        return builder.finish()
    paths = [Path(part) for part in parts if isinstance(part, str | Path)]
    for path, label in _find_files(paths):
        _read_file(path, label, builder)
    log = builder.finish()
    if log.events.empty and len(log.rejects):
        first = log.rejects.iloc[0]
        raise InputError(
            f"{', '.join(map(str, paths))}: nothing could be read as a row of an audit log "
            f"({len(log.rejects):,} rejected; the first: {first['source']}, row {first['row']}: "
            f"{first['reason']}). {_ASK}"
        )
    return log


def write_rejects(rejects: pd.DataFrame, path: str | Path) -> None:
    """Write the rows that could not be read, one JSON object a line.

    Parameters
    ----------
    rejects : pandas.DataFrame
        Table :data:`audit_analytics.schema.REJECTS`.
    path : str or pathlib.Path
        File to write, readable by its owner alone; overwritten if it exists.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        for row in rejects.to_dict("records"):
            # escaped, so that a terminal that shows the file obeys nothing in it
            file.write(json.dumps(row, ensure_ascii=True).encode() + b"\n")


def _find_files(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    for path in paths:
        if path.is_file():
            yield path, path.name
        elif path.is_dir():
            found = [file for file in sorted(path.rglob("*")) if _is_candidate(file, path)]
            if not found:
                raise InputError(f"{path}: the folder holds no log file. {_ASK}")
            for file in found:
                yield file, file.relative_to(path).as_posix()
        else:
            raise InputError(f"{path}: no such file or folder. Check the path. {_ASK}")


def _is_candidate(file: Path, root: Path) -> bool:
    # only what this program itself puts beside a log: any other name may hold rows
    name = file.name.lower()
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    beside = name in {"labels.csv", "company.json", "rejects.jsonl", "readme.md"}
    return file.is_file() and not hidden and not beside


# what a damaged or forged Parquet file makes of pyarrow and pandas; it costs the file, not the run
_UNREADABLE: Final = (
    OSError,
    pa.ArrowException,
    InputError,
    AttributeError,
    NotImplementedError,
    OverflowError,
)


def _read_file(path: Path, label: str, builder: EventBuilder) -> None:
    builder.notes["files"] += 1
    try:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            if start == b"PAR1":
                _read_parquet(file, label, builder)
            elif start[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=file) as unzipped:
                    _TextReader(label, builder, _ZIPPED_MAX).read(unzipped)
            else:
                _TextReader(label, builder, _PLAIN_MAX).read(file)
    except _UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) else None
        builder.reject(label, 0, f"cannot be read: {reason or type(error).__name__}", "")


class _TextReader:
    """Read one JSON or JSONL file into a builder."""

    def __init__(self, label: str, builder: EventBuilder, limit: int) -> None:
        self._label = label
        self._builder = builder
        self._limit = limit
        self._row = 0
        self._by_line = False
        self._items: list[Item] = []
        self._damage = ""
        self._rejected = False

    def read(self, stream: BinaryIO | gzip.GzipFile) -> None:
        """Read the whole file; what cannot be read becomes a reject."""
        blocks = self._split_lines(self._read_chunks(stream))
        first: list[bytes] = []
        start = b""
        for first in blocks:
            first[0] = first[0].removeprefix(b"\xef\xbb\xbf")
            start = next((line.lstrip() for line in first if line.strip()), b"")
            if start:
                break
            self._row += len(first)
        if not start:
            if not self._rejected:
                self._reject(self._damage or "empty file", b"")
            return
        if start[:1] not in (b"{", b"["):
            self._reject("not a log file: it does not begin with { or [", start[:200])
            return
        second = next(blocks, [])
        self._by_line = _has_lines(first, whole=not second)
        if self._by_line:
            for lines in chain((first, second), blocks):
                self._take_lines(lines)
        else:
            self._take_document(chain((first, second), blocks))
        self._hand_over()
        if self._damage:
            self._reject(self._damage, b"")

    def take_objects(self, objects: list[Any], start: int) -> None:
        """Take decoded items or pages one by one; `start` rows came before them."""
        self._by_line = True
        for row, value in enumerate(objects, start + 1):
            self._row = row
            try:
                self._take(_encode(value))
            except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
                self._reject("not JSON", b"")
        self._hand_over()

    def _read_chunks(self, stream: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
        read = stream.read1 if isinstance(stream, gzip.GzipFile) else stream.read
        try:
            while chunk := read(_BLOCK):
                yield chunk
        except EOFError:
            self._damage = "truncated gzip"
        except (gzip.BadGzipFile, zlib.error):
            self._damage = "damaged gzip"

    def _split_lines(self, chunks: Iterator[bytes]) -> Iterator[list[bytes]]:
        """Yield lists of whole lines; a line over the limit is rejected and skipped."""
        kept: list[bytes] = []
        size, skipping = 0, False
        for chunk in chunks:
            lines = chunk.split(b"\n")
            if len(lines) > 1:
                whole = lines[:-1]
                whole[0] = b"" if skipping else b"".join((*kept, whole[0]))
                yield whole
                kept, size, skipping = [], 0, False
            if skipping:
                continue
            kept.append(lines[-1])
            size += len(lines[-1])
            if size > self._limit:
                self._reject(f"line longer than {self._limit >> 20} MiB", kept[0][:4096])
                kept, size, skipping = [], 0, True
        if size:
            yield [b"".join(kept)]

    def _take_lines(self, lines: list[bytes]) -> None:
        try:
            self._items += [*map(ITEM.decode, lines)]
            self._row += len(lines)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            for line in lines:
                self._row += 1
                if line and not line.isspace():
                    self._take(line)
        self._hand_over()

    def _take_document(self, blocks: Iterator[list[bytes]]) -> None:
        kept: list[bytes] = []
        size = 0
        for lines in blocks:
            kept += lines
            size += sum(map(len, lines))
            if size > self._limit:
                self._reject(f"document longer than {self._limit >> 20} MiB: split it", b"")
                return
        self._take(b"\n".join(kept))

    def _take(self, text: bytes, depth: int = 0) -> None:
        if b'"items"' in text or text.lstrip()[:1] == b"[":
            batch = decode_batch(text)
            if batch is not None:
                self._items += batch
                self._row += 0 if self._by_line else len(batch)
                if len(self._items) >= _CACHED:
                    self._hand_over()
                return
        parts = split_document(text)
        if parts == [text]:
            parts = split_broken(text)
        if isinstance(parts, str):
            self._reject(parts, text)
        elif parts == [text] or depth == _DEPTH:
            self._row += not self._by_line
            item = read_item(text, self._builder.notes)
            if isinstance(item, Item):
                self._items.append(item)
            else:
                self._reject(item, text)
        else:
            for part in parts:
                self._take(part, depth + 1)

    def _reject(self, reason: str, raw: bytes) -> None:
        self._rejected = True
        self._builder.reject(self._label, self._row, reason, raw)

    def _hand_over(self) -> None:
        self._builder.add(self._items, self._label)
        self._items = []


def _has_lines(lines: list[bytes], *, whole: bool) -> bool:
    """Tell JSONL from one document over many lines, by the first lines."""
    head = [line for line in lines[:50] if line.strip()]
    if _is_json(head[0]):
        return True
    if whole and _is_json(b"\n".join(lines)):
        return False
    return any(line.lstrip()[:1] == b"{" and _is_json(line) for line in head)


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _read_parquet(file: BinaryIO, label: str, builder: EventBuilder) -> None:
    parquet = pq.ParquetFile(file)
    names = parquet.schema_arrow.names
    if not EVENTS.missing(names):
        words = [column.name for column in EVENTS.columns if column.dtype == "category"]
        file.seek(0)
        table = pq.ParquetFile(file, read_dictionary=words).read(columns=EVENTS.names)
        builder.add_events(table.to_pandas())
        return
    if not {"id", "event_time"} <= set(names):
        builder.reject(label, 0, "Parquet without the columns of events or of items", "")
        return
    for batch in parquet.iter_batches(_ROWS):
        _read_frame(batch.to_pandas(), label, builder)


def _read_frame(frame: pd.DataFrame, label: str, builder: EventBuilder) -> None:
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
    for start in range(0, len(frame), _ROWS):
        rows = frame.iloc[start : start + _ROWS].to_dict("records")
        _take_objects([_nest(row) for row in rows], label, start, builder)


def _nest(row: dict[Any, Any]) -> dict[str, Any]:
    item = {name: value for name, value in row.items() if not str(name).startswith(_DETAIL)}
    dotted = {
        str(name).removeprefix(_DETAIL): value
        for name, value in row.items()
        if str(name).startswith(_DETAIL)
    }
    return {**item, "log_detail": dotted} if dotted else item


def _read_objects(objects: list[Any], builder: EventBuilder) -> None:
    for start in range(0, len(objects), _ROWS):
        _take_objects(objects[start : start + _ROWS], "list", start, builder)


def _take_objects(objects: list[Any], label: str, start: int, builder: EventBuilder) -> None:
    try:
        batch = decode_batch(_encode(objects))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        batch = None
    if batch is not None:
        builder.add(batch, label)
        return
    _TextReader(label, builder, _PLAIN_MAX).take_objects(objects, start)


def _encode(value: object) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=_simplify)
    except (UnicodeEncodeError, OverflowError):
        # Lone surrogates; escaped they pass, and are replaced when read.
        return json.dumps(value, default=_simplify).encode()


def _simplify(value: object) -> object:
    """Turn what a DataFrame holds into JSON: NumPy scalars to numbers, missing values to null."""
    return value.item() if isinstance(value, np.generic | np.ndarray) else None
