"""nbgrader's autograde on the same submissions, on one core as it always is.

Twice: lab 00 as a learner hands it in, of which nbgrader runs every cell and this grader the exercises only; and its
solved exercises alone, where both run the same code and what is left is the price of a kernel against a forked worker.
Because nbgrader needs one, a test cell follows each exercise.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from labkit.course.catalogue import load_checks, notebook_path
from labkit.course.notebook import exercise_names, read_notebook, solution_of

LAB = "00"
TIMEOUT = 600
"""Seconds nbgrader gives a cell; its own 30 are too few for those that measure a machine."""
_KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
Spent = dict[str, float]
Ours = Callable[[list[bytes], str], tuple[Any, Spent]]


def beside_nbgrader(course: Path, ours: Ours) -> dict[str, Any]:
    """Seconds a submission of both, for each of `KINDS`."""
    return {kind: _race(course / kind, ours, *how) for kind, how in KINDS.items()}


def _race(course: Path, ours: Ours, cells: Callable[[], list[Any]], few: int, many: int) -> dict[str, Any]:
    """nbgrader's seconds are the slope between few and many submissions, without what its start costs."""
    names = [f"{'few' if index < few else 'more'}{index:02}" for index in range(many)]
    paths = [course / f"submitted/{name}/ps/{LAB}_ps.ipynb" for name in names]
    for index, path in enumerate(paths):
        _write(path, cells(), index)
    _, spent = ours([path.read_bytes() for path in paths], LAB)
    found: dict[str, Any] = {"submissions": many, "labkit": spent}
    if importlib.util.find_spec("nbgrader") is None:
        return {**found, "nbgrader": "blocked: not installed (labkit setup --extra grading)"}
    _write(course / f"source/ps/{LAB}_ps.ipynb", cells(), -1)
    _nbgrader(course, "generate_assignment", "ps")
    autograde = ("autograde", "ps", "--force", f"--Execute.timeout={TIMEOUT}")
    less, more = (_nbgrader(course, *autograde, f"--student={who}") for who in ("few*", "*"))
    theirs = {kind: (more[kind] - less[kind]) / (many - few) for kind in less}
    return {**found, "nbgrader": theirs, "times as fast": {kind: theirs[kind] / spent[kind] for kind in theirs}}


def _nbgrader(course: Path, *arguments: str) -> Spent:
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    state = {"LABKIT_STATE": str(course / "state"), "LABKIT_STATIC": "1"}  # what a lab writes down is not the machine's
    started, before = time.perf_counter(), _processor_seconds()
    subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env={**os.environ, **state, "PATH": programs},
        check=True,
        capture_output=True,
    )
    return {"seconds": time.perf_counter() - started, "processor seconds": _processor_seconds() - before}


def _processor_seconds() -> float:
    """Of all children that have ended; nbgrader waits for the kernels it starts."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _write(path: Path, cells: list[Any], index: int) -> None:
    """A submission like the others but for its number, so that no grader takes it for one that it knows."""
    path.parent.mkdir(parents=True)
    cells = [new_code_cell(f"import math\nsubmission = {index}"), *cells]
    nbformat.write(new_notebook(cells=cells, metadata=_KERNEL), path)


def _as_handed_in() -> list[Any]:
    """All code of the solved lab."""
    sources = [cell["source"] for cell in read_notebook(notebook_path(LAB))["cells"] if cell["cell_type"] == "code"]
    named = [(next(iter(exercise_names(source)), None), source) for source in sources]
    pairs = [_exercise(name, source) if name else [new_code_cell(source)] for name, source in named]
    return [cell for pair in pairs for cell in pair]


def _exercises_alone() -> list[Any]:
    solved = read_notebook(notebook_path(LAB))
    pairs = [_exercise(n, solution_of(solved, n)) for n in load_checks(LAB).exercises]
    return [cell for pair in pairs for cell in pair]


def _exercise(name: str, source: str) -> list[Any]:
    return [
        _marked(source, name, grade=False),
        _marked(f"assert callable({name})", f"test_{name}", grade=True, points=1),
    ]


def _marked(source: str, name: str, grade: bool, **more: Any) -> Any:
    marks = {"grade_id": name, "grade": grade, "solution": not grade, "locked": grade, "task": False, **more}
    return new_code_cell(source, metadata={"nbgrader": {"schema_version": 3, **marks}})


KINDS = {"as handed in": (_as_handed_in, 1, 2), "the exercises alone": (_exercises_alone, 2, 12)}
"""What makes the cells of a submission, and how many submissions are few and many."""
