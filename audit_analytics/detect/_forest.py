"""The isolation forest over surprises: the voter for "weak on many dimensions".

It never sees raw counts. Each app-day is a row of calibrated surprises, so that "unusual" means
unusual for this app, and a day that is a little odd in many ways stands out from days that are
odd in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.utils.validation import check_is_fitted, validate_data

from audit_analytics.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from audit_analytics.detect._voters import OutlierDetector

OFFSET_QUANTILE: Final = 0.01
"""Share of the reference rows that ``predict`` calls outliers; findings never rest on it."""

_DIGITS: Final = 10


class SurpriseForest(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Score rows of surprises against past weeks and say which surprises made a row unusual.

    A scikit-learn estimator. Surprises are -log10 of probabilities; the detector sees their
    logarithm, log1p, so that one enormous surprise does not hide several large ones.

    Parameters
    ----------
    detector : OutlierDetector, default=None
        Any detector of scikit-learn's kind that can score rows it was not fitted on, or one of
        PyOD's. It is cloned, never changed. If None,
        ``IsolationForest(n_estimators=300, max_samples=256)`` (fewer samples if there are fewer).
    random_state : int, default=0
        Of the default detector.
    n_jobs : int, default=None
        Threads of the default detector; they change nothing but the time it takes.

    Attributes
    ----------
    detector_ : OutlierDetector
        The fitted detector.
    median_ : numpy.ndarray of shape (n_features,)
        Median surprise of the reference rows.
    reference_scores_ : numpy.ndarray of shape (n_rows,)
        ``score_samples`` of the reference rows.
    offset_ : float
        ``decision_function = score_samples - offset_``: the 1 % quantile of the reference scores.

    References
    ----------
    F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation Forest", ICDM 2008.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> forest = SurpriseForest().fit(rng.exponential(size=(300, 2)))
    >>> forest.predict([[9.0, 9.0], [0.5, 0.5]])
    array([-1,  1])
    >>> int(forest.attribute([[0.5, 9.0]]).argmax())
    1
    """

    def __init__(
        self,
        detector: OutlierDetector | None = None,
        *,
        random_state: int | None = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.detector = detector
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: object = None) -> SurpriseForest:  # noqa: ARG002, N803 - as above
        """Learn what past weeks look like; `y` is not used, scikit-learn passes it."""
        rows = validate_data(self, X, dtype=np.float64)
        self.detector_ = self._make_detector(len(rows))
        self.median_ = np.median(rows, axis=0)
        self.detector_.fit(_compress(rows))
        self.reference_scores_ = self._score(rows)
        self.offset_ = float(np.quantile(self.reference_scores_, OFFSET_QUANTILE))
        return self

    def _make_detector(self, rows_count: int) -> Any:  # noqa: ANN401 - scikit-learn is untyped
        if self.detector is not None:
            return clone(self.detector, safe=False)
        return IsolationForest(
            n_estimators=300,
            max_samples=min(256, rows_count),
            random_state=self.random_state,
            n_jobs=self.n_jobs,
        )

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803 - as above
        """Return how ordinary rows are: the lower, the more unusual; -1 to 0 with the forest."""
        check_is_fitted(self)
        return self._score(validate_data(self, X, dtype=np.float64, reset=False))

    def _score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = _compress(rows)
        if hasattr(self.detector_, "score_samples"):
            score = np.asarray(self.detector_.score_samples(rows), dtype=float)
        elif hasattr(self.detector_, "decision_scores_"):
            score = -np.asarray(self.detector_.decision_function(rows), dtype=float)
        else:
            raise ConfigError(
                f"detector: {type(self.detector_).__name__} cannot score new rows, it has no "
                "score_samples; use for example LocalOutlierFactor(novelty=True)"
            )
        # threads add up trees in any order: the last digits are noise, and would undo ties
        return np.asarray(np.round(score, _DIGITS))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803 - as above
        """Return ``score_samples - offset_``: how far rows are from being outliers, if positive."""
        return np.asarray(self.score_samples(X) - self.offset_)

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:  # noqa: N803 - as above
        """Tell outliers (-1) from inliers (1); a row at the threshold is an inlier."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def attribute(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803 - as above
        """Return how much of each row's outlyingness hangs on each surprise.

        By how much the row becomes more ordinary when one surprise is replaced by its reference
        median.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        # all replacements in one call: 300 trees cost more than the rows that run through them
        plain = np.repeat(rows[None], rows.shape[1] + 1, axis=0)
        for column, usual in enumerate(self.median_):
            plain[column + 1, :, column] = usual
        score = self._score(plain.reshape(-1, rows.shape[1])).reshape(plain.shape[:2])
        return np.asarray((score[1:] - score[0]).T)


def _compress(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take log1p of the size and keep the sign: surprises have none, other rows may."""
    return np.asarray(np.sign(rows) * np.log1p(np.abs(rows)))
