"""Read JSON and JSONL: block by block, so that memory grows with the columns, not the text.

A file is one document or one a line; which of them is found out from its beginning. What cannot
be read costs as few rows as possible.
"""

from __future__ import annotations

import gzip
import zlib
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from audit_analytics.source.wire import (
    ITEM,
    Item,
    decode_batch,
    encode,
    read_item,
    split_broken,
    split_document,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from audit_analytics.source.flatten import EventBuilder

_BLOCK: Final = 2**20
_ZIPPED_MAX: Final = 64 * 2**20
_PLAIN_MAX: Final = 2**30
_EXPANSION_MAX: Final = 200
"""Audit logs shrink to a 5th or a 30th; what grows 200 times is no log but a bomb."""
_EXPANSION_FREE: Final = 64 * 2**20
_CACHED: Final = 400
"""Decoded items are handed over before they leave the processor's cache."""
_DEPTH: Final = 3
_OPENINGS: Final = (b"{", b"[{")


class TextReader:
    """Read one JSON or JSONL file into a builder.

    Parameters
    ----------
    label : str
        Name of the file in events and rejects.
    builder : EventBuilder
        Takes the rows.

    Attributes
    ----------
    row : int
        Lines, or items of a document, read so far.
    """

    def __init__(self, label: str, builder: EventBuilder) -> None:
        self.row = 0
        self._label = label
        self._builder = builder
        self._limit = _PLAIN_MAX
        self._by_line = False
        self._items: list[Item] = []
        self._damage = ""
        self._rejected = False

    def read(self, stream: BinaryIO) -> None:
        """Read a whole file; what cannot be read becomes a reject.

        Parameters
        ----------
        stream : file object
            At its beginning.
        """
        self._read_blocks(self._split_lines(self._read_plain(stream, None)))

    def read_lines(self, stream: BinaryIO, size: int) -> None:
        """Read a part of a file that holds a document a line.

        Parameters
        ----------
        stream : file object
            At the beginning of a line.
        size : int
            Bytes to read, up to the end of a line.
        """
        self._by_line = True
        start = stream.tell()
        for lines in self._split_lines(self._read_plain(stream, size)):
            if start == 0:
                lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
                start = -1
            self._take_lines(lines)

    def read_zipped(self, stream: BinaryIO) -> None:
        """Read a whole gzip-compressed file; what cannot be read becomes a reject.

        Parameters
        ----------
        stream : file object
            At its beginning.
        """
        self._limit = _ZIPPED_MAX
        self._read_blocks(self._split_lines(self._read_unzipped(stream)))

    def take_objects(self, objects: list[Any], start: int) -> None:
        """Take decoded items or pages one by one.

        Parameters
        ----------
        objects : list
            Items or pages.
        start : int
            Rows that came before them.
        """
        self._by_line = True
        for row, value in enumerate(objects, start + 1):
            self.row = row
            try:
                self._take(encode(value))
            except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
                self._reject("not JSON", b"")
        self._hand_over()

    def _read_blocks(self, blocks: Iterator[list[bytes]]) -> None:
        first: list[bytes] = []
        start = b""
        for first in blocks:
            first[0] = first[0].removeprefix(b"\xef\xbb\xbf")
            start = next((line.lstrip() for line in first if line.strip()), b"")
            if start:
                break
            self.row += len(first)
        if not start:
            if not self._rejected:
                self._reject(self._damage or "empty file", b"")
            return
        second = next(blocks, [])
        if start[:1] not in (b"{", b"["):
            # one strange line before a log must not cost the log
            self._by_line = any(map(_is_object, chain(first, second)))
            if not self._by_line:
                self._reject("not a log file: it does not begin with { or [", start[:200])
                return
        else:
            self._by_line = has_lines(first, whole=not second)
        if self._by_line:
            for lines in chain((first, second), blocks):
                self._take_lines(lines)
        else:
            self._take_document(chain((first, second), blocks))
        self._hand_over()
        if self._damage:
            self._reject(self._damage, b"")

    def _read_plain(self, stream: BinaryIO, size: int | None) -> Iterator[bytes]:
        left = size
        while chunk := stream.read(_BLOCK if left is None else min(_BLOCK, left)):
            left = None if left is None else left - len(chunk)
            yield chunk

    def _read_unzipped(self, stream: BinaryIO) -> Iterator[bytes]:
        size = 0
        try:
            with gzip.GzipFile(fileobj=stream) as unzipped:
                while chunk := unzipped.read1(_BLOCK):
                    size += len(chunk)
                    if size > max(_EXPANSION_FREE, stream.tell() * _EXPANSION_MAX):
                        self._damage = (
                            f"gzip that grows more than {_EXPANSION_MAX} times: not read further"
                        )
                        return
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
            self.row += len(lines)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            for line in lines:
                self.row += 1
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
        text = b"\n".join(kept)
        if not _is_json(text) and sum(map(_is_object, kept)) > len(split_broken(text)):
            # no document after all, but lines whose first ones are broken
            self._by_line = True
            self._take_lines(kept)
        else:
            self._take(text)

    def _take(self, text: bytes, depth: int = 0) -> None:
        if b'"items"' in text or text.lstrip()[:1] == b"[":
            batch = decode_batch(text)
            if batch is not None:
                self._items += batch
                self.row += 0 if self._by_line else len(batch)
                if len(self._items) >= _CACHED:
                    self._hand_over()
                return
        parts = split_document(text)
        if parts == [text]:
            parts = split_broken(text)
        if isinstance(parts, str):
            self._reject(parts, text)
        elif parts == [text] or depth == _DEPTH:
            self.row += not self._by_line
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
        self._builder.reject(self._label, self.row, reason, raw)

    def _hand_over(self) -> None:
        self._builder.add(self._items, self._label)
        self._items = []


def has_lines(lines: list[bytes], *, whole: bool) -> bool:
    """Tell JSONL from one document over many lines, by the first lines.

    Parameters
    ----------
    lines : list of bytes
        The first lines, one of them not blank.
    whole : bool
        Whether they are the whole file.

    Returns
    -------
    bool
        True for JSONL.

    Examples
    --------
    >>> has_lines([b'{"id": 1}', b'{"id": 2}'], whole=True), has_lines([b"[", b"1]"], whole=True)
    (True, False)
    """
    head = [*islice((line for line in lines if line.strip()), 50)]
    if _is_json(head[0]):
        return True
    if whole and _is_json(b"\n".join(lines)):
        return False
    return any(map(_is_object, head))


def _is_object(line: bytes) -> bool:
    """Tell whether a line is an object, or a list of objects, by itself."""
    return line.lstrip().startswith(_OPENINGS) and _is_json(line)


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
