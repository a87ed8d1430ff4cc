"""Columns of few distinct values, where rows carry codes; and hashes of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    import pyarrow as pa
    from numpy.typing import NDArray

Codes = tuple[int, int]
"""Codes of two columns, together the key of a third."""

Raw = TypeVar("Raw", bound="Hashable")
Clean = TypeVar("Clean", bound="Hashable")


class Vocabulary(dict[Raw, int], Generic[Raw, Clean]):
    """Codes of the distinct values of a column; a raw value is cleaned once, several may share one.

    >>> words = Vocabulary(str.upper)
    >>> words["get"], words["put"], words["GET"], words.values_in_order
    (0, 1, 0, ['GET', 'PUT'])
    """

    def __init__(self, clean: Callable[[Raw], Clean]) -> None:
        super().__init__()
        self._clean = clean
        self._codes: dict[Clean, int] = {}
        self.values_in_order: list[Clean] = []

    def __missing__(self, raw: Raw) -> int:
        """Give a raw value seen for the first time its code."""
        code = self[raw] = self.find_code(self._clean(raw))
        return code

    def find_code(self, value: Clean) -> int:
        """Find the code of a clean value, a new one if need be."""
        code = self._codes.setdefault(value, len(self._codes))
        if code == len(self.values_in_order):
            self.values_in_order.append(value)
        return code

    def encode(self, distinct: Iterable[Raw], places: NDArray[Any]) -> NDArray[np.int32]:
        """Encode a column given by its distinct raw values and the place of each row's among them."""
        codes: NDArray[np.int32] = np.array([self[raw] for raw in distinct], np.int32)[places]
        return codes


def encode(vocabulary: Vocabulary[Any, Any], column: pa.Array) -> NDArray[np.int32]:
    """Encode a column; each distinct value is looked up once.

    >>> import pyarrow as pa
    >>> encode(Vocabulary(str), pa.array(["a", None, "a"])).tolist()
    [0, 1, 0]
    """
    found = column.dictionary_encode(null_encoding="encode")
    return vocabulary.encode(found.dictionary.to_pylist(), found.indices.to_numpy())


def encode_pairs(
    vocabulary: Vocabulary[Codes, Any], left: NDArray[np.int32], right: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Encode the pairs that two columns of codes form.

    >>> column = np.array([1, 0, 1], np.int32)
    >>> encode_pairs(Vocabulary(str), column, column).tolist()
    [0, 1, 0]
    """
    places, pairs = pd.factorize(left.astype(np.int64) << 32 | right)
    return vocabulary.encode([(p >> 32, p & 0xFFFFFFFF) for p in pairs.tolist()], places)


def categorise(codes: NDArray[np.int32], values: list[str]) -> pd.Categorical:
    """Build a column of categories from codes into values; one that repeats is a category once.

    >>> list(categorise(np.array([0, 1, 2], np.int32), ["a", "b", "a"]))
    ['a', 'b', 'a']
    """
    places, distinct = pd.factorize(np.array(values, dtype=object))
    return pd.Categorical.from_codes(
        places[codes] if len(codes) else [], categories=pd.Index(distinct, dtype="str")
    )


_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
"""2**64 over the golden ratio, the multiplier of Fibonacci hashing (Knuth, TAOCP 3, 6.4)."""


def hash_texts(texts: pa.Array) -> NDArray[np.uint64]:
    """Hash texts that are no slice, none of them missing: equal texts have equal hashes.

    Whoever writes the texts can make hashes collide: look at the texts where they do.

    >>> import pyarrow as pa
    >>> first, second, third = hash_texts(pa.array(["a", "bc", "a"], pa.large_string()))
    >>> bool(first == third), bool(first == second)
    (True, False)
    """
    hashes = np.zeros(len(texts), np.uint64)
    _, ends, characters = texts.buffers()
    offsets = np.frombuffer(ends, np.int64, len(texts) + 1)
    data = np.frombuffer(characters or b"", np.uint8)
    lengths = np.diff(offsets)
    # all texts of one length at once: ids mostly have the same
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        words = np.zeros((len(rows), length // 8 + 1), np.uint64)
        octets = words.view(np.uint8)
        if len(rows) == len(texts):
            octets[:, :length] = data[offsets[0] : offsets[-1]].reshape(len(rows), length)
        else:
            octets[:, :length] = data[offsets[rows, None] + np.arange(length)]
        octets[:, -1] = length % 8
        found = np.full(len(rows), length, np.uint64)
        for word in words.T:
            found = (found ^ word) * _ODD
            found ^= found >> np.uint64(32)
        hashes[rows] = found
    return hashes
