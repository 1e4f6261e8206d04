"""The page a student reads: what counted, and for each lost point what went wrong and how to go on."""

from __future__ import annotations

from pathlib import Path

from labkit.course.catalogue import load_checks
from labkit.course.grading.grades import Grade
from labkit.course.grading.journal import file_name
from labkit.course.grading.page import page, paragraph
from labkit.course.grading.standing import Standing
from labkit.course.grading.tables import UNSAFE
from labkit.course.manifest import write_whole

_FOLDER = "feedback"


def write_feedback(standings: list[Standing], out: Path) -> None:
    """One page for every notebook that counts."""
    for standing in standings:
        if standing.grade is not None:
            name = file_name(standing.student.identifier, standing.lab)
            write_whole(out / _FOLDER / f"{name}.html", feedback_page(standing.grade, standing.student.name))


def feedback_page(grade: Grade, name: str) -> str:
    """No input drawn from the secret seed and nothing about other students."""
    lab = f"Lab {grade.lab}: {load_checks(grade.lab).title}" if grade.lab else "No lab"
    parts = [paragraph(f"{lab}. Graded: {grade.notebook}")]
    if grade.sandbox != "bubblewrap":
        parts.append(paragraph(UNSAFE, "warning"))
    if grade.problem:
        parts.append(paragraph(grade.problem))
    parts.append(paragraph(f"{grade.points:g} of {grade.possible:g} points. An exercise counts when it is right on all"
                           " of its cases; the cases differ from the notebook's, the check is the same."))  # fmt: skip
    parts += [exercise.card().html() for exercise in grade.exercises]
    return page(f"Feedback for {name}", *parts)
