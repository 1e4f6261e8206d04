"""Which cells need an exercise that the learner may not have written yet.

A cell needs it if it uses the function, or a name that only such a cell gives. JupyterLab's *Run all* stops at the
first error, so the learner edition tags these cells `raises-exception`: everything else in the lab then still runs.
"""

from __future__ import annotations

import ast
from typing import Any

from labkit.course.notebook import exercise_names

TAG = "raises-exception"


def tag_dependents(cells: list[dict[str, Any]]) -> None:
    """Add the tag, in place, to every code cell below an exercise that depends on it."""
    unwritten: set[str] = set()
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        exercises = set(exercise_names(cell["source"]))
        used, given = _names(cell["source"])
        if not exercises and used & unwritten:
            tags = cell["metadata"].setdefault("tags", [])
            tags += [TAG] if TAG not in tags else []
            unwritten |= given
        elif not exercises:
            unwritten -= given  # given anew by a cell that needs nothing
        unwritten |= exercises


def _names(source: str) -> tuple[set[str], set[str]]:
    """Names that a cell uses and names it gives; nothing for a cell that is not plain Python (a magic)."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set(), set()
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    given = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    given |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    given |= {a.asname or a.name.partition(".")[0] for n in imports for a in n.names}
    return used, given
