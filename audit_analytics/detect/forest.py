"""The isolation forest over surprises: the voter for "weak on many dimensions".

It never sees raw counts. Each app-day is a row of calibrated surprises, so that "unusual" means
unusual for this app, and a day that is a little odd in many ways stands out from days that are
odd in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OutlierDetector(Protocol):
    """What this module asks of a detector; scikit-learn's own fit.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> detector: OutlierDetector = IsolationForest(random_state=0)
    """

    def fit(self, X: NDArray[np.float64]) -> Any:  # noqa: N803, ANN401 - scikit-learn's own names
        """Learn from reference rows.

        Parameters
        ----------
        X : numpy.ndarray of shape (n_rows, n_features)
            Reference rows.

        Returns
        -------
        Any
            The detector itself.
        """

    def score_samples(self, X: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: N803
        """Score rows.

        Parameters
        ----------
        X : numpy.ndarray of shape (n_rows, n_features)
            Rows to score.

        Returns
        -------
        numpy.ndarray of shape (n_rows,)
            The lower, the more unusual.
        """


class SurpriseForest:
    """Score rows of surprises against past weeks and say which surprises made a row unusual.

    Parameters
    ----------
    detector : OutlierDetector, optional
        Any detector with ``fit`` and ``score_samples``;
        ``sklearn.ensemble.IsolationForest(n_estimators=300, max_samples=256)`` if not given.
    seed : int, default=0
        ``random_state`` of the default detector.

    Attributes
    ----------
    median_ : numpy.ndarray of shape (n_features,)
        Median surprise of the reference rows.

    References
    ----------
    F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation Forest", ICDM 2008.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> forest = SurpriseForest().fit(rng.exponential(size=(300, 2)))
    >>> bool(forest.score(np.array([[9.0, 9.0]]))[0] > forest.score(np.array([[0.5, 0.5]]))[0])
    True
    """

    def __init__(self, detector: OutlierDetector | None = None, *, seed: int = 0) -> None:
        self.detector = detector
        self.seed = seed

    def fit(self, surprises: NDArray[np.float64]) -> SurpriseForest:
        """Learn what past weeks look like.

        Parameters
        ----------
        surprises : numpy.ndarray of shape (n_rows, n_features)
            Surprises of past weeks, 0 or more.

        Returns
        -------
        SurpriseForest
            This object.
        """
        # scikit-learn takes 1.5 s to import, so only a run that scores pays for it
        from sklearn.ensemble import IsolationForest  # noqa: PLC0415

        forest = IsolationForest(
            n_estimators=300, max_samples=min(256, len(surprises)), random_state=self.seed
        )
        # not "or": an ensemble that is not fitted has no truth value
        self._fitted = forest if self.detector is None else self.detector
        self.median_ = np.median(surprises, axis=0)
        self._fitted.fit(np.log1p(surprises))
        return self

    def score(self, surprises: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how unusual rows are.

        Parameters
        ----------
        surprises : numpy.ndarray of shape (n_rows, n_features)
            Surprises, 0 or more.

        Returns
        -------
        numpy.ndarray of shape (n_rows,)
            Higher is more unusual; 0 to 1 with the isolation forest.
        """
        return -np.asarray(self._fitted.score_samples(np.log1p(surprises)))

    def attribute(self, surprises: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how much of each row's score hangs on each surprise.

        Parameters
        ----------
        surprises : numpy.ndarray of shape (n_rows, n_features)
            Surprises, 0 or more.

        Returns
        -------
        numpy.ndarray of shape (n_rows, n_features)
            Drop of the score when one surprise is replaced by its reference median.
        """
        score = self.score(surprises)
        drops = np.empty_like(surprises)
        for column in range(surprises.shape[1]):
            plain = surprises.copy()
            plain[:, column] = self.median_[column]
            drops[:, column] = score - self.score(plain)
        return drops
