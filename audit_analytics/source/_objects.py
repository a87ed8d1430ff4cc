"""Name the object of a call: its concrete path, where its API has placeholders."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.compute as pc

from audit_analytics.catalogue import is_placeholder, split_key

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

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

    Examples
    --------
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
