import numpy as np
import pytest

from audit_analytics.detect._rows import Rows
from audit_analytics.detect._voters import vote

APPS, WEEKS, DAYS, GROUPS = 80, 4, 7, 3
CALM = 0.2


class Silent:
    """Stands in for the forest: it says the same of every day."""

    def fit(self, X):  # noqa: N803
        pass

    def score_samples(self, X):  # noqa: N803
        return np.zeros(len(X))


@pytest.fixture(scope="module")
def past():
    rng = np.random.default_rng(0)
    # -log10 of what is uniform: groups whose models are right
    scores = rng.exponential(1 / np.log(10), (APPS * WEEKS * DAYS, GROUPS))
    entity = np.repeat(np.arange(APPS), WEEKS * DAYS)
    return scores, Rows(entity, np.tile(np.repeat(np.arange(-WEEKS, 0), DAYS), APPS))


def judge(past, current, kinds="abc"):
    votes = vote(["A", "B", "C"], *past, current, kinds=kinds, detector=Silent())
    return votes.p["joint"].min(axis=1)


def test_a_week_of_days_a_little_unusual_is_rarer_than_one_such_day(past):
    current = np.full((3, DAYS, GROUPS), CALM)
    current[0, :, 1] = current[1, 3, 1] = 2.0
    every_day, one_day, calm = judge(past, current)
    assert every_day < 0.01 * one_day
    assert calm > 0.5


def test_one_day_far_out_needs_no_others(past):
    current = np.full((2, DAYS, GROUPS), CALM)
    current[0, 3, 1], current[1, :, 1] = 9.0, 1.0
    assert np.diff(judge(past, current)) > 0


def test_a_day_unusual_in_every_way_is_rarer_than_one_as_unusual_in_one(past):
    current = np.full((3, DAYS, GROUPS), CALM)
    current[0, 3, :] = current[1, 3, 0] = 2.5
    current[2, 3, :] = 0.9
    every_way, one_way, hardly = judge(past, current)
    assert every_way < 0.1 * one_way
    assert hardly > one_way


def test_what_grows_together_is_one_thing(past):
    linked = past[0].copy()
    linked[:, 1] = linked[:, 0]  # more calls, more objects
    current = np.full((2, DAYS, GROUPS), CALM)
    current[0, 3, :2], current[1, 3, 1:] = 2.5, 2.5
    burst, other = judge((linked, past[1]), current, kinds="aab")
    apart, _ = judge((linked, past[1]), current)
    assert other < 0.2 * burst, "two things are rarer than one told twice"
    assert burst > 0.9 * apart


def test_where_every_day_is_like_the_other_the_least_difference_is_not_rare(past):
    same = np.full_like(past[0], CALM)
    current = np.full((2, DAYS, GROUPS), CALM + 1e-3)
    current[1, 3, 0] = 3.0
    alike, other = judge((same, past[1]), current)
    assert alike > 0.5
    assert other < 0.05


def test_as_many_ordinary_weeks_are_rare_as_should_be(past):
    rng = np.random.default_rng(1)
    p = judge(past, rng.exponential(1 / np.log(10), (4000, DAYS, GROUPS)))
    for level in (0.01, 0.05, 0.2):
        assert 0.6 * level < (p <= level).mean() < 1.5 * level


def test_days_that_were_not_tested_say_nothing(past):
    current = np.full((2, DAYS, GROUPS), np.nan)
    current[1, 2] = 9.0
    votes = vote(["A", "B", "C"], *past, current, kinds="abc", detector=Silent())
    assert (votes.p["joint"][0] == 1).all()
    assert (np.delete(votes.p["joint"][1], 2) == 1).all()
    assert votes.p["joint"][1, 2] < 0.01
