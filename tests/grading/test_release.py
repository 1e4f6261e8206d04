"""What goes out to a class: no solution in it, the same bytes each time, and an assignment that nbgrader takes."""

import argparse
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from labkit.cli import release as command
from labkit.course.catalogue import load_checks, notebook_path
from labkit.course.editions.leaks import leaks
from labkit.course.grading import release as releasing
from labkit.course.grading.assignment import POINTS_BY_HAND, write_assignments
from labkit.course.grading.release import LeakError, release
from labkit.course.notebook import exercise_cells, read_notebook


def bytes_in(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_both_forms_hold_the_same_notebook_without_a_solution(tmp_path):
    made = release(["0"], tmp_path)
    (notebook,), (archive,) = made.notebooks, made.archives
    with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as opened:
        assert opened.namelist() == [notebook_path("00").name]
        assert opened.read(notebook.name) == notebook.read_bytes()
    solved = read_notebook(notebook_path("00"))
    assert leaks(solved, solved)
    assert not leaks(solved, json.loads(notebook.read_text()))
    assert str(notebook) in str(made)


def test_the_same_course_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        release(["00"], tmp_path / name)
    assert bytes_in(tmp_path / "a") == bytes_in(tmp_path / "b")


def test_nothing_is_written_when_a_solution_leaks(tmp_path, monkeypatch):
    monkeypatch.setattr(releasing, "make_edition", lambda solved, edition, number: solved)
    with pytest.raises(LeakError, match=r"Nothing was released\. In 00_your_machine\.ipynb"):
        release(["00"], tmp_path)
    assert not bytes_in(tmp_path)


def test_the_command(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    given = ["00", "--out", str(tmp_path / "out"), "--nbgrader", str(tmp_path / "course")]
    assert command.run(parser.parse_args(given)) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 3
    assert all(Path(line.partition(": ")[0]).is_file() for line in told)
    with pytest.raises(ValueError, match="named by its number"):
        release(["zero"], tmp_path)


@pytest.mark.slow
def test_nbgrader_generates_the_assignment(tmp_path):
    """nbgrader validates the metadata, clears the solutions, and knows each exercise by its name and points.

    The one answer in the learner's own words is a cell that a person grades.
    """
    api = pytest.importorskip("nbgrader.api")
    (source,) = write_assignments(["00"], tmp_path)
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(
        [sys.executable, "-m", "nbgrader", "generate_assignment", "lab00"],
        cwd=tmp_path, check=True, env={**os.environ, "PATH": programs}, capture_output=True,
    )  # fmt: skip
    made = read_notebook(tmp_path / "release" / "lab00" / source.name)
    solved = read_notebook(notebook_path("00"))
    assert not leaks(solved, made)
    exercises = load_checks("00").exercises
    assert {name for name, _ in exercise_cells(made)} == set(exercises)
    with api.Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as gradebook:
        cells = {cell.name: cell.max_score for cell in gradebook.find_notebook(source.stem, "lab00").grade_cells}
    by_hand = {"by-hand-in-your-words": POINTS_BY_HAND}
    assert cells == {name: exercise.importance for name, exercise in exercises.items()} | by_hand
