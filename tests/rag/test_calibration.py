import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.rag.calibration import auroc, calibration, expected_calibration_error
from labkit.rag.resampling import bootstrap

QUESTIONS = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=1, max_size=40)


def _slow_error(confidence, right, bins):
    """Guo et al., equation 3, word by word: bin m holds the confidences in ((m - 1) / M, m / M]."""
    total = 0.0
    for m in range(1, bins + 1):
        low = -1 if m == 1 else (m - 1) / bins
        inside = [n for n, c in enumerate(confidence) if low < c <= m / bins]
        if inside:
            gap = sum(right[n] for n in inside) / len(inside) - sum(confidence[n] for n in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(gap)
    return total


@settings(deadline=None)
@given(QUESTIONS, st.sampled_from([1, 2, 4, 5]))
def test_the_error_is_that_of_the_paper(questions, bins):
    confidence, right = zip(*questions, strict=True)
    assert expected_calibration_error(confidence, right, bins) == pytest.approx(_slow_error(confidence, right, bins))


@settings(deadline=None)
@given(QUESTIONS)
def test_the_warning_is_scikit_learns_area_and_the_share_of_pairs(questions):
    confidence, right = zip(*questions, strict=True)
    found = auroc(confidence, right)
    if len(set(right)) < 2:
        assert math.isnan(found)
        return
    metrics = pytest.importorskip("sklearn.metrics")
    assert found == pytest.approx(metrics.roc_auc_score(right, confidence))
    good, bad = ([c for c, r in questions if r is wanted] for wanted in (True, False))
    won = sum((g > b) + (g == b) / 2 for g in good for b in bad)
    assert found == pytest.approx(won / (len(good) * len(bad)))


@pytest.mark.slow
def test_answers_as_often_right_as_they_say_have_a_small_error_and_the_overconfident_a_large_one():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(size=2000)
    honest = calibration(confidence, rng.uniform(size=2000) < confidence)
    assert honest.error.value < 0.04
    assert sum(b.right.count for b in honest.bins) == 2000
    for one in honest.bins:
        assert one.low < one.confidence <= one.high
        assert one.right.low - 0.05 < one.confidence < one.right.high + 0.05
    boastful = calibration(confidence, rng.uniform(size=2000) < confidence / 2)
    assert boastful.error.low < 0.25 < boastful.error.high  # the mean of c - c / 2
    # a badly calibrated model may warn all the same: right answers have density 2 c, wrong ones (4 - 2 c) / 3
    assert boastful.warning.low < 13 / 18 < boastful.warning.high
    assert "Expected calibration error" in str(boastful)


@pytest.mark.slow
def test_the_interval_of_the_warning_holds_the_true_area_nineteen_times_in_twenty():
    rng = np.random.default_rng(1)
    truth = 0.7602499389065233  # P(x > y) of normals one apart in mean: Phi(1 / sqrt 2)
    held = 0
    for _ in range(20):
        right = rng.uniform(size=120) < 0.5
        confidence = 1 / (1 + np.exp(-rng.normal(right.astype(float))))
        found = bootstrap(auroc, confidence, right)
        held += found.low <= truth <= found.high
    assert held >= 16


@pytest.mark.parametrize(("confidence", "right"), [([], []), ([0.5], [1, 0]), ([1.5], [1]), ([float("nan")], [1])])
def test_what_is_no_confidence_is_refused(confidence, right):
    with pytest.raises(ValueError, match="confidence"):
        calibration(confidence, right)
