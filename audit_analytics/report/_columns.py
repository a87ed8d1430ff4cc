"""Columns of a terminal: a Chinese character takes two, and lines may break between any of them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from audit_analytics.report._escape import terminal

WIDTH: Final = 80

_WIDE: Final = "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6"
# marks no line begins with, and marks no line ends with
_CLOSING: Final = (
    "\uff0c\u3002\uff1b\uff1a\uff01\uff1f\u3001\uff09\u300b\u300d\u300f\u3011\u201d\u2019\uff05"
)
_OPENING: Final = "\uff08\u300a\u300c\u300e\u3010"
_PIECES: Final = re.compile(rf"\s+|[{_OPENING}]*[{_WIDE}][{_CLOSING}]*|[^\s{_WIDE}]+[{_CLOSING}]*")


def measure(text: str) -> int:
    """Count the columns of a text.

    Parameters
    ----------
    text : str
        Text without control characters.

    Returns
    -------
    int
        Columns.

    Examples
    --------
    >>> measure("app"), measure("应用")
    (3, 4)
    """
    return len(text) + sum(unicodedata.east_asian_width(c) in "WF" for c in text)


def pad(text: str, width: int) -> str:
    """Fill a text up with spaces.

    Parameters
    ----------
    text : str
        Text without control characters.
    width : int
        Columns.

    Returns
    -------
    str
        At least `width` columns.

    Examples
    --------
    >>> pad("高", 4)
    '高  '
    """
    return text + " " * (width - measure(text))


def fill(text: str, width: int, *, indent: str = "", following: str = "") -> str:
    """Break a text without control characters into lines of `width` columns.

    They break at spaces and between Chinese characters, never before a closing mark; only a word
    that is longer itself makes a line longer.

    Examples
    --------
    >>> print(fill("应用 cli_a1 唤醒了。", 10, following="  "))
    应用
      cli_a1
      唤醒了。
    """
    lines, line = [], indent
    is_fresh = True
    for piece in _PIECES.findall(text):
        if not is_fresh and measure(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line, is_fresh = following, True
        if not (is_fresh and piece.isspace()):
            line += piece
            is_fresh = False
    return "\n".join([*lines, line.rstrip()])


def wrap(text: str, *, indent: str = "", following: str | None = None) -> str:
    """Write a text that may come from the log in lines of 80 columns, safe for a terminal.

    The lines after the first begin with `following`, or with `indent` like the first.
    """
    return fill(
        terminal(text), WIDTH, indent=indent, following=indent if following is None else following
    )
