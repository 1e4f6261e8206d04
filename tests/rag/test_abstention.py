import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.rag.abstention import abstention_curve, choose_threshold, judge_threshold

QUESTIONS = st.lists(st.tuples(st.integers(0, 10).map(lambda n: n / 10), st.booleans()), min_size=1, max_size=40)


@settings(deadline=None)
@given(QUESTIONS.filter(lambda questions: any(wrong for _, wrong in questions)))
def test_the_curve_is_scikit_learns_for_holding_back_what_is_wrong(questions):
    metrics = pytest.importorskip("sklearn.metrics")
    confidence, wrong = (list(column) for column in zip(*questions, strict=True))
    curve = abstention_curve(confidence, wrong)
    precision, recall, thresholds = metrics.precision_recall_curve(wrong, [-c for c in confidence])
    theirs = sorted(zip(-thresholds, precision[:-1], recall[:-1], strict=True))
    assert [p.precision for p in curve] == pytest.approx([p for _, p, _ in theirs])
    assert [p.recall for p in curve] == pytest.approx([r for *_, r in theirs])
    for point, (kept_out, _, _) in zip(curve, theirs, strict=True):
        assert sum(c < point.threshold for c in confidence) == sum(c <= kept_out for c in confidence)
        judged = judge_threshold(confidence, wrong, point.threshold)
        assert (judged.precision.value, judged.recall.value) == pytest.approx((point.precision, point.recall))
        assert judged.abstained.value == pytest.approx(point.abstained)
    assert curve[-1].recall == curve[-1].abstained == 1


@settings(deadline=None)
@given(QUESTIONS.filter(lambda questions: any(wrong for _, wrong in questions)), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_the_chosen_threshold_holds_back_the_most_that_the_precision_allows(questions, precision):
    curve = abstention_curve(*zip(*questions, strict=True))
    allowed = [p for p in curve if p.precision >= precision]
    if not allowed:
        with pytest.raises(ValueError, match="the best has"):
            choose_threshold(curve, precision)
        return
    chosen = choose_threshold(curve, precision)
    assert chosen in allowed
    assert chosen.recall == max(p.recall for p in allowed)


def test_a_threshold_chosen_on_some_questions_is_judged_on_others():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(size=2000)
    wrong = rng.uniform(size=2000) > confidence
    chosen = choose_threshold(abstention_curve(confidence[:1000], wrong[:1000]), 0.8)
    judged = judge_threshold(confidence[1000:], wrong[1000:], chosen.threshold)
    t = chosen.threshold  # wrong with chance 1 - c: below t the precision is 1 - t / 2, so t is near 0.4
    assert abs(t - 0.4) < 0.08
    assert judged.precision.low < 1 - t / 2 < judged.precision.high
    assert judged.recall.low < 2 * t - t * t < judged.recall.high
    assert "Abstaining below" in str(judged)


@pytest.mark.parametrize(
    ("confidence", "wrong"),
    [([], []), ([0.1], [True, False]), ([0.1, 0.2], [False, False]), ([1.1], [True]), ([math.nan], [True])],
)
def test_what_has_no_curve_is_refused(confidence, wrong):
    with pytest.raises(ValueError, match=r"confidences|nothing to hold back|outside 0 to 1"):
        abstention_curve(confidence, wrong)


def test_a_threshold_below_everything_abstains_from_nothing():
    with pytest.raises(ValueError, match=r"below 0\.1"):
        judge_threshold([0.5, 0.6], [True, False], 0.1)
