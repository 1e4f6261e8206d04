"""The code cells of whatever was handed in: any notebook format since the first, or a script exported from one.

Lenient where a notebook was damaged by hands or tools (metadata lost, cells copied or emptied, outputs cut off), and
clear where nothing can be read.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

_CELL_IN_A_SCRIPT = re.compile(r"^# ?%%.*$|^# In\[[^\]]*\]:.*$", re.MULTILINE)
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_MAGICS_OVER_PYTHON = ("capture", "prun", "time", "timeit", "trace")
_MAGIC = re.compile(r"^\s*[%!?]|^\s*get_ipython\(\)\.")


def code_cells(content: bytes) -> list[str]:
    """The sources of the code cells, in order; `ValueError` says why there are none to read."""
    text = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not text:
        raise ValueError("The file is empty.")
    if not text.startswith(b"{") and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _script_cells(content)
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"It is no notebook; it cannot be read as JSON ({str(error)[:200]}).") from None
    return [source for cell in _cells(notebook) if (source := _source(cell)).strip()]


def as_python(source: str) -> str | None:
    """A cell as plain Python that binds the same names, magics left out; None where it is no Python.

    >>> as_python("%matplotlib inline\\nx: int = 2; a, b = 1, 3")
    'x = 2\\na = 1\\nb = 3'
    """
    magic = _CELL_MAGIC.match(source)
    if magic and magic[1] not in _MAGICS_OVER_PYTHON:
        return None
    for text in (source, _without_magics(source)):
        try:
            return ast.unparse(_simpler(ast.parse(text)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested without end
            continue
    return None


def syntax_problem(source: str) -> str:
    """What Python says about a cell that is none."""
    try:
        ast.parse(_without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"{error.msg}, line {error.lineno} of the cell" if isinstance(error, SyntaxError) else str(error)
    return ""


def _cells(notebook: Any) -> list[Any]:
    """Format 4 and 1 keep cells at the top, 2 and 3 in worksheets."""
    if not isinstance(notebook, dict):
        raise ValueError("It is no notebook: its outermost part is no object.")
    sheets = notebook.get("worksheets")
    groups = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)] if isinstance(sheets, list) else []
    found = [cell for group in [notebook.get("cells"), *groups] if isinstance(group, list) for cell in group]
    if not found:
        raise ValueError("It is no notebook, or one without cells.")
    return found


def _source(cell: Any) -> str:
    """The text of a code cell: `source` in format 4, `input` in 2 and 3, `code` in 1; else nothing."""
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return ""
    source = next((cell[key] for key in ("source", "input", "code") if key in cell), "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _script_cells(content: bytes) -> list[str]:
    text = content.decode("utf-8-sig", errors="replace")
    if "\0" in text or "def " not in text:
        raise ValueError("It is neither a notebook nor a Python script.")
    return [cell for cell in _CELL_IN_A_SCRIPT.split(text) if cell.strip()]


def _without_magics(source: str) -> str:
    return "\n".join("" if _MAGIC.match(line) else line for line in source.split("\n"))


def _simpler(tree: ast.Module) -> ast.Module:
    """Literal assignments in their plainest form: no annotation, one name each."""
    tree.body = [plain for statement in tree.body for plain in _plain_assignments(statement)]
    return ast.fix_missing_locations(tree)


def _plain_assignments(statement: ast.stmt) -> list[ast.stmt]:
    if isinstance(statement, ast.AnnAssign) and statement.value is not None and isinstance(statement.target, ast.Name):
        return [ast.Assign([statement.target], statement.value, lineno=statement.lineno)]
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        names, values = statement.targets[0], statement.value
        pair = (ast.Tuple, ast.List)
        if isinstance(names, pair) and isinstance(values, pair) and len(names.elts) == len(values.elts):
            each = zip(names.elts, values.elts, strict=True)
            if all(isinstance(name, ast.Name) for name in names.elts):
                return [ast.Assign([name], value, lineno=statement.lineno) for name, value in each]
    return [statement]
