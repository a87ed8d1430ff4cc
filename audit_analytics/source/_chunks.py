"""Read files chunk by chunk: plain or unzipped, cut into lines, and what their beginning says."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import BinaryIO, Final

import msgspec

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
    """A gzip-compressed file, to be iterated over chunk by chunk.

    Afterwards ``damage`` says why it could not be read to its end, '' if it could, and
    ``lost_bytes`` how much text was not read, as far as can be told.
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

    `lose` is told the beginning and the size of each line over the limit; an empty one stands for
    it.

    Examples
    --------
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

    Examples
    --------
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

    Examples
    --------
    >>> is_object(b' [{"id": 1}]'), is_object(b'{"id": 1},'), is_object(b"7")
    (True, False, False)
    """
    return line.lstrip().startswith(_OPENINGS) and is_json(line)


def is_json(text: bytes) -> bool:
    """Tell whether a text is one JSON value.

    Examples
    --------
    >>> is_json(b"[1]"), is_json(b"[1] 2")
    (True, False)
    """
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
