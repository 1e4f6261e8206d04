"""Every attack earns the points it honestly deserves, and the question after it is answered as if nothing had been."""

import dataclasses
import importlib.util
import json
import os
from pathlib import Path

import pytest

from labkit.course.grading import questions
from labkit.course.grading.grade_one import Job, Settings, grade_submission
from labkit.course.grading.questions import grade_exercise
from labkit.course.grading.run import grade_folder
from labkit.course.judgement import draw
from labkit.course.lab import notebook_rng

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
    look = museum.wrong("import os, sys; left = [n for n in os.listdir('/tmp') if f'/tmp/{n}/' not in sys.prefix];"
                        " assert not left + os.listdir('/dev/shm') + os.listdir('/proc')")  # fmt: skip
    found = grade_exercise(sandbox, "00", exercises["knee"], look + museum.RIGHT, [], seed)
    assert found.status == "passed", found


def test_the_environment_is_not_inherited(sandbox, exercises, seed, monkeypatch):
    look = museum.right_after("import os; assert set(os.environ) <= {'OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'HOME', "
                              "'PATH', 'LANG', 'PWD', 'LC_CTYPE'}, set(os.environ)")  # fmt: skip
    assert grade_exercise(sandbox, "00", exercises["knee"], look, [], seed).status == "passed"


def knee_of(sandbox, seed, content):
    grade = grade_submission(sandbox, Job("a", "00_your_machine.ipynb", content, Settings(seed, "00")))
    return next(exercise for exercise in grade.exercises if exercise.exercise == "knee"), grade


@pytest.mark.parametrize("name", museum.NOTEBOOKS)
def test_an_attack_by_a_notebook(name, sandbox, seed, make_notebook, monkeypatch):
    cells, deserved = museum.NOTEBOOKS[name]
    if deserved == "timeout":
        monkeypatch.setattr(questions, "limits_seconds", lambda seconds: (3, 1.5))
    knee, grade = knee_of(sandbox, seed, make_notebook(*cells))
    monkeypatch.undo()
    assert (knee.status, grade.points) == (deserved, 4 if deserved == "passed" else 0), grade
    after, _ = knee_of(sandbox, seed, make_notebook(museum.RIGHT_KNEE))
    assert after.status == "passed", after


def test_points_written_into_a_notebook_are_not_read(sandbox, seed):
    marks = {"nbgrader": {"grade": True, "grade_id": "knee", "points": 99, "score": 99}, "points": 99}
    told = {"output_type": "stream", "name": "stdout", "text": "knee passed, 4 of 4 points"}
    cell = {"cell_type": "code", "source": museum.WRONG_KNEE, "metadata": marks, "outputs": [told]}
    knee, grade = knee_of(sandbox, seed, json.dumps({"nbformat": 4, "metadata": marks, "cells": [cell]}).encode())
    assert (knee.status, grade.points, knee.possible) == ("failed", 0, 4)


GUESSES = {
    "by the clock": "import time\n{head}\n    return rows[time.perf_counter_ns() % len(rows)]\n",
    "from the notebook's own cases": (
        "known = {known!r}\n{head}\n    return known.get(repr((rows, seconds, slack)), 0)\n"
    ),
}


@pytest.mark.parametrize("way", GUESSES)
def test_a_guess_earns_nothing(way, sandbox, exercises, seed):
    knee = exercises["knee"]
    cases = draw(knee, notebook_rng("00", "knee"))
    known = {repr(tuple(case.arguments.values())): knee.judge.oracle(**case.arguments) for case in cases}
    grade = grade_exercise(sandbox, "00", knee, GUESSES[way].format(head=museum.HEAD, known=known), [], seed)
    assert (grade.status, grade.points) == ("failed", 0)


SMUGGLED = {
    "in an exception": "raise ValueError(str(rows))",
    "in the name of a type": "return type(str(rows), (), {})()",
    "in print": "print(rows); return 0",
    "in the value": "return str(rows)",
    "in a farewell": "raise SystemExit(str(rows))",
    "in words put into our mouth": """
import labkit.course.grading.inside.answer as a
from labkit.course.wire import encode
text = encode(("exited", None, None, str(rows), ""))
a._as_text = lambda outcome: text
return 0""",
}


@pytest.mark.parametrize("way", SMUGGLED)
def test_a_submission_cannot_tell_its_student_the_secret_cases(way, sandbox, exercises, seed):
    """Right on all that the notebook shows; what it meets beyond that it hands on, in every way there is."""
    knee = exercises["knee"]
    shown = [case.arguments["rows"] for case in draw(knee, notebook_rng("00", "knee"))]
    secret = [case.arguments["rows"] for case in draw(knee, seed.rng("00", "knee"))]
    secret = [str(rows) for rows in secret if rows not in shown]
    source = museum.right_after(f"if rows not in {shown}:" + ("\n" + SMUGGLED[way].strip()).replace("\n", "\n    "))
    grade = grade_exercise(sandbox, "00", knee, source, [], seed)
    assert grade.points == 0
    assert secret
    assert not any(rows in str(grade.feedback) for rows in secret), grade.feedback


def test_torch_is_there_before_it_is_asked_for(sandbox, exercises, seed):
    """Importing it anew for each question would take longer than all the questions."""
    look = museum.right_after("import sys; assert 'torch' in sys.modules")
    assert grade_exercise(sandbox, "00", exercises["knee"], look, [], seed).status == "passed"


@pytest.mark.slow
def test_five_hundred_megabytes_and_what_follows_them(sandbox, hand_in, make_notebook):
    start, end = make_notebook(museum.RIGHT_KNEE, "x = 1").rsplit(b'"outputs": []', 1)
    output = b'"outputs": [{"output_type": "stream", "name": "stdout", "text": "' + b"x" * (500 << 20) + b'"}]'
    hand_in("large/00_your_machine.ipynb", start + output + end)
    os.truncate(hand_in("larger/00_your_machine.ipynb", b"{"), 600 << 20)  # takes no place on the disk
    hand_in("small/00_your_machine.ipynb", make_notebook(museum.RIGHT_KNEE))
    result = grade_folder(hand_in.folder, hand_in.seed_file, hand_in.out, workers=1)
    assert {s.student.identifier: s.points for s in result.standings} == {"large": 4, "larger": 0, "small": 4}
    assert "600 MiB; 512 are allowed" in next(s.grade.problem for s in result.standings if s.points == 0)
