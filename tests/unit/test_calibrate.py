import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from audit_analytics.detect._calibrate import Calibrator, adjust_q
from audit_analytics.detect._rows import Rows

SCORES = st.lists(st.floats(0, 300), min_size=1, max_size=80)


def test_p_is_uniform_where_nothing_has_changed():
    rng = np.random.default_rng(0)
    p = np.concatenate(
        [Calibrator(rng.exponential(size=300)).p_value(rng.exponential(size=50)) for _ in range(60)]
    )
    assert stats.kstest(p, "uniform").pvalue > 0.01
    for level in (0.5, 0.1, 0.02):
        assert (p <= level).mean() == pytest.approx(level, rel=0.35)


@settings(max_examples=50, deadline=None)
@given(reference=SCORES, scores=SCORES)
def test_a_higher_score_is_never_more_probable(reference, scores):
    p = Calibrator(np.array(reference)).p_value(np.sort(scores))
    assert (np.diff(p) <= 1e-12).all()
    assert ((p > 0) & (p <= 1)).all()
    assert (p >= 1 / (100 * len(reference))).all()


def test_few_references_are_counted():
    assert Calibrator(np.array([1.0, 2.0, 3.0])).p_value(np.array([0, 2, 9])).tolist() == [
        1.0,
        0.75,
        0.25,
    ]


def test_beyond_the_reference_p_falls_on_to_a_floor():
    reference = np.random.default_rng(1).exponential(size=1000)
    calibrator = Calibrator(reference)
    edge = calibrator.threshold_
    near = calibrator.p_value(np.array([edge, np.nextafter(edge, 99)]))
    assert near[0] == pytest.approx(near[1], rel=0.05)
    far = calibrator.p_value(np.array([reference.max(), reference.max() + 3, 1e9]))
    assert far[0] > far[1] > far[2] == pytest.approx(1e-5)


def test_the_tail_of_a_heavy_reference_is_heavy():
    reference = stats.genpareto.rvs(0.5, size=20_000, random_state=2)
    p = Calibrator(reference).p_value(np.array([50.0]))[0]
    assert p == pytest.approx(stats.genpareto.sf(50.0, 0.5), rel=0.6)


@pytest.mark.parametrize("reference", [[], [np.nan], [0.0] * 50, [1.0] * 30 + [np.inf]])
def test_poor_references_still_give_probabilities(reference):
    p = Calibrator(np.array(reference)).p_value(np.array([0.0, 5.0, np.nan, np.inf]))
    assert ((p > 0) & (p <= 1)).all()
    assert p[2] == 1


def test_what_was_not_assessed_has_probability_one_and_teaches_nothing():
    reference = np.arange(50.0)
    padded = np.concatenate([reference, np.full(99, np.nan)])
    scores = np.array([np.nan, 25.0])
    p = Calibrator(padded).p_value(scores)
    assert p[0] == 1
    assert p[1] == Calibrator(reference).p_value(scores)[1]


def test_q_values_are_benjamini_hochberg_in_the_order_given():
    assert adjust_q(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.04, 0.03, 0.04])
    assert adjust_q(np.array([])).size == 0


def simulate_weeks(rng, entities, weeks):
    """Days of entities, a bad one of which stays bad for three days."""
    days = rng.exponential(size=(entities, weeks, 7))
    days[..., 1:] = np.maximum(days[..., 1:], days[..., :-1])
    days[..., 2:] = np.maximum(days[..., 2:], days[..., 1:-1])
    rows = Rows(
        np.repeat(np.arange(entities), weeks * 7), np.tile(np.repeat(range(weeks), 7), entities)
    )
    return days.ravel(), rows


@pytest.mark.parametrize("entities", [12, 200])
def test_e_counts_cases_though_unusual_days_come_together(entities):
    rng = np.random.default_rng(entities)
    cases, rounds = np.zeros(2), 60 if entities == 12 else 12
    limits = (entities / 12, entities / 4)
    for _ in range(rounds):
        past, rows = simulate_weeks(rng, entities, 4)
        now, own = simulate_weeks(rng, entities, 1)
        p = Calibrator.of_weeks(past, rows).p_value(own.worst(now))
        cases += [(p * entities < limit).sum() for limit in limits]
    assert cases / rounds == pytest.approx(limits, rel=0.35)
