r"""Make hostile text inert, one function a format, and lay it out in columns of a terminal.

Names in the log (apps, paths, response messages) are written by whoever makes the calls. Whatever
the format, characters that a reader cannot see or that steer the display (controls, ANSI escapes,
bidirectional overrides, zero-width characters, lone surrogates) appear as visible escapes such as
``\u202e``, and a very long text is cut in the middle with its full length said. A Chinese character
takes two columns of a terminal, and lines may break between any of them.
"""

import re
import unicodedata
from typing import Final

NAME_LIMIT: Final = 96
"""Longest name shown, in characters."""

TEXT_LIMIT: Final = 600
"""Longest sentence shown, in characters."""

EMPTY: Final = "(empty)"
"""What stands for a name without a character."""

# Letters and marks to Unicode, blank to the eye.
_BLANKS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    map(chr, range(0xE0100, 0xE01F0))
)
# Spaces that Chinese and European texts use; ``str.isprintable`` counts them as unprintable.
_SPACES: Final = frozenset("\u00a0\u202f\u3000")
_DEFANGED: Final = str.maketrans({"<": "(", ">": ")", "@": "(at)"})
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

WIDTH: Final = 80

_WIDE: Final = "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6"
# marks no line begins with, and marks no line ends with
_CLOSING: Final = (
    "\uff0c\u3002\uff1b\uff1a\uff01\uff1f\u3001\uff09\u300b\u300d\u300f\u3011\u201d\u2019\uff05"
)
_OPENING: Final = "\uff08\u300a\u300c\u300e\u3010"
_PIECES: Final = re.compile(rf"\s+|[{_OPENING}]*[{_WIDE}][{_CLOSING}]*|[^\s{_WIDE}]+[{_CLOSING}]*")


def _is_plain(char: str) -> bool:
    return char in _SPACES or (char.isprintable() and char not in _BLANKS)


def visible(text: str) -> str:
    r"""Replace characters that cannot be seen, or that steer the display, by visible escapes.

    >>> print(visible("invoice\u202efdp.exe\x1b[2J"))
    invoice\u202efdp.exe\x1b[2J
    """
    if text.isascii() and text.isprintable():
        return text
    odd = {ord(c): c.encode("unicode_escape").decode() for c in set(text) if not _is_plain(c)}
    return text.translate(odd) if odd else text


def _shorten(text: str, limit: int = NAME_LIMIT) -> str:
    """Cut a long text in the middle and say how long it was; the result is never longer than it.

    >>> _shorten("a" * 4096, limit=6)
    'aaa … [4,096 characters] … aaa'
    """
    note = f" … [{len(text):,} characters] … "
    if len(text) <= limit + len(note):
        return text
    tail = (limit + 1) // 2  # never 0: text[-0:] is the whole text
    return f"{text[: limit - tail]}{note}{text[-tail:]}"


def clean(text: str, limit: int = NAME_LIMIT) -> str:
    r"""Make a text visible, one line and short, for every format that escapes its own markup.

    >>> print(clean("two\nlines"))
    two\nlines
    """
    return visible(_shorten(text, limit))


def terminal(text: str, limit: int = TEXT_LIMIT) -> str:
    r"""Make a text safe to print: one line, no control character acts.

    Parameters
    ----------
    text : str
        Any text.
    limit : int
        Longest result in characters before escapes are written out.

    Returns
    -------
    str
        An ANSI escape shows as text.

    Examples
    --------
    >>> print(terminal("\x1b[31mred"))
    \x1b[31mred
    """
    return clean(text, limit)


def markdown(text: str) -> str:
    r"""Escape a text for a Markdown paragraph or table cell, so that it renders as itself.

    >>> print(markdown("[x](javascript:y) <b> a|b cli_1 www.x.org"))
    \[x\](javascript:y) \<b\> a\|b cli_1 www`.`x.org
    """
    text = re.sub(r"[\\`*\[\]<>|~$#]|&(?=#?\w+;)", r"\\\g<0>", clean(text, TEXT_LIMIT))
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # snake_case stays readable
    text = re.sub(r"^(\s*)([-+=]|\d+[.)](?=\s|$))", _escape_block_start, text)
    # Renderers look for addresses after unescaping; only a code span keeps them from it.
    return re.sub(r"@+|://|(?<=www)\.", r"`\g<0>`", text, flags=re.IGNORECASE)


def _escape_block_start(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2][:-1]}\\{match[2][-1]}"


def markdown_code(text: str, limit: int = NAME_LIMIT) -> str:
    r"""Put a name into a Markdown code span that no backtick in it can end.

    >>> print(markdown_code("a`b|c"))
    ``a`b\|c``
    """
    text = clean(text, limit) or EMPTY
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    escaped = text.replace("|", "\\|")
    return f"{fence}{pad}{escaped}{pad}{fence}"


def csv_cell(text: str) -> str:
    """Make a text safe as a spreadsheet cell.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text; what a spreadsheet would run as a formula begins with an apostrophe.

    Examples
    --------
    >>> csv_cell("=cmd()")
    "'=cmd()"
    """
    cell = clean(text, TEXT_LIMIT)
    return f"'{cell}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else cell


def inert(text: str, limit: int = TEXT_LIMIT) -> str:
    """Make a text safe for a chat message or a mail that is plain text.

    Programs turn addresses into links, and some turn ``<at ...>`` or ``@all`` into a mention.

    Parameters
    ----------
    text : str
        Any text.
    limit : int
        Longest result in characters, the note on the length not counted.

    Returns
    -------
    str
        One line of printable characters that nothing is made of.

    Examples
    --------
    >>> print(inert("<at id=all></at> see https://www.evil.example or mailto:a@evil.example"))
    (at id=all)(/at) see https[:]//www[.]evil[.]example or mailto[:]a(at)evil[.]example
    """
    text = clean(text, limit).translate(_DEFANGED)
    text = re.sub(r"(?<=\w):(?=[^\s\d])|:(?=//)", "[:]", text)
    text = re.sub(r"(?<=\w)\.(?=[^\W\d_]{2,})", "[.]", text)
    # escapes written out are longer than what they stand for
    return _shorten(text, 2 * limit)


def json_text(text: str) -> str:
    r"""Escape what cannot be seen in a finished JSON document, without loss.

    Parameters
    ----------
    text : str
        A JSON document that may hold any character inside its strings.

    Returns
    -------
    str
        The same document; a parser reads the same values from it.

    Examples
    --------
    >>> print(json_text('{"name": "a\u202eb"}'))
    {"name": "a\u202eb"}
    """
    odd = {ord(c): _json_escape(c) for c in set(text) if c != "\n" and not _is_plain(c)}
    return text.translate(odd) if odd else text


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


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

    At spaces and between Chinese characters, never before a closing mark; a long word stays whole.

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
    """Write a text that may come from the log in lines of 80 columns, safe for a terminal."""
    return fill(
        terminal(text), WIDTH, indent=indent, following=indent if following is None else following
    )
