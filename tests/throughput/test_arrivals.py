"""Arrivals and lengths against the distributions they are named after."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labkit.throughput.arrivals import fixed_arrivals, gamma_arrivals, poisson_arrivals
from labkit.throughput.lengths import empirical_lengths, fixed_lengths, lognormal_lengths, uniform_lengths
from labkit.throughput.request import Request, token_numbers, words, workload


@pytest.mark.parametrize("burstiness", [0.25, 1.0, 4.0])
def test_gaps_have_the_distribution_asked_for(burstiness):
    rng = np.random.default_rng(1)
    gaps = np.diff(gamma_arrivals(5.0, burstiness, 20_000, rng), prepend=0)
    assert stats.kstest(gaps, stats.gamma(burstiness, scale=1 / (5.0 * burstiness)).cdf).pvalue > 0.01
    assert gaps.mean() == pytest.approx(0.2, rel=5 / np.sqrt(20_000 * burstiness))


def test_poisson_gaps_are_exponential_and_arrivals_are_not_rescaled():
    gaps = np.diff(poisson_arrivals(5.0, 20_000, np.random.default_rng(2)), prepend=0)
    assert stats.kstest(gaps, stats.expon(scale=0.2).cdf).pvalue > 0.01
    # The last of n arrivals is Erlang distributed; rescaled to n / rate it would not vary at all.
    last = [poisson_arrivals(5.0, 50, np.random.default_rng(seed))[-1] for seed in range(1000)]
    assert stats.kstest(last, stats.gamma(50, scale=0.2).cdf).pvalue > 0.01


@given(rate=st.floats(0.01, 1000), count=st.integers(1, 200))
def test_endless_burstiness_is_a_fixed_gap(rate, count):
    rng = np.random.default_rng(0)
    even = gamma_arrivals(rate, float("inf"), count, rng)
    np.testing.assert_array_equal(even, fixed_arrivals(rate, count))
    np.testing.assert_allclose(np.diff(even, prepend=0), 1 / rate, rtol=1e-9)


def test_a_seed_gives_the_same_workload_again():
    def draw(seed):
        rng = np.random.default_rng(seed)
        arrivals = poisson_arrivals(2.0, 30, rng)
        return workload(arrivals, uniform_lengths(1, 9, 30, rng), lognormal_lengths(8, 1, 30, rng, most=20), rng)

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)
    for request in draw(3):
        assert len(request.prompt.split()) == request.input_length <= 9
        assert 1 <= request.output_length <= 20


def test_lengths_have_the_distribution_asked_for():
    rng = np.random.default_rng(5)
    assert set(fixed_lengths(7, 5)) == {7}
    drawn = uniform_lengths(2, 4, 30_000, rng)
    assert stats.chisquare(np.bincount(drawn)[2:]).pvalue > 0.01
    logs = np.log(lognormal_lengths(1e6, 0.5, 20_000, rng))  # rounding does not show at such lengths
    assert stats.kstest(logs, stats.norm(np.log(1e6), 0.5).cdf).pvalue > 0.01
    assert lognormal_lengths(2, 3, 1000, rng, most=9).min() == 1


def test_empirical_lengths_keep_pairs_together():
    seen = [(300, 20), (40, 60), (41, 60)]
    prompts, answers = empirical_lengths(seen, 30_000, np.random.default_rng(0))
    drawn = list(zip(prompts.tolist(), answers.tolist(), strict=True))
    assert set(drawn) == set(seen)
    assert stats.chisquare([drawn.count(pair) for pair in seen]).pvalue > 0.01


def test_prompts_of_numbers_stay_in_the_vocabulary():
    numbers = token_numbers(10)(1000, np.random.default_rng(0))
    assert set(numbers) == set(range(10))
    assert words(3, np.random.default_rng(0)) == words(3, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda rng: poisson_arrivals(0.0, 3, rng), "above 0 and finite"),
        (lambda rng: poisson_arrivals(float("inf"), 3, rng), "above 0 and finite"),
        (lambda rng: gamma_arrivals(1.0, 0.0, 3, rng), "above 0; got 0"),
        (lambda rng: fixed_arrivals(1.0, 0), "at least one request"),
        (lambda rng: uniform_lengths(5, 4, 3, rng), "5 to 4"),
        (lambda rng: fixed_lengths(0, 3), "at least 1 token"),
        (lambda rng: lognormal_lengths(0.5, 1, 3, rng), "median is at least 1"),
        (lambda rng: empirical_lengths([], 3, rng), "there is none"),
        (lambda rng: empirical_lengths([(0, 3)], 3, rng), "0 to 3"),
        (lambda rng: Request(-1.0, "", 1, 1), "arrival -1.0"),
        (lambda rng: Request(0.0, "", 1, 0), "output_length 0"),
        (lambda rng: workload([1.0], [1, 2], [1], rng), "longer|shorter"),
    ],
)
def test_bad_input_is_told(call, told):
    with pytest.raises(ValueError, match=told):
        call(np.random.default_rng(0))
