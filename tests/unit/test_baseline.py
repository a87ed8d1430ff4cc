import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from audit_analytics.detect._baseline import (
    count_surprise,
    expect_interval,
    fit_baseline,
    share_surprise,
)


def fit_one(values, weights=None, slots=1, slot=None, cycle=1):
    counts = np.atleast_2d(np.asarray(values, dtype=float))
    weights = np.ones_like(counts) if weights is None else np.atleast_2d(weights).astype(float)
    slot = np.zeros(counts.shape[1], dtype=np.intp) if slot is None else np.asarray(slot)
    return fit_baseline(counts, weights, slot, slots=slots, cycle=cycle)


def test_a_burst_in_history_hardly_raises_what_is_expected():
    calm = [9, 10, 11, 10, 9, 11, 10, 10, 9, 11]
    plain = fit_one(calm).mean[0, 0]
    burst = fit_one([*calm[:-1], 100_000]).mean[0, 0]
    assert plain < burst < plain + 3
    assert np.mean([*calm[:-1], 100_000]) > 10_000


def test_what_has_weight_zero_teaches_nothing():
    weights = [1, 1, 1, 1, 0, 0]
    first, second = (fit_one([4, 6, 5, 5, *rest], weights) for rest in ([0, 0], [9999, 123]))
    for name in ("mean", "dispersion", "weight"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_nothing_is_expected_of_an_entity_without_history_but_a_little():
    base = fit_one([[5, 5, 5, 5], [0, 0, 0, 0]], [[1, 1, 1, 1], [0, 0, 0, 0]])
    assert base.mean[1, 0] == pytest.approx(0.01)
    assert count_surprise(np.array([3.0]), base.mean[1], base.size(base.mean[1], [1], [0])) > 0.5


def test_recent_weeks_count_more():
    weights = [0.7**3, 0.7**2, 0.7, 1.0]
    rising, falling = (fit_one(v, weights).mean[0, 0] for v in ([1, 2, 3, 4], [4, 3, 2, 1]))
    assert rising > falling


def test_the_mean_follows_the_written_definition():
    values, weights = np.array([2.0, 4.0, 3.0, 5.0]), np.array([0.7, 1.0, 0.7, 1.0])
    base = fit_one(values, weights)
    raw = (weights * values).sum() / weights.sum()
    n = weights.sum()
    mean = (n * raw + 0.5 * (0.5 * raw + 0.01)) / (n + 0.5)
    assert base.mean[0, 0] == pytest.approx(mean)
    excess, scale = (weights * ((values - mean) ** 2 - mean)).sum(), n * mean**2
    pooled = np.clip(excess / scale, 0.01, 6)
    phi = np.clip((excess + 20 * pooled) / (scale + 20), 0.01, 6)
    assert base.dispersion[0] == pytest.approx(phi)
    size = base.size(np.array([mean]), np.array([0]), np.array([0]))
    assert size[0] == pytest.approx(1 / (phi + (1 / mean + phi) / n))


def test_hours_borrow_from_their_neighbours_round_midnight_of_the_same_kind_of_day():
    slot = np.tile(np.arange(48), 10)
    counts = np.where(slot == 0, 100.0, 0.0)
    mean = fit_one(counts, slots=48, slot=slot, cycle=24).mean[0]
    assert mean[0] > mean[1] > 10
    assert mean[1] == pytest.approx(mean[23])
    assert mean[24:].max() < 2
    assert mean[2] < 2


def test_hours_never_seen_lend_nothing():
    slot = np.tile([0, 1], 20)
    mean = fit_one(np.where(slot == 0, 10.0, 10.0), slots=24, slot=slot, cycle=24).mean[0]
    assert mean[0] == pytest.approx(mean[1])
    assert mean[0] > 9.5


@settings(max_examples=30, deadline=None)
@given(observed=st.integers(0, 400), mean=st.floats(0.01, 200), size=st.floats(0.05, 100))
def test_count_surprise_is_the_tail_summed_by_hand(observed, mean, size):
    k = np.arange(0, observed + 1)
    pmf = stats.nbinom.pmf(k, size, size / (size + mean))
    tail = 1 - pmf.sum() + 0.5 * pmf[-1]
    score = count_surprise(np.array([float(observed)]), np.array([mean]), np.array([size]))[0]
    if tail > 1e-9:
        assert score == pytest.approx(-np.log10(min(tail, 1.0)), abs=1e-4)
    else:
        assert score > 8


@settings(max_examples=40, deadline=None)
@given(
    calls=st.integers(1, 2000),
    share=st.floats(0, 1),
    rate=st.floats(1e-4, 0.9),
)
def test_share_surprise_is_the_tail_summed_by_hand(calls, share, rate):
    failed = round(share * calls)
    a, b = rate * 19, (1 - rate) * 19
    k = np.arange(failed, calls + 1)
    terms = special.betaln(k + a, calls - k + b) - special.betaln(a, b) - np.log(calls + 1)
    terms -= special.betaln(calls - k + 1, k + 1)
    expected = -special.logsumexp(terms) / np.log(10)
    score = share_surprise(
        np.array([float(failed)]), np.array([float(calls)]), np.array([rate]), correlation=0.05
    )[0]
    assert score == pytest.approx(max(expected, 0), abs=1e-4)


@pytest.mark.parametrize("mean", [0.01, 1.0, 300.0])
def test_surprise_rises_with_the_count_and_stays_finite(mean):
    observed = np.array([0.0, 1, 2, 5, 10, 100, 1e4, 1e6])
    score = count_surprise(observed, np.full(8, mean), np.full(8, 5.0))
    assert (np.diff(score) >= 0).all()
    assert np.isfinite(score).all()


def test_the_interval_holds_ninety_five_per_cent():
    low, high = expect_interval(20.0, 8.0)
    share = stats.nbinom.cdf([low - 1, high], 8, 8 / 28)
    assert share[0] <= 0.025
    assert share[1] >= 0.975
    assert low < 20 < high


def test_a_share_is_as_surprising_as_scipy_says():
    rng = np.random.default_rng(0)
    calls = np.floor(rng.exponential(40, 400)) + 1
    failed = np.floor(rng.random(400) * (calls + 1))
    rate = np.clip(rng.beta(0.3, 3, 400), 0.01, 0.9)
    a, b = rate * (1 / 0.05 - 1), (1 - rate) * (1 / 0.05 - 1)
    tail = stats.betabinom.sf(failed - 1, calls, a, b)
    told = tail >= 1e-6  # further out the terms are added up the other way round
    score = share_surprise(failed, calls, rate, correlation=0.05)
    np.testing.assert_allclose(score[told], -np.log10(tail[told]), rtol=1e-12)
