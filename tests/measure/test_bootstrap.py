"""The bootstrap interval against SciPy's, and against what an interval promises: to hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from labkit.measure.bootstrap import median_interval


def test_agrees_with_scipy():
    values = np.random.default_rng(1).lognormal(0, 0.3, 60)
    ours = median_interval(values, resamples=20_000)
    theirs = scipy.stats.bootstrap(
        (values,), np.median, n_resamples=20_000, method="percentile", random_state=2
    ).confidence_interval
    assert (ours.low, ours.high) == (pytest.approx(theirs.low, rel=0.01), pytest.approx(theirs.high, rel=0.01))


def test_holds_the_true_median_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = sum(low <= 1 <= high for _, low, high in (median_interval(rng.lognormal(0, 0.2, 25)) for _ in range(300)))
    assert 0.9 <= held / 300 <= 0.99


def test_a_seed_repeats_the_interval():
    values = list(range(11))
    assert median_interval(values, seed=3) == median_interval(values, seed=3)


@pytest.mark.parametrize(("values", "confidence"), [([], 0.95), ([1.0], 0.0), ([1.0], 1.5)])
def test_bad_input(values, confidence):
    with pytest.raises(ValueError, match=r"at least one value|between 0 and 1"):
        median_interval(values, confidence=confidence)
