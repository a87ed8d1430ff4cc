"""Hash a column of texts at once, to find out quickly that none is there twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
"""2**64 over the golden ratio, the multiplier of Fibonacci hashing (Knuth, TAOCP 3, 6.4)."""


def hash_texts(texts: pa.Array) -> NDArray[np.uint64]:
    """Hash texts that are no slice, none of them missing: equal texts have equal hashes.

    Whoever writes the texts can make hashes collide: look at the texts where they do.

    Examples
    --------
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
