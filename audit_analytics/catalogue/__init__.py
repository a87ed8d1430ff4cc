"""The platform's APIs, how sensitive each is, and what its response codes mean.

``apis.csv`` lists the server APIs of the open platform, ``sensitivity.toml`` the ordered
patterns that give each a category and a policy severity, ``error_codes.csv`` the documented
business codes. All three hold facts gathered from the platform's public documentation and
from its MIT-licensed SDKs.
"""

from audit_analytics.catalogue.apis import Catalogue, Match, load_catalogue
from audit_analytics.catalogue.codes import classify, contradicts, is_http_status

__all__ = ["Catalogue", "Match", "classify", "contradicts", "is_http_status", "load_catalogue"]
