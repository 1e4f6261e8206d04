"""The instructor edition: solved and executed as it is, with a folded note below each exercise."""

from __future__ import annotations

import copy
from typing import Any

from labkit.course.catalogue import load_checks
from labkit.course.editions.self_study import folded
from labkit.course.exercise import Exercise
from labkit.course.messages import rating
from labkit.course.notebook import exercise_names
from labkit.course.oracle import OracleJudge


def instructor_edition(notebook: dict[str, Any], number: str) -> dict[str, Any]:
    """`number` says which lab's checks are meant. Cells tagged `instructor` in the source stay only in this edition."""
    exercises = load_checks(number).exercises
    made = copy.deepcopy(notebook)
    cells: list[dict[str, Any]] = []
    for cell in made["cells"]:
        cells.append(cell)
        if cell["cell_type"] == "code":
            cells += [_note(exercises[name]) for name in exercise_names(cell["source"]) if name in exercises]
    made["cells"] = cells
    return made


def _note(exercise: Exercise) -> dict[str, Any]:
    lines = [f"{rating(exercise).capitalize()}."]
    if isinstance(exercise.judge, OracleJudge) and exercise.judge.misconceptions:
        lines += ["", "Mistakes the check recognises:", ""]
        lines += [f"- {misconception.says}" for misconception in exercise.judge.misconceptions]
    lines += ["", "Hints:", "", *(f"{n}. {hint}" for n, hint in enumerate(exercise.hints, 1))]
    return folded(f"{exercise.name}-note", f"For the instructor: <code>{exercise.name}</code>", "\n".join(lines))
