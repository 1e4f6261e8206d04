"""One warm sandbox for all tests of this folder, and the means to hand exercises in."""

import dataclasses
import json
import shutil

import pytest

from labkit.course.catalogue import load_checks
from labkit.course.grading import bubblewrap
from labkit.course.grading.seed import Seed


def pytest_collection_modifyitems(items):
    """Where there is no sandbox to test, say so; that grading is refused there is tested everywhere."""
    for item in items:
        uses_it = "grading" in item.path.parts and "sandbox" in getattr(item, "fixturenames", ())
        if uses_it and (why := bubblewrap.why_not()):
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def sandbox():
    from labkit.course.grading.sandbox import Sandbox, SandboxError
    from labkit.course.grading.selftest import require_confinement

    with Sandbox() as warm:
        try:
            require_confinement(warm, [])
        except SandboxError as error:
            pytest.skip(f"no sandbox on this machine: {error}")
        yield warm


@pytest.fixture(scope="session")
def seed():
    return Seed(b"a secret of the tests alone")


@pytest.fixture(scope="session")
def exercises():
    return load_checks("00").exercises


@pytest.fixture
def impatient(monkeypatch):
    """Makes an exercise one that may take half a second, and is stopped from outside after one and a half."""
    from labkit.course.grading import questions

    def make(exercise):
        monkeypatch.setattr(questions, "limits_seconds", lambda seconds: (3, 1.5))
        return dataclasses.replace(exercise, seconds=0.25)

    return make


def notebook_of(*cells):
    """A notebook of format 4 with these code cells, as bytes."""
    frame = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    made = [{**frame, "source": cell} for cell in cells]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}).encode()


@pytest.fixture(scope="session")
def solved():
    """The sources that solve lab 00, by exercise."""
    from labkit.course.catalogue import notebook_path
    from labkit.course.extract import exercise_source
    from labkit.course.notebook import read_notebook

    notebook = read_notebook(notebook_path("00"))
    return {name: exercise_source(notebook, name) for name in load_checks("00").exercises}


@pytest.fixture
def make_notebook():
    return notebook_of


@pytest.fixture
def hand_in(tmp_path):
    """A folder to hand in to, and a seed file outside it: `hand_in("alice/00.ipynb", content)`."""

    class HandIn:
        folder = tmp_path / "in"
        seed_file = tmp_path / "seed"
        out = tmp_path / "grades"

        def __call__(self, path, content):
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            return target

    made = HandIn()
    made.folder.mkdir()
    made.seed_file.write_text("0123456789abcdef0123456789abcdef\n")
    yield made
    shutil.rmtree(made.out, ignore_errors=True)
