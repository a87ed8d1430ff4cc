import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM
from sklearn.utils.estimator_checks import parametrize_with_checks

from audit_analytics.detect._forest import SurpriseForest
from audit_analytics.errors import ConfigError

PAST = np.random.default_rng(0).exponential(size=(400, 7))


@pytest.fixture(scope="module")
def forest():
    return SurpriseForest().fit(PAST)


# three hundred trees are no more of an estimator than ten
@parametrize_with_checks([SurpriseForest(IsolationForest(n_estimators=10, random_state=0))])
def test_it_is_an_estimator_as_scikit_learn_defines_one(estimator, check):
    check(estimator)


def test_a_little_odd_in_many_ways_stands_out(forest):
    typical, many = np.full((1, 7), 0.7), np.full((1, 7), 4.0)
    assert forest.score_samples(many)[0] < np.quantile(forest.reference_scores_, 0.01)
    assert forest.score_samples(typical)[0] > np.quantile(forest.reference_scores_, 0.5)


def test_the_score_is_put_down_to_what_is_odd(forest):
    row = np.full((1, 7), 0.5)
    row[0, 4] = 9.0
    drops = forest.attribute(row)
    assert drops.shape == (1, 7)
    assert drops[0].argmax() == 4
    assert drops[0, 4] > 0


def test_the_same_seed_gives_the_same_scores_however_many_threads(forest):
    again = SurpriseForest(n_jobs=2).fit(PAST)
    np.testing.assert_array_equal(forest.reference_scores_, again.reference_scores_)
    np.testing.assert_array_equal(forest.score_samples(PAST[:50]), again.score_samples(PAST[:50]))
    np.testing.assert_array_equal(forest.attribute(PAST[:50]), again.attribute(PAST[:50]))
    other = SurpriseForest(random_state=1).fit(PAST)
    assert (other.reference_scores_ != forest.reference_scores_).any()


def test_a_few_rows_are_enough_to_fit():
    assert np.isfinite(SurpriseForest().fit(PAST[:3]).score_samples(PAST[:5])).all()


class PyodLike:
    """As PyOD has it: no score_samples, and the higher the more unusual."""

    def fit(self, X):  # noqa: N803
        self.center = X.mean(axis=0)
        self.decision_scores_ = self.decision_function(X)

    def decision_function(self, X):  # noqa: N803
        return np.linalg.norm(X - self.center, axis=1)


@pytest.mark.parametrize(
    "detector", [LocalOutlierFactor(novelty=True), OneClassSVM(nu=0.05), PyodLike()]
)
def test_any_outlier_detector_may_take_its_place(detector):
    forest = SurpriseForest(detector).fit(PAST)
    assert forest.score_samples(np.full((1, 7), 50.0))[0] < forest.reference_scores_.min()
    row = np.full((1, 7), 0.5)
    row[0, 2] = 40.0
    assert forest.attribute(row)[0].argmax() == 2
    assert not hasattr(detector, "n_features_in_")
    assert not hasattr(detector, "decision_scores_")  # what was handed in stays as it was


def test_a_detector_that_cannot_score_new_rows_is_named():
    with pytest.raises(ConfigError, match="LocalOutlierFactor cannot score new rows"):
        SurpriseForest(LocalOutlierFactor()).fit(PAST)
