"""The editions of a lab, made from its one solved notebook: `learner`, `self-study`, `instructor`.

Each is a pure function from a solved notebook to a new one; the input is left as it is. `leaks` proves that no line
of a solution stands where it must not.
"""

from __future__ import annotations

from typing import Any

EDITIONS = ("learner", "self-study", "instructor")


def make_edition(notebook: dict[str, Any], edition: str, number: str) -> dict[str, Any]:
    """`notebook` as nbformat's dictionary; `ValueError` names an unknown edition."""
    from labkit.course.editions import instructor, learner, self_study

    if edition == "learner":
        return learner.learner_edition(notebook)
    if edition == "self-study":
        return self_study.self_study_edition(notebook)
    if edition == "instructor":
        return instructor.instructor_edition(notebook, number)
    raise ValueError(f"There is no edition {edition!r}; there are {', '.join(EDITIONS)}.")
