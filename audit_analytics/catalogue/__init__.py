"""Catalogue: the platform's APIs, how sensitive each is, and what its response codes mean.

In comes a key or a code from the log; out come a canonical API, its category and policy severity,
and the class of an answer: facts gathered from the platform's public documentation and from its
MIT-licensed SDKs. Nothing here depends on what a tenant does.
"""

from audit_analytics.catalogue._apis import Catalogue, Match, load_catalogue
from audit_analytics.catalogue._by_name import propose_rating
from audit_analytics.catalogue._codes import (
    Scope,
    classify,
    contradicts,
    is_http_status,
    load_codes,
    load_scopes,
)
from audit_analytics.catalogue._keys import MAX_KEY, is_placeholder, split_key
from audit_analytics.catalogue._starter import Usage, write_starter

__all__ = [
    "MAX_KEY",
    "Catalogue",
    "Match",
    "Scope",
    "Usage",
    "classify",
    "contradicts",
    "is_http_status",
    "is_placeholder",
    "load_catalogue",
    "load_codes",
    "load_scopes",
    "propose_rating",
    "split_key",
    "write_starter",
]
