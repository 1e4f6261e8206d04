"""The self-study edition: the learner's, with the solution folded below each exercise, one click away.

A folded text and not a folded code cell, which *Run all* would run and so pass the exercise for the learner.
"""

from __future__ import annotations

from typing import Any

from labkit.course.editions.learner import learner_edition
from labkit.course.notebook import exercise_names, solution_of


def self_study_edition(notebook: dict[str, Any]) -> dict[str, Any]:
    made = learner_edition(notebook)
    cells: list[dict[str, Any]] = []
    for cell in made["cells"]:
        cells.append(cell)
        if cell["cell_type"] == "code":
            cells += [_solution(notebook, name) for name in exercise_names(cell["source"])]
    made["cells"] = cells
    return made


def _solution(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    code = f"```python\n{solution_of(notebook, name)}\n```"
    return folded(f"{name}-solution", f"Solution of <code>{name}</code>", code)


def folded(identity: str, summary: str, body: str) -> dict[str, Any]:
    """A text cell that opens by a click or by Enter. Blank lines around the body let Markdown into the HTML."""
    source = f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"
    return {
        "cell_type": "markdown",
        "id": "".join(c if c.isalnum() or c == "-" else "-" for c in identity)[:64],
        "metadata": {"tags": ["labkit-folded"]},
        "source": source,
    }
