"""A lab as the source of an nbgrader assignment: the solved notebook with the cell metadata nbgrader asks for.

Written by machine, so that it is valid on every lab. An exercise is a cell with points under the exercise's name, where
`fill_gradebook` puts them; any other cell with a solution is one that a person grades. `generate_assignment` clears the
solutions itself. What it does not know of (predicted numbers, notes for the instructor) is gone already.
Source: nbgrader's documentation, "nbgrader cell metadata", schema version 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.course.catalogue import LabChecks, lab_number, lab_numbers, load_checks, notebook_path
from labkit.course.editions.learner import learner_edition
from labkit.course.manifest import write_whole
from labkit.course.notebook import exercise_names, read_notebook, regions, write_text

SCHEMA = 3
POINTS_BY_HAND = 5


def write_assignments(numbers: Sequence[str | int] | None, course: Path) -> list[Path]:
    """`COURSE/source/labNN/NOTEBOOK.ipynb` for the labs named, all when none is; what was there is replaced."""
    written = []
    for number in map(lab_number, numbers or lab_numbers()):
        source = notebook_path(number)
        target = course / "source" / f"lab{number}" / source.name
        write_whole(target, write_text(assignment(read_notebook(source), load_checks(number))))
        written.append(target)
    return written


def assignment(solved: dict[str, Any], checks: LabChecks) -> dict[str, Any]:
    """The learner edition with the solutions put back between their marks; points are the importance of an exercise,
    and 5 for a text.
    """
    made = learner_edition(solved)
    before = {cell["id"]: cell["source"] for cell in solved["cells"] if regions(cell["source"])}
    for cell in made["cells"]:
        if cell["id"] in before:
            cell["source"] = before[cell["id"]]
            cell["metadata"]["nbgrader"] = _marks(cell, checks)
    made["metadata"].setdefault("kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"})
    return made


def _marks(cell: dict[str, Any], checks: LabChecks) -> dict[str, Any]:
    """A cell with a solution is graded: an exercise by `labkit grade`, everything else by a person."""
    names = [name for name in exercise_names(cell["source"]) if name in checks.exercises]
    identifier, points = f"by-hand-{cell['id']}", POINTS_BY_HAND
    if names and cell["cell_type"] == "code":
        identifier, points = names[0], checks.exercises[names[0]].importance
    marks = {"grade": True, "solution": True, "locked": False, "task": False}
    return {"schema_version": SCHEMA, "grade_id": identifier, "points": points, **marks}
