"""Name the object of a call: its concrete path, where its API has placeholders."""

from __future__ import annotations

import re
from typing import Final

from audit_analytics.catalogue.apis import is_placeholder, split_key

_TEMPLATED: Final = re.compile("/[:{<]").search


def name_objects(
    apis: list[int],
    templates: dict[int, tuple[str, ...]],
    paths: list[str],
    key_codes: list[int],
    keys: list[str],
) -> dict[int, str]:
    """Find the concrete paths of a batch of calls.

    Parameters
    ----------
    apis : list of int
        Code of each row's API.
    templates : dict of int to tuple of str
        Segments of each API's canonical path; those that begin with ':' are placeholders.
    paths : list of str
        Path of each row as logged, '' if it has none.
    key_codes : list of int
        Position of each row's ``api_key`` in `keys`.
    keys : list of str
        The keys as logged; one may be concrete where the path is a template.

    Returns
    -------
    dict of int to str
        Concrete path by row, for the rows whose API has placeholders and that name one.

    Examples
    --------
    >>> name_objects([0, 0], {0: ("a", ":id")}, ["/a/7", "/a/:id"], [0, 0], ["GET/a/:id"])
    {0: '/a/7'}
    """
    slashes = {
        code: len(template)
        for code, template in templates.items()
        if any(map(is_placeholder, template))
    }
    if not slashes:
        return {}
    wanted = [(row, slashes[code]) for row, code in enumerate(apis) if code in slashes]
    if _TEMPLATED("".join([paths[row] for row, _ in wanted])):
        named = {
            row: paths[row]
            for row, slash in wanted
            if paths[row].count("/") == slash and not _TEMPLATED(paths[row])
        }
    else:
        named = {row: paths[row] for row, slash in wanted if paths[row].count("/") == slash}
    if len(named) == len(wanted):
        return named
    for row, slash in wanted:
        if row in named:
            continue
        # The path disagrees with the API, or is a template itself: the key may be concrete.
        for text in (paths[row], keys[key_codes[row]]):
            segments = split_key(text)[1]
            if len(segments) == slash and not any(map(is_placeholder, segments)):
                named[row] = "/".join(("", *segments))
                break
    return named
