"""nbgrader's autograde on the same submissions of the same exercises, on one core as it always is.

A submission holds the solved exercises of lab 00 and, because nbgrader needs them, a test cell for each. It has no
measuring cells: those cost this grader nothing, as they are never run, and nbgrader minutes.
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
from labkit.course.notebook import read_notebook, solution_of

LAB = "00"
FEW, MANY = 2, 12
_KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
Spent = dict[str, float]


def beside_nbgrader(course: Path, ours: Callable[[list[bytes], str], tuple[Any, Spent]]) -> dict[str, Any]:
    """Seconds a submission of both. nbgrader's are the slope between few and many, without what its start costs."""
    names = [f"{'few' if index < FEW else 'more'}{index:02}" for index in range(MANY)]
    paths = [course / f"submitted/{name}/ps/{LAB}_ps.ipynb" for name in names]
    for index, path in enumerate(paths):
        _write(path, index)
    _, spent = ours([path.read_bytes() for path in paths], LAB)
    found: dict[str, Any] = {"submissions": MANY, "labkit": spent}
    if importlib.util.find_spec("nbgrader") is None:
        return {**found, "nbgrader": "blocked: not installed (labkit setup --extra grading)"}
    _write(course / f"source/ps/{LAB}_ps.ipynb", -1)
    _nbgrader(course, "generate_assignment", "ps")
    few, many = (_nbgrader(course, "autograde", "ps", "--force", f"--student={who}") for who in ("few*", "*"))
    theirs = {kind: (many[kind] - few[kind]) / (MANY - FEW) for kind in few}
    return {**found, "nbgrader": theirs, "times as fast": {kind: theirs[kind] / spent[kind] for kind in theirs}}


def _nbgrader(course: Path, *arguments: str) -> Spent:
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    started, before = time.perf_counter(), _processor_seconds()
    subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env={**os.environ, "PATH": programs},
        check=True,
        capture_output=True,
    )
    return {"seconds": time.perf_counter() - started, "processor seconds": _processor_seconds() - before}


def _processor_seconds() -> float:
    """Of all children that have ended; nbgrader waits for the kernels it starts."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _write(path: Path, index: int) -> None:
    solved = read_notebook(notebook_path(LAB))
    cells = [new_code_cell(f"import math\nsubmission = {index}")]
    for name in load_checks(LAB).exercises:
        source = solution_of(solved, name).replace("@lab.check\n", "")
        cells += [_cell(name, source, is_test=False), _cell(f"test_{name}", f"assert callable({name})", is_test=True)]
    path.parent.mkdir(parents=True)
    nbformat.write(new_notebook(cells=cells, metadata=_KERNEL), path)


def _cell(name: str, source: str, is_test: bool) -> Any:
    marks = {"grade_id": name, "grade": is_test, "solution": not is_test, "locked": is_test, "task": False}
    points = {"points": 1} if is_test else {}
    return new_code_cell(source, metadata={"nbgrader": {"schema_version": 3, **marks, **points}})
