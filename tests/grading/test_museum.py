"""Every attack earns the points it honestly deserves, and the question after it is answered as if nothing had been."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest

from labkit.course.grading import questions
from labkit.course.grading.questions import grade_exercise

_spec = importlib.util.spec_from_file_location("museum", Path(__file__).parent / "museum.py")
museum = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(museum)

PIECES = [(f"{room}: {name}", *piece) for room, pieces in museum.ROOMS.items() for name, piece in pieces.items()]


@pytest.mark.parametrize(("source", "deserved"), [p[1:] for p in PIECES], ids=[p[0] for p in PIECES])
def test_an_attack(source, deserved, sandbox, exercises, seed, solved, impatient, monkeypatch):
    monkeypatch.setattr(questions, "MEMORY", 400 << 20)
    worker = sandbox._process
    is_endless = source in (piece for piece, _ in museum.NEVER_ENDS.values())
    exercise = dataclasses.replace(exercises["knee"], cases=lambda rng: exercises["knee"].cases(rng)[:10:3])
    exercise = impatient(exercise) if is_endless else exercise
    grade = grade_exercise(sandbox, "00", exercise, source, [], seed)
    monkeypatch.undo()
    assert grade.status == deserved if deserved else grade.status != "passed", grade
    assert grade.points == (4 if grade.status == "passed" else 0)
    assert sandbox._process is worker, "it reached the worker outside its room"
    after = grade_exercise(sandbox, "00", exercises["attainable"], solved["attainable"], [], seed)
    assert after.status == "passed", after


def test_an_honest_answer_passes(sandbox, exercises, seed):
    grade = grade_exercise(sandbox, "00", exercises["knee"], museum.HEAD + museum.RIGHT, [], seed)
    assert (grade.status, grade.points) == ("passed", 4)


def test_nothing_is_left_for_the_next_question(sandbox, exercises, seed):
    litter, _ = museum.LEAVES_BEHIND["a daemon and its files"]
    grade_exercise(sandbox, "00", exercises["knee"], litter, [], seed)
    look = museum.wrong("import os; assert not os.listdir('/tmp') + os.listdir('/dev/shm') + os.listdir('/proc')")
    found = grade_exercise(sandbox, "00", exercises["knee"], look + museum.RIGHT, [], seed)
    assert found.status == "passed", found


def test_the_environment_is_not_inherited(sandbox, exercises, seed, monkeypatch):
    look = museum.right_after("import os; assert set(os.environ) <= {'OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'HOME', "
                              "'PATH', 'LANG', 'PWD', 'LC_CTYPE'}, set(os.environ)")  # fmt: skip
    assert grade_exercise(sandbox, "00", exercises["knee"], look, [], seed).status == "passed"
