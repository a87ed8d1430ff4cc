"""Catalogue: the platform's APIs, how sensitive each is, and what its response codes mean.

In comes a key or a code from the log; out come a canonical API, its category and policy severity,
and the class of an answer. Nothing here depends on what a tenant does.

``apis.csv`` lists the server APIs of the open platform, ``sensitivity.toml`` the ordered
patterns that give each a category and a policy severity, ``error_codes.csv`` the documented
business codes, ``scopes.csv`` which scope opens which API. All four hold facts gathered from the platform's public documentation and
from its MIT-licensed SDKs.
"""

from audit_analytics.catalogue.apis import Catalogue, Match, load_catalogue
from audit_analytics.catalogue.codes import classify, contradicts, is_http_status
from audit_analytics.catalogue.scopes import Scope, load_scopes
from audit_analytics.catalogue.starter import Usage, propose_rating, write_starter

__all__ = [
    "Catalogue",
    "Match",
    "Scope",
    "Usage",
    "classify",
    "contradicts",
    "is_http_status",
    "load_catalogue",
    "load_scopes",
    "propose_rating",
    "write_starter",
]
