"""The learner edition: stubs for solutions, dots for predicted numbers, no outputs, no notes for the instructor."""

from __future__ import annotations

import ast
import copy
from typing import Any

from labkit.course.editions.dependents import tag_dependents
from labkit.course.notebook import Region, regions, replace_regions

INSTRUCTOR_TAG = "instructor"


def learner_edition(notebook: dict[str, Any]) -> dict[str, Any]:
    """nbgrader's metadata stays as it is, so the result is also a release version of an nbgrader assignment."""
    made = copy.deepcopy(notebook)
    made["cells"] = [_learner_cell(cell) for cell in made["cells"] if not has_tag(cell, INSTRUCTOR_TAG)]
    tag_dependents(made["cells"])
    made["metadata"].pop("widgets", None)  # saved widget states may hold what a solution printed
    return made


def has_tag(cell: dict[str, Any], tag: str) -> bool:
    return tag in cell.get("metadata", {}).get("tags", [])


def _learner_cell(cell: dict[str, Any]) -> dict[str, Any]:
    source = cell["source"]
    for name in ("HIDDEN TESTS", "MARK SCHEME"):
        source = replace_regions(source, name, lambda region: [])
    if cell["cell_type"] == "code":
        cell["outputs"], cell["execution_count"] = [], None
        cell["metadata"].pop("execution", None)
        source = replace_regions(_without_predictions(source), "SOLUTION", lambda region: [_stub(source, region)])
    elif regions(source):
        source = replace_regions(source, "SOLUTION", lambda region: ["*Your answer here.*"])
        cell.pop("attachments", None)  # what the answer showed
    cell["source"] = source
    return cell


def _stub(source: str, region: Region) -> str:
    """Inside a function the stub raises; at the top of a cell it must let the notebook run on."""
    if region.indent:
        return f"{region.indent}raise NotImplementedError"
    return "...  # your code here"


def _without_predictions(source: str) -> str:
    """`lab.predict("name", 120)` becomes `lab.predict("name", ...)`: the author's number would be an anchor."""
    if ".predict(" not in source:
        return source
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    lines = source.encode().split(b"\n")  # ast counts columns in bytes
    for value in sorted(_predicted_values(tree), key=lambda node: (node.lineno, node.col_offset), reverse=True):
        head, tail = lines[value.lineno - 1][: value.col_offset], lines[value.end_lineno - 1][value.end_col_offset :]
        lines[value.lineno - 1 : value.end_lineno] = [head + b"..." + tail]
    return b"\n".join(lines).decode()


def _predicted_values(tree: ast.AST) -> list[ast.expr]:
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "predict"
        and isinstance(node.func.value, ast.Name) and node.func.value.id == "lab"
    ]  # fmt: skip
    by_position = [call.args[1] for call in calls if len(call.args) > 1]
    return by_position + [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "value"]
