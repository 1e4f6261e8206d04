"""Waiting times of the driven simulation against queueing theory, and the theory against its known points."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from labkit.throughput.arrivals import poisson_arrivals
from labkit.throughput.estimates import mean
from labkit.throughput.metrics import time_to_first_token
from labkit.throughput.queueing import md1_wait, mm1_wait, power, waiting_time
from labkit.throughput.steady import mser5
from tests.throughput.truth import asked, served

SERVICE = 0.1


def measured_waits(rho, exponential, seed, count=5000):
    rng = np.random.default_rng(seed)
    arrivals = poisson_arrivals(rho / SERVICE, count, rng)
    services = rng.exponential(SERVICE, count) if exponential else np.full(count, SERVICE)
    records = served(asked(arrivals), services.tolist()).records
    return np.array([time_to_first_token(r) for r in records]) - services


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.3, 0.5, 0.8])
@pytest.mark.parametrize(("exponential", "theory"), [(False, md1_wait), (True, mm1_wait)])
def test_mean_waits_are_those_of_theory(rho, exponential, theory):
    """Six independent runs of 5,000 requests: the theory lies in Student's 99 % interval of their means."""
    means = []
    for seed in range(6):
        found = measured_waits(rho, exponential, seed)
        means.append(found[mser5(found) :].mean())
    assert stats.ttest_1samp(means, theory(rho / SERVICE, SERVICE)).pvalue > 0.01
    assert np.std(means) / np.mean(means) < 0.4, "or the test would accept anything"


def test_one_run_holds_the_truth_in_its_own_interval():
    found = measured_waits(0.5, exponential=False, seed=0)
    wait = mean(found[mser5(found) :])
    assert wait.low <= md1_wait(0.5 / SERVICE, SERVICE) <= wait.high
    assert wait.high - wait.low < wait.value / 2


@pytest.mark.parametrize(("variation", "knee"), [(1.0, 0.5), (0.0, 2 - math.sqrt(2))])
def test_power_is_largest_at_the_known_knees(variation, knee):
    found = optimize.minimize_scalar(
        lambda rho: -power(rho, waiting_time(rho, 1.0, variation), 1.0), bounds=(0.01, 0.99), method="bounded"
    )
    assert found.x == pytest.approx(knee, abs=1e-4)


@pytest.mark.parametrize("rate", [10.0, 12.0])
def test_an_overloaded_queue_has_no_mean_wait(rate):
    for wait in (md1_wait, mm1_wait):
        with pytest.raises(ValueError, match="busy less than all the time"):
            wait(rate, SERVICE)
