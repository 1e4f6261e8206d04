"""The part of a notebook one exercise needs: imports, definitions and literal assignments, followed name by name.

Measuring cells are never part of it, so an exercise can be run alone: by the tests on the solved notebook, by the
grader on a learner's. Where a name is bound more than once the last binding counts, as after running all cells.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from labkit.course.notebook import text_of


def exercise_source(notebook: dict[str, Any], name: str) -> str:
    """Python source that defines `name` and what it needs, without decorators; `ValueError` when it is not there."""
    found = exercise_sources(notebook, [name])
    if name not in found:
        raise ValueError(f"The notebook defines no function {name!r}.")
    return found[name]


def exercise_sources(notebook: dict[str, Any], names: Iterable[str]) -> dict[str, str]:
    """The same for several names, in one reading of the notebook; those that are not there are left out."""
    bindings = _bindings(notebook)
    return {name: _source(bindings, name) for name in names if isinstance(bindings.get(name), ast.FunctionDef)}


def _source(bindings: dict[str, ast.stmt], name: str) -> str:
    needed: dict[int, ast.stmt] = {}
    waiting = [name]
    while waiting:
        statement = bindings.get(waiting.pop())
        if statement is not None and id(statement) not in needed:
            needed[id(statement)] = statement
            waiting += [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    ordered = [statement for statement in dict.fromkeys(bindings.values()) if id(statement) in needed]
    ordered.sort(key=lambda s: not isinstance(s, ast.Import | ast.ImportFrom))
    return "\n\n".join(map(ast.unparse, ordered)) + "\n"


def _bindings(notebook: dict[str, Any]) -> dict[str, ast.stmt]:
    """Top-level names and the statement that binds each."""
    found: dict[str, ast.stmt] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            for statement in _statements(text_of(cell["source"])):
                for name in _bound_by(statement):
                    found.pop(name, None)  # keep the order of the last bindings
                    found[name] = statement
    return found


def _statements(source: str) -> list[ast.stmt]:
    """A line that starts with `%` may be the second half of a division, so magics are blanked only where the cell is no
    Python with them.
    """
    for text in (source, _without_magics(source)):
        try:
            return ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested without end
            continue
    return []


def _without_magics(source: str) -> str:
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n"))


def _bound_by(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        if isinstance(statement, ast.FunctionDef):
            statement.decorator_list = [d for d in statement.decorator_list if not _is_check(d)]
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in statement.names]
    if isinstance(statement, ast.Assign) and _is_literal(statement.value):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return []


def _is_check(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Attribute) and decorator.attr == "check"


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
