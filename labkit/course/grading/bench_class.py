"""A whole class: several labs, known misconceptions, a few submissions that mean harm, a kill in the middle.

Who made which mistake is known, so that besides the seconds it is counted what was lost, graded twice or misjudged.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from labkit.course.catalogue import load_checks, notebook_path
from labkit.course.exercise import Exercise
from labkit.course.extract import exercise_sources
from labkit.course.notebook import read_notebook
from labkit.course.oracle import OracleJudge

LABS = ("00", "01", "02", "03", "06")
_MOST_MISTAKES = 3
_HARM = ("while True: pass", "import os; os._exit(0)", "import os; [os.fork() for _ in range(9)]; return 0")
_EVERY = 30
"""One submission in so many means harm."""


def grade_a_class(folder: Path, count: int) -> dict[str, Any]:
    """`labkit grade` on `count` notebooks, killed when half of them are graded, and once more to the end."""
    planted = {student: _hand_in(folder / "in", student, index) for index, student in enumerate(_students(count))}
    (folder / "seed").write_text("no secret at all, a bench")
    command = [sys.executable, "-m", "labkit", "grade", str(folder / "in"), "--seed-file", str(folder / "seed")]
    command += ["--out", str(folder / "out")]
    started = time.perf_counter()
    before = _killed_at(command, folder / "out" / "submissions", count // 2)
    killed = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    ended = time.perf_counter()
    grades = [json.loads(path.read_text()) for path in sorted((folder / "out" / "submissions").glob("*.json"))]
    return {
        "submissions": count,
        "labs": len(LABS),
        "seconds to the kill": killed - started,
        "seconds after it": ended - killed,
        "graded before the kill": len(before),
        "graded twice": sum(path.stat().st_mtime_ns != written for path, written in before.items()),
        "lost": count - len({grade["student"] for grade in grades}),
        "misjudged": [line for grade in grades for line in _misjudged(grade, planted[grade["student"]])],
        "right and out of time": sum(_out_of_time(grade, planted[grade["student"]]) for grade in grades),
        "lost exercises": sum(e["status"] != "passed" for grade in grades for e in grade["exercises"]),
        "misconceptions recognised": sum(bool(e["misconception"]) for grade in grades for e in grade["exercises"]),
    }


def mistakes(exercise: Exercise) -> list[str]:
    """What learners get wrong, as source: the misconceptions of the check that are one expression in itself."""
    known = exercise.judge.misconceptions if isinstance(exercise.judge, OracleJudge) else ()
    found = [_expression(misconception.wrong) for misconception in known if misconception.wrong is not None]
    return [_function(exercise.name, node) for node in found if node is not None]


def _misjudged(grade: dict[str, Any], planted: set[str]) -> list[str]:
    """Exercises with points that they do not deserve, or without those that they do; running out of time is neither."""
    return [
        f"{grade['student']}: {e['exercise']} {e['status']}"
        for e in grade["exercises"]
        if (e["status"] == "passed") == (e["exercise"] in planted) and e["status"] != "timeout"
    ]


def _out_of_time(grade: dict[str, Any], planted: set[str]) -> int:
    """Right exercises for which the machine, busy or slow, had no time."""
    return sum(e["status"] == "timeout" and e["exercise"] not in planted for e in grade["exercises"])


def _students(count: int) -> list[str]:
    return [f"student{index:03}" for index in range(count)]


def _hand_in(folder: Path, student: str, index: int) -> set[str]:
    """Write the notebook of a student; returns the exercises that are wrong in it."""
    lab, rng = LABS[index % len(LABS)], random.Random(index)
    solutions, wrong = _solutions(lab), _mistakes_in(lab)
    chosen = rng.sample(sorted(wrong), min(rng.randint(0, _MOST_MISTAKES), len(wrong)))
    planted = {name: rng.choice(wrong[name]) for name in chosen}
    if index % _EVERY == _EVERY - 1:
        name = rng.choice(sorted(solutions))
        planted[name] = f"def {name}(*_):\n    {_HARM[index // _EVERY % len(_HARM)]}\n"
    # Last, for a solution brings along what it calls, and the last definition of a name counts.
    cells = [f"handed_in_by = {student!r}", *solutions.values(), *planted.values(), "measure_for_ever()"]
    path = folder / student / notebook_path(lab).name
    path.parent.mkdir(parents=True)
    made = [{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": 1, "source": c} for c in cells]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}))
    return set(planted)


@functools.cache
def _solutions(lab: str) -> dict[str, str]:
    return exercise_sources(read_notebook(notebook_path(lab)), load_checks(lab).exercises)


@functools.cache
def _mistakes_in(lab: str) -> dict[str, list[str]]:
    return {name: made for name, exercise in load_checks(lab).exercises.items() if (made := mistakes(exercise))}


def _killed_at(command: list[str], journal: Path, half: int) -> dict[Path, int]:
    """Starts it and kills it once `half` of the grades are there; when each of those was written."""
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while run.poll() is None and len(list(journal.glob("*.json"))) < half:
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    return {path: path.stat().st_mtime_ns for path in journal.glob("*.json")}


def _expression(function: Any) -> ast.Lambda | None:
    """The lambda expression of a function that needs nothing around it but `math`; None for any other."""
    code = function.__code__
    if code.co_name != "<lambda>" or code.co_freevars:
        return None
    nodes = ast.walk(ast.parse(Path(inspect.getsourcefile(function)).read_text(encoding="utf-8")))
    place = (code.co_firstlineno, *itertools.islice(code.co_varnames, code.co_argcount))
    for node in nodes:
        if isinstance(node, ast.Lambda) and (node.lineno, *(a.arg for a in node.args.args)) == place:
            names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            return node if names & set(function.__globals__) <= {"math"} else None
    return None


def _function(name: str, node: ast.Lambda) -> str:
    return f"import math\n\n\ndef {name}({ast.unparse(node.args)}):\n    return {ast.unparse(node.body)}\n"
