"""Intervals of dependent samples hold the truth about as often as they say; percentiles wait for enough samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from labkit.throughput.estimates import mean, percentiles, samples_needed
from labkit.throughput.queueing import md1_wait
from tests.throughput.truth import waits


def queue(rho, count, seed):
    rng = np.random.default_rng(seed)
    return np.array(waits(rng.exponential(1 / rho, count).cumsum(), np.ones(count)))[count // 20 :]


def independent(values):
    """The interval that takes every request for independent of the others."""
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return low, high


@pytest.mark.slow
def test_intervals_of_waiting_times_hold_the_truth_where_independent_ones_do_not():
    truth, held, held_if_independent = md1_wait(0.7, 1.0), 0, 0
    for seed in range(60):
        values = queue(0.7, 3000, seed)
        found = mean(values, seed)
        held += found.low <= truth <= found.high
        low, high = independent(values)
        held_if_independent += low <= truth <= high
    assert held / 60 >= 0.8
    assert held_if_independent / 60 <= 0.6


@pytest.mark.slow
def test_intervals_of_percentiles_of_independent_values():
    truth, held = stats.expon.ppf(0.9), 0
    for seed in range(100):
        values = np.random.default_rng(seed).exponential(size=1000)
        (found,) = percentiles(values, [90], seed)
        held += found.low <= truth <= found.high
    assert 0.85 <= held / 100 <= 1.0


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=7, max_size=60), seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_the_value_is_that_of_the_sample_and_the_seed_decides_the_rest(values, seed):
    found, missing = percentiles(values, [50, 99.9], seed)
    assert found.value == pytest.approx(np.percentile(values, 50))
    assert min(values) <= found.low <= found.high <= max(values)
    assert found == percentiles(values, [50], seed)[0]
    assert missing is None
    assert found.count == len(values)


@pytest.mark.parametrize("percent", [50, 90, 95, 99, 99.9])
def test_the_least_number_of_samples_is_the_binomial_one(percent):
    needed = samples_needed(percent)
    assert stats.binom.pmf(0, needed, 1 - percent / 100) <= 0.01 < stats.binom.pmf(0, needed - 1, 1 - percent / 100)
    assert percentiles([1.0] * (needed - 1), [percent]) == [None]
    assert percentiles([1.0] * needed, [percent])[0].value == 1.0


def test_bad_input_is_told():
    with pytest.raises(ValueError, match="at least one value"):
        mean([])
    for percent, confidence in ((0, 0.99), (100, 0.99), (50, 1.0)):
        with pytest.raises(ValueError, match="A percentile lies"):
            samples_needed(percent, confidence)
