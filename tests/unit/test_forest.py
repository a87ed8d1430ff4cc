import numpy as np
import pytest

from audit_analytics.detect.forest import SurpriseForest

PAST = np.random.default_rng(0).exponential(size=(400, 7))


@pytest.fixture(scope="module")
def forest():
    return SurpriseForest(seed=0).fit(PAST)


def test_a_little_odd_in_many_ways_stands_out(forest):
    typical, many = np.full((1, 7), 0.7), np.full((1, 7), 4.0)
    assert forest.score(many)[0] > np.quantile(forest.score(PAST), 0.99)
    assert forest.score(typical)[0] < np.quantile(forest.score(PAST), 0.5)


def test_the_score_is_put_down_to_what_is_odd(forest):
    row = np.full((1, 7), 0.5)
    row[0, 4] = 9.0
    drops = forest.attribute(row)
    assert drops.shape == (1, 7)
    assert drops[0].argmax() == 4
    assert drops[0, 4] > 0


def test_the_same_seed_gives_the_same_scores(forest):
    again = SurpriseForest(seed=0).fit(PAST)
    np.testing.assert_array_equal(forest.score(PAST[:20]), again.score(PAST[:20]))
    assert (SurpriseForest(seed=1).fit(PAST).score(PAST[:20]) != forest.score(PAST[:20])).any()


def test_a_few_rows_are_enough_to_fit():
    assert np.isfinite(SurpriseForest().fit(PAST[:3]).score(PAST[:5])).all()


def test_any_detector_with_fit_and_score_samples_may_take_its_place():
    class Distance:
        def fit(self, X):  # noqa: N803
            self.center = X.mean(axis=0)

        def score_samples(self, X):  # noqa: N803
            return -np.linalg.norm(X - self.center, axis=1)

    forest = SurpriseForest(Distance()).fit(PAST)
    assert forest.score(np.full((1, 7), 50.0)) > forest.score(PAST).max()
