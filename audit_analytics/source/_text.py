"""Read JSON and JSONL: block by block, so that memory grows with the columns, not the text.

A file is documents or one a line; which of them is found out from its beginning, and either is read
where the other was expected. What cannot be read costs as few rows as possible, and counts by its
size where rows cannot be told apart.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO, Final

import msgspec

from audit_analytics.source._blocks import (
    Unzipped,
    cut_lines,
    has_lines,
    is_json,
    is_object,
    read_block,
    read_plain,
)
from audit_analytics.source._flatten import EventBuilder
from audit_analytics.source._items import read_item
from audit_analytics.source._values import ROW_BYTES, Piece, Splitter
from audit_analytics.source._wire import ITEM, Item, decode_batch, encode, split_document

_HEAD: Final = 2**20
_WHOLE: Final = 64 * 2**20
"""A document up to this size is tried to be decoded in one go."""
_ZIPPED_MAX: Final = 64 * 2**20
_PLAIN_MAX: Final = 2**30
_CACHED: Final = 400
"""Decoded items are handed over before they leave the processor's cache."""
_DEPTH: Final = 3
_BOM: Final = b"\xef\xbb\xbf"


class TextReader:
    """Read one JSON or JSONL file into a builder; ``row`` counts lines, or items of a document."""

    def __init__(self, label: str, builder: EventBuilder) -> None:
        self.row = 0
        self._label = label
        self._builder = builder
        self._limit = _PLAIN_MAX
        self._by_line = False
        self._items: list[Item] = []
        self._splitter = Splitter(_PLAIN_MAX)
        self._is_open = False
        self._lines_before = 0

    def read(self, stream: BinaryIO) -> None:
        """Read a whole file; what cannot be read becomes a reject."""
        if not self._read_chunks(read_plain(stream)):
            self.lose("empty file")

    def read_lines(self, stream: BinaryIO, size: int) -> None:
        """Read `size` bytes, from the beginning of a line, of a file that holds a document a line."""
        self._by_line = True
        is_first = stream.tell() == 0
        for block in cut_lines(read_plain(stream, size), self._limit, self._lose_line):
            self._take_block(block.removeprefix(_BOM) if is_first else block)
            is_first = False
        self._close()

    def read_zipped(self, stream: BinaryIO) -> None:
        """Read a whole gzip-compressed file; what cannot be read becomes a reject."""
        self._limit = _ZIPPED_MAX
        self._splitter = Splitter(_ZIPPED_MAX)
        unzipped = Unzipped(stream)
        is_something = self._read_chunks(iter(unzipped))
        if unzipped.damage:
            self.lose(unzipped.damage, size=unzipped.lost_bytes, is_rest=True)
        elif not is_something:
            self.lose("empty file")

    def take_objects(self, objects: list[Any], start: int) -> None:
        """Take decoded items or pages one by one, after `start` rows."""
        self._by_line = True
        for row, value in enumerate(objects, start + 1):
            self.row = row
            self._take_object(value)
        self._hand_over()

    def lose(
        self, reason: str, raw: bytes = b"", *, size: int = 0, rows: int = 1, is_rest: bool = False
    ) -> None:
        """Take in what cannot be read, `raw` as it begins: `rows` at least, or as many as its `size` has.

        `is_rest` says that more than counted may have been lost.
        """
        rows = max(1, rows, size // ROW_BYTES)
        if is_rest:
            self._builder.notes["unread_parts"] += 1
            self._builder.notes["unread_bytes"] += max(size, len(raw))
        self._hand_over()
        self._builder.reject(self._label, self.row, reason, raw, rows=rows)

    def _take_object(self, value: object, depth: int = 0) -> None:
        try:
            text = encode(value)
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
            items = _list_items(value) if depth < _DEPTH else None
            if items is None:
                self.lose("not JSON")
            # an item that has no JSON must not cost its page
            for item in items or ():
                self._take_object(item, depth + 1)
        else:
            self._take(text)

    def _read_chunks(self, chunks: Iterator[bytes]) -> bool:
        """Read a file; return whether there is anything in it."""
        head = b""
        is_whole = True
        for chunk in chunks:
            head = (head + chunk).removeprefix(_BOM)
            if not head.strip():
                self.row += head.count(b"\n")
                head = b""
            elif len(head) >= _HEAD:
                is_whole = False
                break
        lines = head.split(b"\n") if is_whole else head.split(b"\n")[:-1]
        if head.lstrip()[:1] in (b"{", b"["):
            self._by_line = has_lines(lines, whole=is_whole)
        else:
            # one strange line before a log must not cost the log
            self._by_line = any(map(is_object, lines))
            if head and not self._by_line:
                size = len(head) + sum(map(len, chunks))
                reason = "not a log file: it does not begin with { or ["
                self.lose(reason, head.lstrip()[:200], size=size)
                return True
        if self._by_line:
            whole = chain((head,), chunks)
            for block in cut_lines(whole, self._limit, self._lose_line):
                self._take_block(block)
        elif head:
            self._take_documents(head, chunks)
        self._close()
        return bool(head)

    def _lose_line(self, beginning: bytes, size: int) -> None:
        reason = f"line longer than {self._limit >> 20} MiB"
        self.lose(reason, beginning, size=size, is_rest=True)

    def _take_block(self, block: bytes) -> None:
        found = read_block(block)
        if found:
            fields, lines = found
            self._end_open()
            self._hand_over()
            self._builder.add_fields(fields, self._label)
            self.row += lines
            return
        odd = block.removesuffix(b"\n").split(b"\n")
        for start in range(0, len(odd), _CACHED):
            self._take_lines(odd[start : start + _CACHED])

    def _take_lines(self, lines: list[bytes]) -> None:
        try:
            items = [*map(ITEM.decode, lines)]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            for line in lines:
                self._take_line(line)
        else:
            self._end_open()
            self._items += items
            self.row += len(lines)
        self._hand_over()

    def _take_line(self, line: bytes) -> None:
        """Take one line; if it is not whole, it may be the beginning of a document."""
        self.row += 1
        if not line or line.isspace():
            if self._is_open:
                self._take_pieces(self._splitter.feed("\n"))
        elif (batch := _decode_pages(line)) is not None:
            self._end_open()
            self._take_batch(batch)
        elif is_json(line):
            self._end_open()
            self._take(line)
        else:
            if not self._is_open:
                self._is_open = True
                self._lines_before = self.row - self._splitter.lines
            self._take_pieces(self._splitter.feed(line.decode("utf-8", "replace") + "\n"))

    def _end_open(self) -> None:
        """Take what has no whole line by itself, now that a whole line follows."""
        if self._is_open:
            self._take_pieces(self._splitter.feed("", final=True))
            self._is_open = False

    def _take_documents(self, head: bytes, chunks: Iterator[bytes]) -> None:
        kept, size = [head], len(head)
        for chunk in chunks:
            kept.append(chunk)
            size += len(chunk)
            if size > _WHOLE:
                break
        else:
            batch = _decode_pages(b"".join(kept))
            if batch is not None:
                self._take_batch(batch)
                return
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for chunk in chain(kept, chunks):
            self._take_pieces(self._splitter.feed(decoder.decode(chunk)))
        self._take_pieces(self._splitter.feed(decoder.decode(b"", final=True)))

    def _close(self) -> None:
        self._end_open()
        self._take_pieces(self._splitter.close())
        self._hand_over()

    def _take_pieces(self, pieces: Iterable[Piece]) -> None:
        row = self.row
        for piece in pieces:
            if self._by_line:
                self.row = self._lines_before + piece.line
            text = piece.text.encode()
            if not piece.rows:
                self._take(text)
                continue
            self.row += 0 if self._by_line else piece.rows
            reason = "invalid JSON" if piece.text else "the text ends within a list"
            self.lose(reason, text, rows=piece.rows, is_rest=piece.is_rest)
        if self._by_line:
            self.row = row

    def _take_batch(self, batch: list[Item]) -> None:
        self._items += batch
        self.row += 0 if self._by_line else len(batch)
        if len(self._items) >= _CACHED:
            self._hand_over()

    def _take(self, text: bytes, depth: int = 0) -> None:
        """Take a JSON value: a page, an item, or a list of either."""
        batch = _decode_pages(text)
        if batch is not None:
            self._take_batch(batch)
            return
        parts = split_document(text)
        if isinstance(parts, str):
            self._lose_value(parts, text)
        elif parts == [text] or depth == _DEPTH:
            self.row += not self._by_line
            item = read_item(text, self._builder.notes)
            if isinstance(item, Item):
                self._items.append(item)
            else:
                self._lose_value(item, text)
        else:
            for part in parts:
                self._take(part, depth + 1)

    def _lose_value(self, reason: str, text: bytes) -> None:
        # a page whose own keys are damaged is no page, and no single row either
        rows = text.count(b'"event_time"')
        self.lose(reason, text, rows=rows, is_rest=rows > 1)

    def _hand_over(self) -> None:
        self._builder.add(self._items, self._label)
        self._items = []


def _decode_pages(text: bytes) -> list[Item] | None:
    """Decode a page or a list; None for anything unusual, a single item among it."""
    if b'"items"' in text or text.lstrip()[:1] == b"[":
        return decode_batch(text)
    return None


def _list_items(value: object) -> list[Any] | None:
    """Return the items of a decoded page or list, if it is one."""
    if isinstance(value, dict):
        data = value.get("data")
        value = value.get("items", data.get("items") if isinstance(data, dict) else None)
    return value if isinstance(value, list) else None
