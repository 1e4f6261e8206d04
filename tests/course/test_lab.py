"""What a learner sees of a lab: predictions that lock, reveals, hints, solutions, ledger, progress."""

import math

import numpy as np
import pytest
import torch

from labkit.course.lab import Lab, notebook_rng
from labkit.course.records import Calibration


@pytest.fixture
def lab(sample):
    return Lab("99")


@pytest.fixture
def said(capsys):
    return lambda: capsys.readouterr().out


def test_a_prediction_locks_and_the_first_one_counts(lab, said):
    lab.predict("copy bandwidth", 120)
    assert "■ Locked: copy bandwidth" in (first := said())
    assert "you predict: 120 GB/s" in first
    lab.predict("copy bandwidth", 50)
    assert "Your first prediction is kept; 50 GB/s was not taken." in said()
    lab.predict("copy bandwidth", 120)
    assert "locked already" in said()
    Lab(99).predict("copy bandwidth", 7)
    assert "you predict: 120 GB/s" in said()


@pytest.mark.parametrize("value", [12, 12.0, np.float32(12), np.int64(12), torch.tensor(12)])
def test_any_number_is_taken(lab, said, value):
    lab.predict("copy bandwidth", value)
    assert "you predict: 12 GB/s" in said()


@pytest.mark.parametrize(
    "value",
    [
        -1,
        0,
        "12",
        "fast",
        math.nan,
        math.inf,
        None,
        True,
        [12],
        [],
        {},
        object(),
        1j,
        ...,
        10**400,
        torch.ones(2),
        b"1",
        lambda: 3,
    ],
)
def test_nonsense_gets_a_sentence_and_locks_nothing(lab, said, value):
    lab.predict("copy bandwidth", value)
    told = said()
    assert "nothing is locked" in told
    assert "Put your number" in told if value is ... or value is None else "one number above 0 in GB/s" in told
    lab.predict("copy bandwidth", 3)
    assert "you predict: 3 GB/s" in said()


@pytest.mark.parametrize("name", ["nope", None, 3, ["copy bandwidth"], {}])
def test_an_unknown_name_is_told_with_the_known_ones(lab, said, name):
    for call in (
        lambda: lab.predict(name, 1),
        lambda: lab.reveal(name, 1),
        lambda: lab.hint(name),
        lambda: lab.solution(name),
    ):
        call()
        assert "It has `" in said()


def test_a_reveal_tells_the_factor_and_the_direction(lab, said):
    lab.predict("copy bandwidth", 120)
    lab.predict("speed-up", 1.0)
    said()
    lab.reveal("copy bandwidth", 52)
    told = said()
    assert "off by 2.3x (over)" in told
    assert "you predicted: 120 GB/s" in told
    assert "measured: 52 GB/s" in told
    lab.reveal("speed-up", 1.8)
    assert "off by 1.8x (under)" in said()
    lab.reveal("speed-up", 1.01)
    assert "Spot on" in said()


def test_a_reveal_without_a_prediction_is_gentle_and_shows(lab, said):
    lab.reveal("copy bandwidth", 52)
    told = said()
    assert "You made no prediction" in told
    assert "52 GB/s" in told
    assert "off by" not in told


@pytest.mark.parametrize("measured", [0, -1, math.nan, None, "x"])
def test_a_measurement_that_is_none_is_not_compared(lab, said, measured):
    lab.predict("copy bandwidth", 12)
    lab.reveal("copy bandwidth", measured)
    assert "nothing is compared" in said()
    assert lab._records.prediction("copy bandwidth").measured is None


def test_calibration_is_the_median_factor_and_its_trend():
    assert str(Calibration(0)) == "No prediction has been measured yet."
    assert "better (4 to 2)" in str(Calibration(4, 3.0, 4.0, 2.0))
    assert "no better (2 to 4)" in str(Calibration(4, 3.0, 2.0, 4.0))


def test_calibration_over_the_course(lab):
    for number, (value, measured) in enumerate([(8, 1), (1, 16), (4, 1), (2, 1), (1, 4), (1, 1)]):
        lab._records.lock(str(number), value)
        lab._records.measure(str(number), measured)
    found = lab._records.calibration()
    assert found.count == 6
    assert found.median == pytest.approx(4, rel=1e-9)  # of 1, 2, 4, 4, 8, 16
    assert found.earlier == pytest.approx(8, rel=1e-9)
    assert found.later == pytest.approx(2, rel=1e-9)


def test_two_predictions_are_no_trend(lab):
    for name in ("0", "1"):
        lab._records.lock(name, 2)
        lab._records.measure(name, 1)
    assert lab._records.calibration().later is None


def test_a_number_already_seen_is_not_a_prediction(lab, said):
    lab.reveal("copy bandwidth", 52)
    lab.predict("copy bandwidth", 52)
    assert "You have seen the result already (52 GB/s)" in said()
    assert lab._records.prediction("copy bandwidth") is None


def stub(m, n, k, b):
    raise NotImplementedError


def right(m, n, k, b):
    return 2 * m * n * k / ((m * k + k * n + m * n) * b)


def named(function):
    function.__name__ = "arithmetic_intensity"
    return function


def test_a_check_returns_the_function_itself(lab, said):
    assert lab.check(named(right)) is right
    assert lab.check(named(stub)).__name__ == "arithmetic_intensity"
    told = said()
    assert "○ Not started: `arithmetic_intensity`" in told
    assert "✓ Passed: `arithmetic_intensity`" in told


def test_a_function_that_is_no_exercise_is_told(lab, said):
    def other():
        return 1

    assert lab.check(other) is other
    assert "no exercise `other`" in said()
    assert lab.check(3) == 3


def test_a_failure_shows_input_yours_expected_and_the_misconception(lab, said):
    lab.check(named(lambda m, n, k, b: print("seen", m) or m * n * k / (m * k + k * n + m * n) / b))
    told = said()
    for part in (
        "✗ Not yet",
        "m = 1",
        "yours: 0.0833",
        "expected: 0.1666",
        "multiply-add as one",
        "it printed: seen 1",
    ):
        assert part in told


def test_the_notebook_gives_every_run_the_same_cases(lab, said):
    for _ in range(2):
        lab.check(named(lambda m, n, k, b: float(m)))
    half = len(out := said()) // 2
    assert out[:half] == out[half:]
    assert notebook_rng("99", "f").integers(10**9) == notebook_rng("99", "f").integers(10**9)
    assert notebook_rng("99", "f").integers(10**9) != notebook_rng("98", "f").integers(10**9)


def test_hints_open_one_at_a_time_and_are_noted(lab, said):
    for number in (1, 2, 3, 3):
        lab.hint("row_softmax")
        assert said().count("[Hint ") == number
        assert f"{number} of 3 hints" in str(lab.progress())
    lab.hint("row_softmax")
    assert 'lab.solution("row_softmax")' in said()


def test_a_solution_comes_from_the_notebook_and_counts_as_seen(lab, said):
    lab.solution("row_softmax")
    told = said()
    assert "powers / powers.sum(dim=1, keepdim=True)" in told
    assert "###" not in told
    assert "@lab.check" not in told
    assert "solution seen" in str(lab.progress())


def test_a_solution_without_its_notebook_is_told_and_not_counted(lab, said, sample):
    (sample / "99_sample.ipynb").unlink()
    lab.solution("row_softmax")
    assert "There is no notebook of lab 99" in said()
    assert "solution seen" not in str(lab.progress())


def test_a_row_of_the_ledger_is_replaced_by_its_own_technique_only(lab, said):
    lab.ledger.add("int8", bytes=4e6, ms=2.5)
    lab.ledger.add(" int8 ", bytes=3e6, quality=0.5, note="packed")
    lab.ledger.add(technique="fp32", joules=2)
    rows = lab.ledger.rows()
    assert [(r["technique"], r["bytes"], r["ms"], r["quality"], r["joules"], r["note"]) for r in rows] == [
        ("int8", 3e6, None, 0.5, None, "packed"),
        ("fp32", None, None, None, 2.0, ""),
    ]
    assert "3 MB" in str(lab.ledger.table())
    assert "n/a" in str(lab.ledger.table())


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"technique": ""}, "name of its technique"),
        ({"technique": 3}, "name of its technique"),
        ({"technique": "x", "note": 3}, "The note is text"),
        *(
            ({"technique": "x", "ms": bad}, "`ms` is a finite number")
            for bad in (-1, math.nan, math.inf, "3", True, [1], 10**400)
        ),
        ({"technique": "x", "bytes": object()}, "`bytes` is a finite number"),
    ],
)
def test_a_row_that_makes_no_sense_gets_a_sentence_and_is_not_written(lab, said, row, told):
    lab.ledger.add(**row)
    assert told in (out := said())
    assert "Nothing was written." in out
    assert lab.ledger.rows() == []


def test_progress_counts_the_minutes_left(lab, said):
    assert lab.progress().minutes_left == 13
    lab.check(named(right))
    assert lab.progress().minutes_left == 8
    lab.check(named(stub))
    assert lab.progress().minutes_left == 8
    assert "✓ passed" in str(lab.progress())
    assert "✓ passed" in lab.progress()._repr_html_()


def test_who_comes_back_is_told_where_to_go_on(lab, said):
    Lab(99)
    assert not said()
    first, second = list(lab._checks.exercises)[:2]
    lab.check(named(right))
    said()
    Lab(99)
    assert f"You were here before. Next: `{second}`" in (told := said())
    assert first not in told


def test_a_lab_is_found_by_number_however_written(sample):
    assert Lab(99).number == Lab("99").number == "99"
    assert repr(Lab(99)) == "Lab 99: A sample"


@pytest.mark.parametrize("number", ["77", 77, "x", None, -1, "", "1000"])
def test_a_lab_that_is_none_is_one_sentence(sample, number):
    with pytest.raises(ValueError, match=r"^(There is no lab 77|A lab is named by its number)"):
        Lab(number)


def test_trouble_with_the_file_is_told_on_a_card(lab, said, own_state):
    (own_state / "course.sqlite3").parent.mkdir(parents=True, exist_ok=True)
    (own_state / "course.sqlite3").write_bytes(b"damage" * 1000)
    lab.predict("speed-up", 2)
    assert "› Your progress file\n  Your progress file was damaged; it is kept as" in said()
