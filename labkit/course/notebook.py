"""A lab notebook as data: its exercise cells and the regions nbgrader's marks enclose.

@lab.check
def name(...):
    ### BEGIN SOLUTION
    ...
    ### END SOLUTION
"""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# In a text the marks may stand in comments, which nobody sees who reads the solved notebook.
_MARK = re.compile(
    r"^(?P<indent>[ \t]*)(#{2,4}|<!--) *(?P<edge>BEGIN|END) (?P<name>SOLUTION|HIDDEN TESTS|MARK SCHEME) *(-->)?$"
)


@dataclasses.dataclass(frozen=True)
class Region:
    """The lines between a BEGIN and its END, marks left out; `indent` is that of the BEGIN mark."""

    name: str
    indent: str
    first: int
    last: int

    def lines(self, source: str) -> list[str]:
        return source.split("\n")[self.first : self.last]


def read_notebook(path: Path) -> dict[str, Any]:
    """The notebook as nbformat's dictionary, version 4; `ValueError` names the file that is none."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is not a notebook: {error}") from None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or "cells" not in notebook:
        raise ValueError(f"{path.name} is not a notebook of format 4.")
    for cell in notebook["cells"]:
        cell["source"] = text_of(cell["source"])
    return notebook


def write_text(notebook: dict[str, Any]) -> str:
    """The notebook as the text of a file, the same text for the same notebook, as JupyterLab would write it."""
    import nbformat

    node = nbformat.from_dict(notebook)
    nbformat.validate(node)
    return nbformat.writes(node) + "\n"


def text_of(source: str | list[str]) -> str:
    """A file may hold text as a list of lines."""
    return source if isinstance(source, str) else "".join(source)


def regions(source: str, name: str = "SOLUTION") -> list[Region]:
    """The regions of one name in a cell; `ValueError` when a mark has no partner."""
    found: list[Region] = []
    opened: Region | None = None
    for number, line in enumerate(source.split("\n")):
        match = _MARK.match(line)
        if not match or match["name"] != name:
            continue
        if (match["edge"] == "BEGIN") == (opened is not None):
            raise ValueError(f"Line {number + 1}: `{line.strip()}` has no partner.")
        if match["edge"] == "BEGIN":
            opened = Region(name, match["indent"], number + 1, number + 1)
        else:
            found.append(dataclasses.replace(opened, last=number))
            opened = None
    if opened is not None:
        raise ValueError(f"Line {opened.first}: `### BEGIN {name}` has no end.")
    return found


def replace_regions(source: str, name: str, replacement: Callable[[Region], list[str]]) -> str:
    """The source with each region, its marks included, replaced by other lines."""
    lines = source.split("\n")
    for region in reversed(regions(source, name)):
        lines[region.first - 1 : region.last + 1] = replacement(region)
    return "\n".join(lines)


def exercise_names(source: str) -> list[str]:
    """The functions of a cell that carry `@lab.check`; none in a cell that is not plain Python (magics)."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _is_checked(node)]


def exercise_cells(notebook: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and cell of every exercise, in order."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            yield from ((name, cell) for name in exercise_names(cell["source"]))


def solution_of(notebook: dict[str, Any], name: str) -> str:
    """The solved function as source, without the marks and without `@lab.check`."""
    for found, cell in exercise_cells(notebook):
        if found == name:
            whole = cell["source"].split("\n")
            node = next(
                n for n in ast.walk(ast.parse(cell["source"])) if isinstance(n, ast.FunctionDef) and n.name == name
            )
            return "\n".join(
                line for line in whole[node.lineno - 1 : node.end_lineno + 1] if not _MARK.match(line)
            ).rstrip()
    raise ValueError(f"The notebook has no exercise {name!r}.")


def _is_checked(function: ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Attribute) and d.attr == "check" for d in function.decorator_list)
