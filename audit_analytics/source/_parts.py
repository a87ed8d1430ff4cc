"""Cut the files of a log into parts, and read several parts at once.

How the files are cut depends on them alone, and parts are joined in their order: the tables are
the same whoever reads the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from audit_analytics.catalogue import Catalogue
from audit_analytics.errors import InputError
from audit_analytics.source._blocks import has_lines
from audit_analytics.source._columns import pause_collector
from audit_analytics.source._flatten import EventBuilder
from audit_analytics.source._frames import read_parquet
from audit_analytics.source._text import TextReader
from audit_analytics.source._values import ROW_BYTES

PART_BYTES: Final = 16 * 2**20
"""Size of a part, in bytes of plain text: a tenth of a second's work."""

THREADS_MAX: Final = 4
"""Threads used unless the caller asks for more: half of the work is done by one at a time."""

PartRead = tuple[EventBuilder, int]
"""What a part holds, and a number of rows."""

_HEAD: Final = 2**20
_ZIPPED_GROWTH: Final = 10
_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"

# what a damaged or forged Parquet file makes of pyarrow and pandas; it costs the file, not the run
_UNREADABLE: Final = (
    OSError,
    pa.ArrowException,
    InputError,
    AttributeError,
    NotImplementedError,
    OverflowError,
)


@dataclass(frozen=True)
class Piece:
    """A file or a range of its lines."""

    path: Path
    label: str  # its name in events and rejects
    start: int = 0  # first byte of the range
    # bytes of the range, whole lines; None for the whole file, whatever it holds
    size: int | None = None


Part = tuple[Piece, ...]
"""Pieces one thread reads in one go; a range is a part of its own."""


def split_files(files: Iterable[tuple[Path, str]]) -> list[Part]:
    """Cut files into parts, in their order: large ones into ranges of lines, small ones joined."""
    parts: list[Part] = []
    small: list[Piece] = []
    size = 0
    for path, label in files:
        pieces, weight = _split_file(path, label)
        if len(pieces) > 1 or size + weight > PART_BYTES:
            parts += [tuple(small)] if small else []
            small, size = [], 0
        if len(pieces) > 1:
            parts += [(piece,) for piece in pieces]
        else:
            small += pieces
            size += weight
    return [*parts, tuple(small)] if small else parts


def count_cores() -> int:
    """Count the cores this process may use, as limited by its affinity or container.

    Returns
    -------
    int
        At least 1.
    """
    import joblib  # noqa: PLC0415 - only where a log is read

    return int(joblib.cpu_count())


def read_parts(
    parts: list[Part], read: Callable[[Part], PartRead], n_jobs: int | None = None
) -> Iterator[PartRead]:
    """Read parts with :func:`read_part`, several at once if there are many; yield them in order.

    With each come the rows of its file that earlier parts have read.
    """
    n_jobs = n_jobs or min(count_cores(), THREADS_MAX)
    rows = 0
    for part, (builder, part_rows) in zip(parts, _read_all(parts, read, n_jobs), strict=True):
        rows = rows if part[0].start else 0
        yield builder, rows
        rows += part_rows


def _read_all(
    parts: list[Part], read: Callable[[Part], PartRead], n_jobs: int
) -> Iterator[PartRead]:
    if min(n_jobs, len(parts)) < 2:
        yield from map(read, parts)
        return
    with ThreadPoolExecutor(n_jobs, thread_name_prefix="read") as pool:
        try:
            yield from pool.map(read, parts)
        finally:
            # whoever stops half way knows that the rest is for nothing
            pool.shutdown(cancel_futures=True)


def read_part(
    part: Part, catalogue: Catalogue | None = None, *, keeps_texts: bool = False
) -> PartRead:
    """Read one part; return what it holds, and the lines of its last piece."""
    builder = EventBuilder(catalogue, keeps_texts=keeps_texts)
    rows = 0
    for piece in part:
        try:
            with piece.path.open("rb") as file, pause_collector():
                rows = _read_piece(file, piece, builder)
        except _UNREADABLE as error:
            reason = error.strerror if isinstance(error, OSError) else None
            TextReader(piece.label, builder).lose(
                f"cannot be read: {reason or type(error).__name__}",
                size=_measure(piece),
                is_rest=True,
            )
    return builder, rows


def _split_file(path: Path, label: str) -> tuple[list[Piece], int]:
    """Return the pieces of a file, and how many bytes of text they come to."""
    whole = [Piece(path, label)]
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD if size > PART_BYTES else len(_PARQUET))
            if head.startswith(_GZIP):
                return whole, size * _ZIPPED_GROWTH
            if head.startswith(_PARQUET) or size <= PART_BYTES or not _begins_with_lines(head):
                return whole, size
            ends = [0, *_find_ends(file, size)]
    except OSError:
        # read_part says what is wrong with it
        return whole, 0
    return [Piece(path, label, start, end - start) for start, end in pairwise(ends)], size


def _measure(piece: Piece) -> int:
    """Return the bytes of text a piece holds, as far as can be told."""
    try:
        return int(pq.read_metadata(piece.path).num_rows) * ROW_BYTES
    except _UNREADABLE:
        pass
    try:
        return piece.size or piece.path.stat().st_size
    except OSError:
        return 0


def _begins_with_lines(head: bytes) -> bool:
    lines = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")[:-1]
    first = next((line.lstrip() for line in lines if line.strip()), b"")
    return first[:1] in (b"{", b"[") and has_lines(lines, whole=False)


def _find_ends(file: BinaryIO, size: int) -> Iterator[int]:
    """Yield ends of lines about one part apart, and the end of the file."""
    at = PART_BYTES
    while at < size:
        file.seek(at)
        while (block := file.read(_HEAD)) and b"\n" not in block:
            at += len(block)
        at += block.find(b"\n") + 1
        yield min(at, size)
        if not block or at >= size:
            return
        at += PART_BYTES
    yield size


def _read_piece(file: BinaryIO, piece: Piece, builder: EventBuilder) -> int:
    reader = TextReader(piece.label, builder)
    if piece.size is not None:
        file.seek(piece.start)
        reader.read_lines(file, piece.size)
        return reader.row
    start = file.read(len(_PARQUET))
    file.seek(0)
    if start == _PARQUET:
        read_parquet(file, piece.label, builder)
    elif start.startswith(_GZIP):
        reader.read_zipped(file)
    else:
        reader.read(file)
    return reader.row
