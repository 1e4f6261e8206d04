"""Cuts a submission into exercises: for each, the source that defines it and nothing else; measuring cells never run.

Reading hostile text is work for the sandbox too: a notebook made to break a parser breaks this process alone.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from labkit.course.extract import exercise_sources
from labkit.course.grading.inside.cells import as_python, code_cells, syntax_problem


def cut(content: bytes, labs: dict[str, list[str]]) -> dict[str, Any]:
    """`labs` holds the exercise names of each lab that it may be. Plain data:

    `lab`: the number of the lab most of whose exercises are here, None when there is none; `sources`: by exercise;
    `absent`: by exercise, why there is no source; `left_out`: by exercise, the names it uses that only a measuring
    cell gives; `problem`: why the file cannot be read at all, or "".
    """
    try:
        cells = code_cells(content)
    except ValueError as error:
        return {"lab": None, "sources": {}, "absent": {}, "left_out": {}, "problem": str(error)}
    plain = [(cell, as_python(cell)) for cell in cells]
    notebook = {"cells": [{"cell_type": "code", "source": text} for _, text in plain if text is not None]}
    broken = [cell for cell, text in plain if text is None]
    lab, found = _best_lab(notebook, broken, labs)
    stored = {name for cell in notebook["cells"] for name in _stored(ast.parse(cell["source"]))}
    sources = {name: source for name, source in found.items() if source is not None}
    return {
        "lab": lab,
        "sources": sources,
        "absent": {name: _why_absent(name, broken) for name, source in found.items() if source is None},
        "left_out": {name: sorted(_lacking(source) & stored) for name, source in sources.items()},
        "problem": "",
    }


def _best_lab(notebook: dict, broken: list[str], labs: dict[str, list[str]]) -> tuple[str | None, dict[str, Any]]:
    best: tuple[int, str | None, dict[str, str | None]] = (0, None, {})
    sources = exercise_sources(notebook, {name for names in labs.values() for name in names})
    for number, names in sorted(labs.items()):
        found = {name: sources.get(name) for name in names}
        here = sum(source is not None or _mentions(name, broken) for name, source in found.items())
        if here > best[0] or len(labs) == 1:
            best = (here, number, found)
    return best[1], best[2]


def _mentions(name: str, cells: list[str]) -> bool:
    return any(re.search(rf"\bdef\s+{name}\b", cell) for cell in cells)


def _why_absent(name: str, broken: list[str]) -> str:
    for cell in broken:
        if _mentions(name, [cell]):
            return f"The cell that defines it is no valid Python: {syntax_problem(cell)}."
    return f"No cell defines a function `{name}`."


def _lacking(source: str) -> set[str]:
    """The names a source uses and does not give."""
    tree = ast.parse(source)
    given = _stored(tree) | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    given |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    given |= {alias.asname or alias.name.partition(".")[0] for node in imports for alias in node.names}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)} - given


def _stored(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
