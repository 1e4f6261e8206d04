"""The part of a notebook that an exercise needs, whatever stands around it."""

import ast

import pytest

from labkit.course import extract
from labkit.course.extract import exercise_source, exercise_sources


def notebook(*sources):
    return {"cells": [{"cell_type": "code", "source": source} for source in sources]}


def run(source, name="f"):
    namespace = {}
    exec(source, namespace)
    return namespace[name]


def test_a_remainder_at_the_start_of_a_line_is_no_magic():
    cell = "def f(x):\n    return (x + 7\n        % 4)\n"
    assert run(exercise_source(notebook(cell), "f"))(0) == 3
    text = 'def f():\n    return """\n%time\n!ls\n"""\n'
    assert run(exercise_source(notebook(text), "f"))() == "\n%time\n!ls\n"


def test_magics_are_left_out():
    cell = "%matplotlib inline\n!ls\ndef f():\n    return 1\n"
    assert run(exercise_source(notebook(cell), "f"))() == 1


@pytest.mark.parametrize("cell", ["def f(:", "\0", "(" * 5000, "-" * 100_000 + "1", "x = " + "[" * 300 + "]" * 300])
def test_a_cell_that_is_no_python_costs_only_itself(cell):
    assert run(exercise_source(notebook(cell, "def f():\n    return 2"), "f"))() == 2


def test_a_notebook_is_read_once_for_all_of_its_exercises(monkeypatch):
    read = []
    monkeypatch.setattr(extract.ast, "parse", lambda text, parse=ast.parse: read.append(text) or parse(text))
    names = [f"f{index}" for index in range(9)]
    made = notebook(*(f"def {name}():\n    return {name!r}" for name in names))
    found = exercise_sources(made, [*names, "absent"])
    assert list(found) == names
    assert len(read) == len(names)
    assert all(run(found[name], name)() == name for name in names)
