"""From many cases to one result: the smallest failing input, the diagnosis that fits all of them."""

import dataclasses
import math

import numpy as np
import pytest

from labkit.course.exercise import Case, Exercise, Raised, Verdict
from labkit.course.judgement import draw, judge_all
from labkit.course.oracle import Misconception, oracle_judge
from labkit.course.probe import Outcome
from labkit.course.proof import result_of

HINTS = ("where", "which", "how")


def exercise(cases, judge, **more):
    return Exercise("f", lambda rng: cases, judge, HINTS, 1, 1, 1, **more)


def result(cases, judge, function):
    return result_of(exercise(cases, judge), function, np.random.default_rng(0))


SQUARES = [Case(x=x) for x in (1000, 7, 2, 0, 1)]
SQUARE = oracle_judge(
    lambda x: x**2,
    (
        Misconception(lambda x: x * 2, "you double."),
        Misconception(lambda x: x**3, "you cube."),
        Misconception(lambda x: 1 // 0 if x == 0 else x**2, "you divide by zero."),
        Misconception.seen(lambda case, output: output < 0, "you return something negative."),
    ),
)


def test_cases_are_asked_smallest_first():
    assert [c["x"] for c in draw(exercise(SQUARES, SQUARE), np.random.default_rng(0))] == [0, 1, 2, 7, 1000]


def test_right_is_passed():
    told = result(SQUARES, SQUARE, lambda x: x * x)
    assert (told.status, told.cases, told.failed) == ("passed", 5, 0)


def test_the_smallest_failing_input_is_reported_with_yours_and_expected():
    told = result(SQUARES, SQUARE, lambda x: x * x if x < 5 else 0)
    assert (told.failed, told.case["x"], told.yours.value, told.verdict.expected) == (2, 7, 0, 49)


def test_a_diagnosis_agrees_with_every_failing_case():
    assert result(SQUARES, SQUARE, lambda x: x + x).diagnosis == "you double."
    assert result(SQUARES, SQUARE, lambda x: x * x * x).diagnosis == "you cube."
    assert result(SQUARES, SQUARE, lambda x: -1 - x).diagnosis == "you return something negative."


def test_one_failing_case_alone_is_told_by_what_the_passing_ones_rule_out():
    """At x=3, 'double' and 'add three' both give 6; that x=5 is right with 'add three when x is 3' decides."""
    judge = oracle_judge(
        lambda x: x**2,
        (
            Misconception(lambda x: 2 * x, "you double."),
            Misconception(lambda x: 6 if x == 3 else x * x, "you trip at 3."),
        ),
    )
    assert result([Case(x=3), Case(x=5)], judge, lambda x: x * x if x != 3 else 6).diagnosis == "you trip at 3."
    assert result([Case(x=3), Case(x=5)], judge, lambda x: 2 * x).diagnosis == "you double."


def test_a_diagnosis_of_half_the_failures_says_so_and_of_fewer_is_not_told():
    half = {0: 0, 1: 2, 2: 4, 7: 14, 1000: 5}
    assert result(SQUARES, SQUARE, half.get).diagnosis == "In 2 of 3 failing cases: you double."
    few = {0: 5, 1: 5, 2: 8, 7: 5, 1000: 5}
    assert result(SQUARES, SQUARE, few.get).diagnosis == ""


def test_an_exception_is_recognised_by_its_type():
    told = result(SQUARES, SQUARE, lambda x: x * x if x else 3 / x)
    assert told.diagnosis == "you divide by zero."
    assert "ZeroDivisionError" in told.problem


def test_none_is_asked_for_its_return():
    assert result(SQUARES, SQUARE, lambda x: None).problem == "It returned None; is a `return` missing?"


@pytest.mark.parametrize(
    "output",
    [math.nan, math.inf, "text", [1], (), {}, b"", 2.5, [10**5000], np.zeros(3), np.float64("nan"), True, object],
)
def test_no_output_breaks_the_judge(output):
    told = result(SQUARES, SQUARE, lambda x: output)
    assert told.status == "failed"
    assert told.problem


def test_a_number_too_long_to_print_is_a_mistake():
    assert (
        result(SQUARES, SQUARE, lambda x: 10**5000).problem == "It returned an int of 16610 bits where 0 is expected."
    )


def test_a_judge_of_ones_own_that_breaks_on_an_output_is_a_failure_of_the_output():
    def judge(case, output):
        return Verdict("" if output["key"] else "no")

    told = result([Case(x=1)], judge, lambda x: 3)
    assert told.status == "failed"
    assert "cannot read" in told.problem


def test_a_judge_of_ones_own_never_sees_an_exception():
    told = result([Case(x=1)], lambda case, output: Verdict(), lambda x: 1 // 0)
    assert (told.status, told.yours.raised.type) == ("failed", "ZeroDivisionError")


def test_an_oracle_that_breaks_is_told_to_the_author():
    with pytest.raises(ValueError, match="oracle fails"):
        result([Case(x=0)], oracle_judge(lambda x: 1 // x), lambda x: 1)


def test_the_oracle_cannot_change_what_others_see():
    judge = oracle_judge(lambda x: x.pop(), (Misconception(lambda x: x.clear(), "you clear."),))
    assert result([Case(x=[1, 2])], judge, lambda x: x[-1]).status == "passed"


def test_notes_are_told_once():
    told = result(SQUARES, oracle_judge(lambda x: float(x)), lambda x: x)
    assert told.notes == ("Your int was taken for the float that is asked.",)


def test_a_stub_is_not_started_but_half_a_function_is():
    def stub(x):
        raise NotImplementedError

    def half(x):
        if x > 1:
            raise NotImplementedError
        return x

    assert result(SQUARES, SQUARE, stub).status == "not started"
    assert result(SQUARES, SQUARE, half).status == "failed"


@pytest.mark.parametrize(
    "change",
    [{"hints": ("a", "b")}, {"hints": ("a", "b", " ")}, {"difficulty": 0}, {"importance": 6}, {"minutes": 0},
     {"seconds": 20}, {"name": "no name"}],
)  # fmt: skip
def test_an_exercise_is_complete(change):
    with pytest.raises(ValueError, match="Exercise"):
        dataclasses.replace(exercise(SQUARES, SQUARE), **change)


def test_a_loop_without_end_in_a_later_case_is_told_by_the_time_of_all():
    def slow(x):
        while x > 5:
            pass
        return x * x

    told = result_of(exercise(SQUARES, SQUARE, seconds=0.3), slow, np.random.default_rng(0))
    assert (told.status, told.failed, told.case["x"]) == ("failed", 1, 7)
    assert "Its 5 cases may take 0.3 s together; it was stopped in case 4" in told.diagnosis


@pytest.mark.parametrize("kind", ["timeout", "exited", "not plain", "mutated", "raised"])
def test_an_outcome_without_a_value_and_without_a_word_is_no_pass(kind):
    cases = [Case(x=1)]
    told = judge_all(exercise(cases, SQUARE), cases, [Outcome(kind)])
    assert told.status == "failed"
    assert kind in told.problem


def test_raised_reads_as_a_sentence():
    assert str(Raised("KeyError", "'a'", "d['a']")) == "It raised KeyError: 'a' at `d['a']`."
