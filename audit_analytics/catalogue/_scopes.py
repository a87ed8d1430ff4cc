"""Which scope opens which API: ``scopes.csv``, rebuilt by ``.ci/build_scopes.py``.

Any one of the scopes that open an API suffices to call it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Scope:
    """What a scope allows.

    Parameters
    ----------
    name : str
        Such as ``contact:user.base:readonly``.
    apis : frozenset of str
        The catalogued APIs it opens.
    serves : tuple of str
        What else it serves, which no log of calls shows: ``events``, ``fields``, ``more`` (APIs
        outside the catalogue).
    """

    name: str
    apis: frozenset[str]
    serves: tuple[str, ...]


@cache
def load_scopes() -> dict[str, Scope]:
    """Read the scopes as shipped.

    Returns
    -------
    dict of str to Scope
        By name.

    Examples
    --------
    >>> scopes = load_scopes()
    >>> "GET/open-apis/application/v6/applications" in scopes["admin:app.info:readonly"].apis
    True
    >>> scopes["contact:user.base:readonly"].serves
    ('fields',)
    """
    text = (files(__package__) / "scopes.csv").read_text(encoding="utf-8")
    return {
        row["scope"]: Scope(
            row["scope"], frozenset(row["apis"].split()), tuple(row["serves"].split())
        )
        for row in csv.DictReader(text.splitlines())
    }
