"""Split a text into the JSON values it holds, whatever stands between them and what is damaged.

Values may follow each other with or without separators, within lists or on their own; so the
brackets and commas between them are skipped and every value is read for itself. Where one is
broken, reading goes on at the next text that begins like an item or a page: within a string every
quote is escaped, so ``{"id":`` can only be the beginning of an object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

ROW_BYTES: Final = 500
"""Bytes a row comes to, to count the rows of what cannot be read: real logs have 400 to 600."""

BROKEN: Final = object()
"""What :func:`decode_anyhow` returns for a text that is no JSON."""

_DEEP: Final = 64
"""Containers within containers that are read; what lies deeper says nothing about a call."""
_TAIL_MAX: Final = 8192
_WORK_PER_CHARACTER: Final = 16
_WORK_FREE: Final = 2**20
_WORK_OF_DEPTH: Final = 20_000
_LOOSE: Final = r"[\s\w,:.+-]*+"
_STRING: Final = r'"(?:[^"\\\n]|\\.)*+'
_STEP: Final = re.compile(rf'{_LOOSE}(?:{_STRING}"{_LOOSE})*+([{{}}\[\]])', re.ASCII)
_UNFINISHED: Final = re.compile(rf'{_LOOSE}(?:{_STRING}"{_LOOSE})*+(?:{_STRING}\\?)?\Z', re.ASCII)
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}\[\]]', re.DOTALL)
_BETWEEN: Final = re.compile(r"[\s,}\ufeff\x1e]*+")
_NESTED: Final = re.compile(r"(?:\[\s*+){9}")
_FLAT: Final = rf'(?:{_STRING}"|[-\w.+]++|\{{[^{{}}\[\]]{{0,1024}}\}})'
# not past the end of an object, nor past the fields of an item: that would skip rows
_PAGE: Final = re.compile(
    rf'\{{\s*+(?:(?!"(?:id|event_time|log_detail)"){_STRING}"\s*+:\s*+(?:{_FLAT}\s*+,|\{{)\s*+){{0,20}}?'
    r'"items"\s*+:\s*+\['
)
_PAGE_BEGUN: Final = re.compile(r'\{\s*"(?:code|msg|data|items)"')
_PAGE_TAIL: Final = re.compile(rf'(?:\s*+(?:\}}|,\s*+{_STRING}"\s*+:\s*+{_FLAT}))*+')
_BEGINNING: Final = re.compile(
    r'\{\s*"(?:id|event_time|api_key|app_id|ip|log_detail|code|msg|data|items)"\s*:'
    r'|(?<=\n)\{\s*"'
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A value of a text, or a part of it that is none."""

    text: str  # the value or the part
    line: int  # line breaks before it
    rows: int = 0  # 0 for a value; otherwise the rows that were lost, as far as can be told
    is_rest: bool = False  # whether more rows than counted may have been lost with it


class Splitter:
    r"""Split a text that comes bit by bit; memory grows with the longest value.

    What has more characters than `limit` is a part that cannot be read.

    >>> splitter = Splitter(1000)
    >>> [piece.text for piece in splitter.feed('[{"id": 1}{"id": 2},\n{"id": 3', final=True)]
    ['{"id": 1}', '{"id": 2}', '{"id": 3']
    """

    def __init__(self, limit: int) -> None:
        self.lines = 0
        self._limit = limit
        self._parts: list[str] = []
        self._size = self._wanted = 0
        self._work = _WORK_FREE
        self._depth = 0
        self._line = 0

    def feed(self, text: str, *, final: bool = False) -> list[Piece]:
        """Take in more of the text: return values that are whole by now, and what is none.

        `final` says that a value cannot go on after it.
        """
        self._parts.append(text)
        self._size += len(text)
        self.lines += text.count("\n")
        self._work += _WORK_PER_CHARACTER * len(text)
        is_too_long = self._size > self._limit
        final |= is_too_long
        # a value that is not yet whole is looked at again when there is twice as much of it
        if not final and self._size < self._wanted:
            return []
        whole = "".join(self._parts)
        pieces: list[Piece] = []
        used = self._split(whole, pieces, final=final)
        if is_too_long and pieces and pieces[-1].rows:
            last = pieces[-1]
            rows = max(last.rows, len(last.text) // ROW_BYTES)
            pieces[-1] = replace(last, rows=rows, is_rest=True)
        self._line += whole.count("\n", 0, used)
        self._parts = [whole[used:]]
        self._size = len(whole) - used
        self._wanted = 2 * self._size
        return pieces

    def close(self) -> list[Piece]:
        """End the text: return what was left, and an empty part if it ends within a list."""
        pieces = self.feed("", final=True)
        if self._depth:
            pieces.append(Piece("", self._line, 1, is_rest=True))
        return pieces

    def _split(self, text: str, pieces: list[Piece], *, final: bool) -> int:
        """Split as far as can be told; return how far that is."""
        start = line = 0
        for at, end, is_value in self._find_values(text, final=final):
            line += text.count("\n", start, at)
            start = at
            if end < 0:
                break
            part = text[at:end]
            if is_value:
                pieces.append(Piece(part, self._line + line))
            elif part:
                pieces.append(
                    self._lose(part, self._line + line, is_last=final and end == len(text))
                )
        return start

    def _lose(self, part: str, line: int, *, is_last: bool) -> Piece:
        rows = max(1, part.count('"event_time"'))
        is_cut = is_last and (self._depth > 0 or _PAGE_BEGUN.match(part) is not None)
        if is_cut or not _BEGINNING.match(part):
            rows = max(rows, len(part) // ROW_BYTES)
        if is_cut:
            # said once; what follows, if anything, is not within that list
            self._depth = 0
        return Piece(part, line, rows, is_rest=rows > 1 or is_cut)

    def _find_values(self, text: str, *, final: bool) -> Iterator[tuple[int, int, bool]]:
        """Yield beginning and end of what is a value and of what is none, at last (place, -1)."""
        at = 0
        while True:
            at = self._skip(text, at, final=final)
            if at == len(text) or (text[at] == "]" and not final):
                break
            try:
                end = _DECODER.raw_decode(text, at)[1]
            except (ValueError, RecursionError) as error:
                end, state = find_end(text, at)
                failed_at = getattr(error, "pos", at + _WORK_OF_DEPTH)
                self._work -= failed_at - at + end - at
                if state == "open" and not final:
                    break
                page = _PAGE.match(text, at)
                if page and self._work > 0:
                    self._depth += 1
                    at = page.end()
                    continue
                is_value = state == "whole" and isinstance(error, RecursionError)
                if state != "whole":
                    end = self._find_beginning(text, at)
                    if end == len(text) and not final and self._work > 0:
                        break
            else:
                is_value = True
                # a number may go on in the next bit
                if end == len(text) and not final and text[end - 1] not in '}]"':
                    break
            yield at, end, is_value
            at = end
        yield at, -1, False

    def _skip(self, text: str, at: int, *, final: bool) -> int:
        """Skip what stands between values: commas, the brackets of lists, the ends of pages."""
        while True:
            at = between.end() if (between := _BETWEEN.match(text, at)) else at
            bracket = text[at : at + 1]
            if bracket == "[" and not _NESTED.match(text, at):
                self._depth += 1
                at += 1
            elif bracket == "]":
                tail = _PAGE_TAIL.match(text, at + 1)
                end = tail.end() if tail else at + 1
                if not final and len(text) - end < _TAIL_MAX:
                    return at
                self._depth = max(self._depth - 1, 0)
                at = end
            else:
                return at

    def _find_beginning(self, text: str, at: int) -> int:
        """Find where to go on after something broken."""
        if self._work <= 0:
            return len(text)
        found = _BEGINNING.search(text, at + 1)
        end = found.start() if found else len(text)
        if text[at] not in '{["':
            # no JSON at all: a line is a row
            line = text.find("\n", at, end)
            end = end if line < 0 else line
        return end


def find_end(text: str, at: int) -> tuple[int, str]:
    """Find the end of a value by its brackets, and whether it is 'whole', 'damaged', or 'open'.

    It is open if the text ends before the value does: then it was followed so far.

    >>> find_end('[{"a": "]"}] ', 0), find_end('{"a": [1', 0), find_end('{"a": 1]', 0)
    ((12, 'whole'), (8, 'open'), (8, 'damaged'))
    """
    closing: list[str] = []
    while step := _STEP.match(text, at):
        at = step.end()
        bracket = step[1]
        if bracket in "{[":
            closing.append("}" if bracket == "{" else "]")
        elif not closing or closing.pop() != bracket:
            return at, "damaged"
        if not closing:
            return at, "whole"
    return (len(text), "open") if _UNFINISHED.match(text, at) else (at, "damaged")


def decode_anyhow(text: bytes | str) -> Any:  # noqa: ANN401 - any JSON value
    """Decode JSON as long as it can be told what it means.

    Parameters
    ----------
    text : bytes or str
        JSON text. Invalid UTF-8 is replaced, control characters pass, a number of 400 digits and
        more becomes a text, and what is nested deeper than 64 levels is left out.

    Returns
    -------
    object
        The value; :data:`BROKEN` if it is no JSON.

    Examples
    --------
    >>> decode_anyhow(b'{"id": 7}'), decode_anyhow("[" * 3000 + "]" * 3000) is BROKEN
    ({'id': 7}, False)
    >>> decode_anyhow(b'{"id": ') is BROKEN
    True
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    try:
        return _DECODER.decode(text)
    except ValueError:
        return BROKEN
    except RecursionError:
        pass
    try:
        return _DECODER.decode(_flatten_deep(text))
    except (ValueError, RecursionError):
        return BROKEN


def _flatten_deep(text: str) -> str:
    """Empty the containers that lie too deep."""
    kept: list[str] = []
    start = depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in ("{", "["):
            depth += 1
            if depth == _DEEP:
                kept.append(text[start : token.end()])
                start = token.end()
        elif token[0] in ("}", "]"):
            if depth == _DEEP:
                start = token.start()
            depth -= 1
    return "".join((*kept, text[start:]))


def _parse_int(digits: str) -> int | str:
    # Python refuses to convert thousands of digits; as text they fail where they stand.
    return int(digits) if len(digits) < 400 else digits


_DECODER: Final = json.JSONDecoder(strict=False, parse_int=_parse_int)
