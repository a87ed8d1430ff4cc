"""Features: tables per app, per IP and per API over time buckets, and when pairs were first seen.

In come events (:data:`audit_analytics.schema.EVENTS`) or a
:class:`~audit_analytics.rollup.Rollup` of them; out come DataFrames, so each function works alone
in a notebook. Zero-filling matters: an hour without a call is an observation, not a missing value.
:class:`AppFeatures`, :class:`IpFeatures` and :class:`ApiFeatures` are the same tables as
scikit-learn transformers; scikit-learn is loaded when one of them is used. Nothing is judged here.
"""

from typing import TYPE_CHECKING, Any

from audit_analytics.features.tables import first_seen, per_api, per_app, per_ip

if TYPE_CHECKING:
    from audit_analytics.features.transformers import ApiFeatures as ApiFeatures
    from audit_analytics.features.transformers import AppFeatures as AppFeatures
    from audit_analytics.features.transformers import IpFeatures as IpFeatures

__all__ = ["ApiFeatures", "AppFeatures", "IpFeatures", "first_seen", "per_api", "per_app", "per_ip"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    if name not in {"ApiFeatures", "AppFeatures", "IpFeatures"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from audit_analytics.features import transformers  # noqa: PLC0415 - loads scikit-learn

    return getattr(transformers, name)


def __dir__() -> list[str]:
    return __all__
