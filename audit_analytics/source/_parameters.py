"""Which parameters a call carried, and which objects it names; never their values."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from audit_analytics.catalogue import is_placeholder, split_key
from audit_analytics.redact import mask_text
from audit_analytics.source._blocks import measure_texts
from audit_analytics.source._vocabulary import Vocabulary

Parameters = dict[str, msgspec.Raw | str]

_Names = tuple[str, ...]
_Shape = tuple[int, _Names]

_SHAPES_MAX: Final = 16_384
_KEYS_MAX: Final = 32
_OPENING, _NEWLINE = b"{\n"
_EMPTY, _BREAK = (pa.scalar(text, pa.large_string()) for text in ("", "\n"))
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_QUERY: Final = re.compile(r"\??[\w.\[\]%-]{1,64}=")
# An open string runs to the end: were it to fail there, every quote in it would be tried anew.
_JSON_TOKEN: Final = re.compile(r"\"((?:[^\"\\]|\\.)*+)\\?(\"\s*:|\"|\Z)|[{}\[\]]", re.DOTALL)
_ODD: Final = re.compile(r"[^\w.\-\[\]]")
_RANDOM: Final = re.compile(
    r"(?=\D*\d)[\w-]{20,}|(?=\D*\d+\D+\d)[A-Za-z0-9]{12,}|\d{7,}|.*@.*", re.DOTALL
)
_NAMES_OBJECT: Final = re.compile(
    r"(?:.*(?:_|[a-z](?=[A-Z])))?(?:[Ii]ds?|[Tt]okens?|[Cc]odes?|[Kk]eys?)"
)
_NAMES_NONE: Final = re.compile(
    r"code|key|.*(?:page|access|refresh|sync|client|verify|verification|csrf)_?token"
    r"|(?:request|trace|log|client|session)_?id|.*auth_?code|.*(?:secret|private|encrypt)_?key",
    re.IGNORECASE,
)
_NOTHING: Final = frozenset(("", "null", '""', "[]"))
_NAMES_MANY: Final = re.compile(r".*(?:_ids|[a-z]Ids)|(?:.*_)?(?:emails|mobiles)")


class ParameterReader(dict[_Names, _Shape]):
    """Reads columns of parameters, and keeps what the latest distinct sets of names come to.

    `only_lists` takes only lists of ids, e-mails or mobiles as objects.

    >>> from audit_analytics.source._vocabulary import Vocabulary
    >>> names = Vocabulary(tuple)
    >>> texts = pa.array(["a=1&user_id=2", "", None, ""], pa.large_string())
    >>> codes, named = ParameterReader(names, only_lists=False).read(texts)
    >>> codes.tolist(), named, names.values_in_order
    ([0, 1, 1, 1], [(0, '&user_id=2')], [('a', 'user_id'), ()])
    """

    def __init__(self, names: Vocabulary[_Names, _Names], *, only_lists: bool) -> None:
        super().__init__()
        self._names = names
        self._only_lists = only_lists

    def read(self, texts: pa.Array) -> tuple[NDArray[np.int32], list[tuple[int, str]]]:
        """Read one column: the code of each row's set of names, and the objects named, each with its row."""
        found = texts.dictionary_encode(null_encoding="encode")
        places = found.indices.to_numpy()
        decoded = decode_parameters(found.dictionary)
        shapes = [*map(self.__getitem__, map(tuple, decoded))]
        shown = {
            place: text
            for place, (_, naming) in enumerate(shapes)
            if naming and (text := _show_objects(decoded[place], naming))
        }
        rows = np.flatnonzero(np.isin(places, [*shown])) if shown else np.empty(0, np.int64)
        named = zip(rows.tolist(), map(shown.__getitem__, places[rows].tolist()), strict=True)
        return np.array([code for code, _ in shapes], np.int32)[places], [*named]

    def __missing__(self, raw: _Names) -> _Shape:
        shape = self._names[read_names(raw)], _find_naming(raw, only_lists=self._only_lists)
        if len(self) >= _SHAPES_MAX:
            self.clear()
        # Names are written by callers: the long ones are not worth the memory.
        if len(raw) <= 256 and sum(map(len, raw)) <= 4096:
            self[raw] = shape
        return shape


def decode_parameters(texts: pa.Array) -> list[Parameters]:
    """Decode JSON objects or query strings, possibly cut, into undecoded values by name.

    >>> texts = pa.array(["a=1&b=2", "", '{"c":{"d":1}}'], pa.large_string())
    >>> [list(values) for values in decode_parameters(texts)]
    [['a', 'b'], [], ['c']]
    """
    decoded = _decode_together(texts)
    if decoded is None:
        return [_decode_parameters(text or "") for text in texts.to_pylist()]
    return decoded


def _decode_together(texts: pa.Array) -> list[Parameters] | None:
    """Decode texts that are all empty or objects, as lines of one text; None if one is not."""
    _, ends, characters = texts.buffers()
    starts = np.frombuffer(ends, np.int64, len(texts))
    octets = np.frombuffer(characters or b"", np.uint8)
    is_empty = measure_texts(texts) == 0
    # The decoder skips blank lines and takes several objects of one line. As every line that is
    # not empty gives at least one, as many as there are such lines mean one each, row by row.
    if (octets[starts[~is_empty]] != _OPENING).any() or (octets == _NEWLINE).any():
        return None
    lines = pc.binary_join_element_wise(texts, _EMPTY, _BREAK).buffers()[2]
    try:
        # of a buffer it would copy every value
        decoded: list[Any] = _OBJECT.decode_lines(lines.to_pybytes() if lines else b"")
    except (msgspec.MsgspecError, RecursionError):
        return None
    for row in np.flatnonzero(is_empty).tolist():
        decoded.insert(row, {})
    return decoded if len(decoded) == len(texts) else None


def read_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Make the names of parameters fit to be stored: at most 32, sorted, odd characters as '_'.

    '*' stands for one that looks like a secret or a personal value.

    >>> read_names(("user_id", "13800138000", "a b"))
    ('*', 'a_b', 'user_id')
    """
    return tuple(sorted({_clean_name(name) for name in names[:256]})[:_KEYS_MAX])


def _find_naming(names: tuple[str, ...], *, only_lists: bool) -> tuple[str, ...]:
    """Find the parameters that name the object of a call by its id, or only by lists of them.

    A single id in a payload is mostly a property of what is written, not what the call is about.

    >>> _find_naming(("chat_id", "page_token", "user_id_type"), only_lists=False)
    ('chat_id',)
    """
    return tuple(
        name for name in names[:256] if len(name) <= 64 and _names_object(name, only_lists)
    )


def _show_objects(values: Parameters, naming: tuple[str, ...]) -> str:
    """Write the naming parameters as a query string, to be hashed and never stored; '' without any.

    >>> _show_objects({"user_id": "ou_1"}, ("user_id",))
    '&user_id=ou_1'
    """
    named = ""
    for key in naming:
        value = values[key]
        shown = value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")
        if shown[:1] != "{" and shown not in _NOTHING:
            named += f"&{key}=" + shown.strip('"')
    return named


def _decode_parameters(text: str) -> Parameters:
    try:
        return _OBJECT.decode(text)  # type: ignore[return-value]
    except msgspec.ValidationError:
        return {}
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return _read_broken(text)


def _names_object(name: str, only_lists: bool) -> bool:  # noqa: FBT001
    if only_lists or _NAMES_MANY.fullmatch(name):
        return _NAMES_MANY.fullmatch(name) is not None
    return bool(_NAMES_OBJECT.fullmatch(name)) and not _NAMES_NONE.fullmatch(name)


def _clean_name(name: str) -> str:
    """Return a name fit to be stored; '*' if it looks like a secret or a personal value."""
    head = name[:256]
    if _RANDOM.fullmatch(head) or mask_text(head) != head:
        return "*"
    return _ODD.sub("_", name[:64])


def _read_broken(text: str) -> Parameters:
    head = text[:65_536]
    if _QUERY.match(head):
        pairs = parse_qsl(head.lstrip("?"), keep_blank_values=True, errors="replace")
        return dict(pairs[:256])
    keys: Parameters = {}
    depth = 0
    for token in _JSON_TOKEN.finditer(head):
        if token[0] in ("{", "["):
            depth += 1
        elif token[0] in ("}", "]"):
            depth -= 1
        elif depth == 1 and token[2] and token[2].endswith(":"):
            keys[token[1]] = ""
    return keys


_TEMPLATED: Final = re.compile("/[:{<]").search


def name_objects(
    apis: NDArray[np.int32],
    templates: list[tuple[str, ...]],
    paths: pa.Array,
    key_codes: NDArray[np.int32],
    keys: list[str],
) -> dict[int, str]:
    """Find the concrete paths of a batch of calls, by row: where an API has placeholders, and one is named.

    `apis` has the code of each row's API and `templates` by code the segments of its canonical
    path. `paths` are as logged, '' where missing; `key_codes` points into `keys`, the keys as
    logged: one may be concrete where the path is a template.

    >>> import pyarrow as pa
    >>> paths = pa.array(["/a/7", "/a/:id"], pa.large_string())
    >>> codes = np.array([0, 0], np.int32)
    >>> name_objects(codes, [("a", ":id")], paths, codes, ["GET/a/:id"])
    {0: '/a/7'}
    """
    depths = np.zeros(len(templates), np.int64)
    for code in np.unique(apis).tolist():
        if any(map(is_placeholder, templates[code])):
            depths[code] = len(templates[code])
    depth = depths[apis]
    wanted = np.flatnonzero(depth)
    chosen = paths.take(wanted)
    fits = pc.count_substring(chosen, "/").to_numpy() == depth[wanted]
    named = dict(zip(wanted[fits].tolist(), chosen.filter(fits).to_pylist(), strict=True))
    together = "".join(named.values())
    if any(bracket in together for bracket in ":{<"):
        named = {row: path for row, path in named.items() if not _TEMPLATED(path)}
    if len(named) == len(wanted):
        return named
    for row in wanted.tolist():
        if row in named:
            continue
        # The path disagrees with the API, or is a template itself: the key may be concrete.
        for text in (paths[row].as_py(), keys[key_codes[row]]):
            segments = split_key(text)[1]
            if len(segments) == depth[row] and not any(map(is_placeholder, segments)):
                named[row] = "/".join(("", *segments))
                break
    return named
