"""The timed proof of this room: seconds a submission, beside nbgrader's on the same submissions of the same exercises.

A submission holds the solved exercises of lab 00 and, because nbgrader needs them, a test cell for each. It has no
measuring cells: those cost this grader nothing, as they are never run, and nbgrader minutes.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from labkit.course.catalogue import load_checks, notebook_path
from labkit.course.grading.crew import usable_cores
from labkit.course.grading.run import grade_folder
from labkit.course.grading.sandbox import SandboxError
from labkit.course.notebook import read_notebook, solution_of

LAB = "00"
FEW, MANY = 4, 24
_KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def bench(out: Path) -> dict[str, Any]:
    """Plain data for JSON. Seconds a submission are the slope between a few and many, without what a start costs."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        course = Path(folder)
        for index in range(MANY):
            _write(course / f"submitted/s{index:02}/ps/{LAB}_ps.ipynb", index)
        found: dict[str, Any] = {"workers": usable_cores(), "submissions": [FEW, MANY]}
        try:
            ours = [_ours(course, count) for count in (FEW, MANY)]
        except SandboxError as error:
            return {**found, "labkit": f"blocked: {error}"}
        found["labkit seconds a submission"] = _slope(ours)
        if importlib.util.find_spec("nbgrader") is None:
            return {**found, "nbgrader": "blocked: not installed (labkit setup --extra grading)"}
        _write(course / f"source/ps/{LAB}_ps.ipynb", -1)
        _nbgrader(course, "generate_assignment", "ps")
        theirs = [_nbgrader(course, "autograde", "ps", "--force", f"--student=s{digit}*") for digit in (0, "")]
    tens = sum(index < 10 for index in range(MANY))
    found["nbgrader seconds a submission"] = (theirs[1] - theirs[0]) / (MANY - tens)
    found["times as fast"] = found["nbgrader seconds a submission"] / found["labkit seconds a submission"]
    return found


def _ours(course: Path, count: int) -> float:
    few = course / f"few{count}"
    few.mkdir()
    for index in range(count):
        (few / f"s{index:02}").mkdir()
        source = course / f"submitted/s{index:02}/ps/{LAB}_ps.ipynb"
        (few / f"s{index:02}" / source.name).write_bytes(source.read_bytes())
    seed = course / "seed"
    seed.write_text("no secret at all, a bench")
    started = time.perf_counter()
    grade_folder(few, seed, course / f"grades{count}", lab=LAB)
    return time.perf_counter() - started


def _slope(seconds: list[float]) -> float:
    return (seconds[1] - seconds[0]) / (MANY - FEW)


def _nbgrader(course: Path, *arguments: str) -> float:
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env={**os.environ, "PATH": programs},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started


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
