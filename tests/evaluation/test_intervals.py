import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labkit.evaluation.intervals import difference, ratio_of_sums, share


@given(count=st.integers(1, 3000), part=st.floats(0, 1))
def test_a_share_has_wilsons_interval_as_scipy_computes_it(count, part):
    successes = round(part * count)
    theirs = stats.binomtest(successes, count).proportion_ci(0.95, method="wilson")
    ours = share(successes, count)
    assert ours.value == successes / count
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize(("successes", "count"), [(0, 0), (3, 2), (-1, 4)])
def test_an_impossible_share_is_refused(successes, count):
    with pytest.raises(ValueError, match="trial"):
        share(successes, count)


def test_the_bootstrap_of_a_mean_agrees_with_scipys():
    values = np.random.default_rng(1).exponential(2.0, size=400)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", random_state=2)
    ours = ratio_of_sums(values, np.ones(len(values)))
    assert ours.value == pytest.approx(values.mean())
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.06 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.06 * width)


def test_a_ratio_weighs_documents_by_their_length():
    assert ratio_of_sums([10.0, 1.0], [1, 10]).value == 11 / 11
    assert ratio_of_sums([10.0, 1.0], [1, 10]).value != (10 / 1 + 1 / 10) / 2


def test_pairing_removes_the_difficulty_that_questions_share():
    rng = np.random.default_rng(3)
    hard = rng.normal(0, 10, size=200)
    paired = difference(hard + 0.5 + rng.normal(0, 0.1, 200), hard)
    assert 0.4 < paired.low < 0.5 < paired.high < 0.6


@pytest.mark.parametrize(("sums", "weights"), [([], []), ([1.0], [1, 2]), ([1.0], [0])])
def test_a_ratio_of_nothing_is_refused(sums, weights):
    with pytest.raises(ValueError, match="ratio"):
        ratio_of_sums(sums, weights)
