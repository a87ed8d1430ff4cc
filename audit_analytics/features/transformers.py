"""The tables as scikit-learn transformers, to stand in a pipeline before any outlier detector."""

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from audit_analytics import schema
from audit_analytics.dates.buckets import bucket_width, load_zone
from audit_analytics.errors import InputError
from audit_analytics.features.tables import per_api, per_app, per_ip
from audit_analytics.rollup import COLUMNS, Rollup


class _Features(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What the three have in common: one row per entity and bucket, all columns float64."""

    _count: ClassVar[Callable[..., pd.DataFrame]]
    _key: ClassVar[str]

    def __init__(
        self, *, bucket: str = "1h", zone: str = "Asia/Shanghai", zero_fill: bool = True
    ) -> None:
        self.bucket = bucket
        self.zone = zone
        self.zero_fill = zero_fill

    def fit(self, X: pd.DataFrame | Rollup, y: object = None) -> Self:  # noqa: N803, ARG002 - scikit-learn's own names
        """Check parameters and input; there is nothing to learn from the calls themselves.

        Parameters
        ----------
        X : pandas.DataFrame or Rollup
            Events (:data:`audit_analytics.schema.EVENTS`), or their rollup.
        y : object
            Ignored.

        Returns
        -------
        Self
            The transformer itself.
        """
        bucket_width(self.bucket)
        load_zone(self.zone)
        _check_calls(X, type(self).__name__)
        self.columns_ = list(self._tell(schema.EVENTS.empty()).columns)
        return self

    def transform(self, X: pd.DataFrame | Rollup) -> pd.DataFrame:  # noqa: N803 - the same
        """Count what each entity did in each bucket.

        Parameters
        ----------
        X : pandas.DataFrame or Rollup
            Events, or their rollup with buckets that lie within those asked for.

        Returns
        -------
        pandas.DataFrame
            One row per (entity, bucket), the index; float64, ``error_share`` 0 without calls.
        """
        check_is_fitted(self)
        _check_calls(X, type(self).__name__)
        return self._tell(X)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray[Any, Any]:  # noqa: ARG002 - scikit-learn's own name
        """Return the names of the columns ``transform`` returns, in order."""
        check_is_fitted(self)
        return np.asarray(self.columns_, dtype=object)

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - scikit-learn's own type
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a log is no matrix of numbers
        tags.input_tags.string = tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        return tags

    def _tell(self, calls: pd.DataFrame | Rollup) -> pd.DataFrame:
        table = type(self)._count(  # noqa: SLF001 - its own
            calls, bucket=self.bucket, zone=self.zone, zero_fill=self.zero_fill
        )
        table = table.astype({self._key: "str"}).set_index([self._key, "bucket_at"]).sort_index()
        # who made no call made no error; detectors take no missing values
        return (
            table.astype({"error_share": "float64"}).fillna({"error_share": 0.0}).astype("float64")
        )


class AppFeatures(_Features):
    """Count what each app did in each bucket, as a scikit-learn transformer of :func:`per_app`.

    Parameters
    ----------
    bucket, zone : str, default="1h", "Asia/Shanghai"
        Width of the buckets, a part of a day, and the IANA zone on whose clocks they are cut.
    zero_fill : bool, default=True
        Add a row of zeros for each bucket without a call from the first one to the end of the log.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> model = make_pipeline(AppFeatures(bucket="1D"), StandardScaler(), IsolationForest())
    >>> model[0].fit(schema.EVENTS.empty()).get_feature_names_out()[:3].tolist()
    ['calls_count', 'errors_count', 'error_share']
    """

    _count = staticmethod(per_app)
    _key = "app_id"


class IpFeatures(_Features):
    """Count what came from each IP in each bucket, as a scikit-learn transformer of :func:`per_ip`.

    Parameters
    ----------
    bucket, zone : str, default="1h", "Asia/Shanghai"
        As for :class:`AppFeatures`.
    zero_fill : bool, default=True
        Add a row of zeros for each bucket without a call from the first one to the end of the log.

    Examples
    --------
    >>> IpFeatures().fit_transform(schema.EVENTS.empty()).index.names
    FrozenList(['ip', 'bucket_at'])
    """

    _count = staticmethod(per_ip)
    _key = "ip"


class ApiFeatures(_Features):
    """Count how each API was used in each bucket, as a scikit-learn transformer of :func:`per_api`.

    Parameters
    ----------
    bucket, zone : str, default="1h", "Asia/Shanghai"
        As for :class:`AppFeatures`.
    zero_fill : bool, default=True
        Add a row of zeros for each bucket without a call from the first one to the end of the log.

    Examples
    --------
    >>> ApiFeatures().fit_transform(schema.EVENTS.empty()).index.names
    FrozenList(['api', 'bucket_at'])
    """

    _count = staticmethod(per_api)
    _key = "api"


def _check_calls(calls: object, name: str) -> None:
    if isinstance(calls, Rollup):
        return
    if not isinstance(calls, pd.DataFrame):
        raise InputError(
            f"{name} takes events or their Rollup, not {type(calls).__name__}; read a log with "
            "audit_analytics.load()"
        )
    missing = set(COLUMNS).difference(calls.columns)
    if missing:
        raise InputError(
            f"{name}: this DataFrame is no event table: it lacks {', '.join(sorted(missing))}; "
            "make one with audit_analytics.load()"
        )
