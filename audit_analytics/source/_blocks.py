"""Read files chunk by chunk, cut into blocks of whole lines, and those straight into columns.

pyarrow parses a block: no Python object a field. Only what is well-formed comes back: a block in
which anything is unusual is to be read line by line (``_wire``, ``_items``), so that one bad row
costs one reject.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import BinaryIO, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from numpy.typing import NDArray

from audit_analytics.catalogue import MAX_KEY
from audit_analytics.source._wire import (
    FIRST_TIME,
    ITEM,
    LAST_TIME,
    METHOD_MAX,
    NAME_MAX,
    STATUS_MAX,
    TEXT_MAX,
)

Fields = dict[str, pa.Array]
"""Columns of items as logged, by the names of :data:`FIELDS`."""

_ITEM_TEXTS: Final = {"id": NAME_MAX, "api_key": MAX_KEY, "app_id": NAME_MAX, "ip": NAME_MAX}
_DETAIL_TEXTS: Final = {
    "path": MAX_KEY,
    "method": METHOD_MAX,
    "query_param": TEXT_MAX,
    "payload": TEXT_MAX,
    "response": TEXT_MAX,
}
_TEXTS: Final = _ITEM_TEXTS | _DETAIL_TEXTS
"""Longest text of each field, in characters."""

_INTEGERS: Final = {"event_time": (FIRST_TIME, LAST_TIME), "status_code": (-STATUS_MAX, STATUS_MAX)}
FIELDS: Final = dict.fromkeys(_TEXTS, pa.large_string()) | dict.fromkeys(_INTEGERS, pa.int64())
"""Arrow type of each field of an item and of its ``log_detail``."""

_DETAIL: Final = pa.struct({name: FIELDS[name] for name in (*_DETAIL_TEXTS, "status_code")})
_ITEM: Final = pa.schema(
    {name: FIELDS[name] for name in (*_ITEM_TEXTS, "event_time")} | {"log_detail": _DETAIL}
)
_PAGE: Final = pa.schema(
    {"code": pa.int64(), "data": pa.struct({"items": pa.list_(pa.struct([*_ITEM]))})}
)
_OPENING, _CLOSING = b"{}"


def read_block(block: bytes) -> tuple[Fields, int] | None:
    r"""Read lines that are all items, or all pages of items: fields by name, and how many lines.

    None instead if anything at all is unusual.

    >>> fields, lines = read_block(b'{"id": "a", "event_time": 1700000000}\n')
    >>> fields["id"].to_pylist(), fields["path"].to_pylist(), lines
    (['a'], [None], 1)
    >>> read_block(b'{"id": "a", "event_time": "soon"}') is None
    True
    """
    lines = _count_lines(block)
    if not lines:
        return None
    try:
        table = pj.read_json(
            pa.BufferReader(block),
            pj.ReadOptions(use_threads=False, block_size=len(block) + 1),
            pj.ParseOptions(
                explicit_schema=_ITEM if _begins_with_item(block) else _PAGE,
                unexpected_field_behavior="ignore",
            ),
        )
        fields = _list_fields(table)
        if len(table) != lines or fields is None or not _is_sound(fields):
            return None
    except pa.ArrowInvalid:
        return None
    return fields, lines


def _count_lines(block: bytes) -> int:
    """Count the lines; 0 if one may be blank, or not begin and end an object.

    Lines that all do break no value, for where a brace has closed none can open within the same.
    """
    lines = start = 0
    while start < len(block):
        end = _find_end(block, start)
        if block[start] != _OPENING or block[end - 1] != _CLOSING:
            return 0
        lines += 1
        start = end + 1
    return lines


def _find_end(block: bytes, start: int) -> int:
    end = block.find(b"\n", start)
    return len(block) if end < 0 else end


def _begins_with_item(block: bytes) -> bool:
    try:
        ITEM.decode(block[: _find_end(block, 0)])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _list_fields(table: pa.Table) -> Fields | None:
    """Return the columns of the items; None if a page is an error, or an item is missing."""
    columns = {name: table[name].chunk(0) for name in table.column_names}
    if "data" in columns:
        items = columns["data"].field("items")
        rows = items.flatten()
        if any(column.null_count for column in (*columns.values(), items, rows)):
            return None
        if columns["code"].to_numpy().any():
            return None
        columns = _part(rows)
    return columns | _part(columns.pop("log_detail"))


def _part(structs: pa.StructArray) -> Fields:
    """Return the fields of structs; one that is missing has none."""
    names = [structs.type.field(place).name for place in range(structs.type.num_fields)]
    return dict(zip(names, structs.flatten(), strict=True))


def _is_sound(fields: Fields) -> bool:
    """Tell whether every field is what the typed decode of an item would accept.

    Texts are measured in bytes: one of many characters may be refused that is not too long.
    """
    if fields["id"].null_count or fields["event_time"].null_count:
        return False
    for name, (least, most) in _INTEGERS.items():
        found = pc.min_max(fields[name]).as_py()
        if found["min"] is not None and not least <= found["min"] <= found["max"] <= most:
            return False
    for name, longest in _TEXTS.items():
        # whether it is UTF-8
        fields[name].validate(full=True)
        if measure_texts(fields[name]).max(initial=0) > longest:
            return False
    return bool(measure_texts(fields["id"]).all())


def measure_texts(texts: pa.LargeStringArray) -> NDArray[np.int64]:
    """Return the bytes of each text in UTF-8; a missing one has none.

    >>> measure_texts(pa.array(["a", None, "ä"], pa.large_string())).tolist()
    [1, 0, 2]
    """
    ends = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset :]
    return np.diff(ends[: len(texts) + 1])


BLOCK: Final = 2**20
LINES: Final = 8 * BLOCK
"""Bytes of lines handed over at once: texts that repeat among them are looked at once."""
EXPANSION_MAX: Final = 200
"""Audit logs shrink to a 5th or a 30th; what grows 200 times is no log but a bomb."""
EXPANSION_FREE: Final = 64 * 2**20
EXPANSION: Final = 10
"""What a log grows to, to count what of it was never unzipped."""

_SHOWN: Final = 4096
"""Bytes of a line that is too long that are handed over."""
_OPENINGS: Final = (b"{", b"[{")


def read_plain(stream: BinaryIO, size: int | None = None) -> Iterator[bytes]:
    """Read a file chunk by chunk; `size` bytes of it, or all."""
    left = size
    while chunk := stream.read(BLOCK if left is None else min(BLOCK, left)):
        left = None if left is None else left - len(chunk)
        yield chunk


class Unzipped:
    """A gzip-compressed file, chunk by chunk; ``damage`` says why not to its end, '' if it could be.

    ``lost_bytes`` is how much text was not read, as far as can be told.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.damage = ""
        self.lost_bytes = 0
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        """Yield chunks as long as they can be read."""
        size = 0
        try:
            with gzip.GzipFile(fileobj=self._stream) as unzipped:
                while chunk := unzipped.read1(BLOCK):
                    size += len(chunk)
                    if size > max(EXPANSION_FREE, self._stream.tell() * EXPANSION_MAX):
                        self.damage = (
                            f"gzip that grows more than {EXPANSION_MAX} times: not read further"
                        )
                        break
                    yield chunk
        except EOFError:
            self.damage = "truncated gzip"
        except (gzip.BadGzipFile, zlib.error):
            self.damage = "damaged gzip"
        if self.damage:
            self.lost_bytes = EXPANSION * sum(map(len, read_plain(self._stream)))


def cut_lines(
    chunks: Iterable[bytes], limit: int, lose: Callable[[bytes, int], object]
) -> Iterator[bytes]:
    r"""Cut chunks into whole lines, about ``LINES`` bytes of them.

    `lose` is told beginning and size of each line over the limit, in whose place is an empty one.

    >>> [*cut_lines([b"a\nb", b"c\n", b"d"], 9, print)]
    [b'a\nbc\nd']
    """
    whole: list[memoryview] = []
    line: list[memoryview] = []
    ready = size = skipped = 0
    for chunk in chunks:
        rest, end = memoryview(chunk), chunk.rfind(b"\n") + 1
        if end and skipped:
            start = chunk.find(b"\n")
            lose(bytes(line[0]), skipped + start)
            rest, end, line, skipped = rest[start:], end - start, [], 0
        if end:
            whole += [*line, rest[:end]]
            ready += size + end
            rest, line, size = rest[end:], [], 0
        if ready >= LINES or (whole and size + len(rest) > limit):
            yield b"".join(whole)
            whole, ready = [], 0
        if skipped:
            skipped += len(rest)
            continue
        line.append(rest)
        size += len(rest)
        if size > limit:
            line, size, skipped = [line[0][:_SHOWN]], 0, size
    if skipped:
        lose(bytes(line[0]), skipped)
    elif ready or size:
        yield b"".join((*whole, *line))


def has_lines(lines: list[bytes], *, whole: bool) -> bool:
    """Tell JSONL from documents over many lines, by the first lines, which may be the `whole` file.

    >>> has_lines([b'{"id": 1}', b'{"id": 2}'], whole=True), has_lines([b"[", b"1]"], whole=True)
    (True, False)
    >>> has_lines([b'[{"id": 1}', b',{"id": 2}', b',{"id": 3}'], whole=False)
    False
    """
    head = [*islice((line for line in lines if line.strip()), 50)]
    if not head or is_json(head[0]):
        return bool(head)
    if whole and is_json(b"\n".join(lines)):
        return False
    # the last item of a list has no comma after it, the first none before it
    alone = sum(map(is_object, head))
    listed = sum(is_object(line.strip().strip(b",")) for line in head) - alone
    return alone > listed


def is_object(line: bytes) -> bool:
    """Tell whether a line is an object, or a list of objects, by itself.

    >>> is_object(b' [{"id": 1}]'), is_object(b'{"id": 1},'), is_object(b"7")
    (True, False, False)
    """
    return line.lstrip().startswith(_OPENINGS) and is_json(line)


def is_json(text: bytes) -> bool:
    """Tell whether a text is one JSON value.

    >>> is_json(b"[1]"), is_json(b"[1] 2")
    (True, False)
    """
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
