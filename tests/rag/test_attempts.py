import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.rag.attempts import Attempts, attempt

COUNTS = st.integers(0, 50)


SILENT = (None, "", " \n", "not known", "Not known.")


@pytest.mark.parametrize(
    ("answer", "grade"),
    [
        ("Kolm Light", "correct"),
        ("the kolm  light.", "correct"),
        ("Kolm", "wrong"),
        *((s, "not attempted") for s in SILENT),
    ],
)
def test_each_answer_has_one_grade(answer, grade):
    assert attempt(answer, ["Kolm Light"]) == grade


@given(COUNTS, COUNTS, COUNTS.filter(bool))
def test_the_score_is_the_harmonic_mean_of_the_two_shares(correct, wrong, silent):
    found = Attempts(correct, wrong, silent)
    share, of_tried = correct / (correct + wrong + silent), found.correct_given_attempted
    if correct:
        assert of_tried == correct / (correct + wrong)
        assert found.f_score == pytest.approx(2 / (1 / share + 1 / of_tried))
    else:
        assert found.f_score == 0
        assert math.isnan(of_tried) == (wrong == 0)
    assert sum(found.estimate(g).value for g in ("correct", "wrong", "not attempted")) == pytest.approx(1)


def test_guessing_everything_does_not_beat_saying_what_is_known():
    grades = ["correct", "wrong", "wrong", "not attempted"]
    assert Attempts.of(grades) == Attempts(1, 2, 1)
    assert Attempts(40, 0, 60).f_score > Attempts(45, 55, 0).f_score
    assert "not attempted" in str(Attempts(1, 2, 1))
    with pytest.raises(ValueError, match="No answers"):
        _ = Attempts(0, 0, 0).f_score
