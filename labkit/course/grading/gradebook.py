"""Fills the gradebook of an nbgrader course, so that instructors who live there find the grades where they look.

Each exercise is a grade cell with an automatic score and a comment. Cells that nbgrader knows already, such as free
answers graded by hand, keep their scores; what nobody has read yet waits for a person in nbgrader's formgrader. Imports
nbgrader (the extra `grading`) when called.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from labkit.course.grading.grades import ExerciseGrade, Grade
from labkit.course.grading.roster import Student
from labkit.course.grading.standing import Standing


def fill_gradebook(standings: Sequence[Standing], database: Path) -> int:
    """Write every grade into the SQLite file of a course, made when missing; returns how many were written.

    The assignment is named by the folder a notebook lies in, as in `submitted/STUDENT/ASSIGNMENT/notebook.ipynb`.
    `ValueError` when nbgrader is not installed.
    """
    try:
        from nbgrader.api import Gradebook
    except ImportError:
        raise ValueError("Filling a gradebook needs nbgrader: labkit setup --extra grading") from None
    written = 0
    with _programs_beside_python(), Gradebook(f"sqlite:///{database.resolve()}") as gradebook:
        for standing in standings:
            if standing.grade is not None and standing.lab:
                _add_student(gradebook, standing.student)
                _write(gradebook, standing.grade, standing.student.identifier)
                _show_to_graders(database.parent, standing.student.identifier, standing.grade)
                written += 1
    return written


def _show_to_graders(course: Path, student: str, grade: Grade) -> None:
    """The formgrader shows free answers from `autograded/`, where nbgrader leaves what it ran. Here nothing was run:
    the notebook is laid there as it was handed in.
    """
    assignment, notebook = assignment_of(grade.notebook, grade.lab)
    place = Path(student, assignment, f"{notebook}.ipynb")
    source, target = course / "submitted" / place, course / "autograded" / place
    if source.is_file() and not source.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)


@contextlib.contextmanager
def _programs_beside_python() -> Iterator[None]:
    """A new gradebook asks the program `alembic`, which is not on the path unless the environment is activated."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def assignment_of(notebook: str, lab: str) -> tuple[str, str]:
    """The names of assignment and notebook in an nbgrader course.

    >>> assignment_of("submitted/jdoe/machine/00_your_machine.ipynb", "00")
    ('machine', '00_your_machine')
    >>> assignment_of("00_your_machine.ipynb", "00")
    ('00', '00_your_machine')
    """
    path = PurePosixPath(notebook)
    return (path.parts[-2] if len(path.parts) > 2 else lab), path.stem


def _add_student(gradebook: Any, student: Student) -> None:
    known = {
        "first_name": student.get("first_name", "first name"),
        "last_name": student.get("last_name", "last name"),
        "email": student.get("email", "email address"),
    }
    gradebook.update_or_create_student(student.identifier, **{key: value for key, value in known.items() if value})


def _write(gradebook: Any, grade: Grade, student: str) -> None:
    assignment, notebook = assignment_of(grade.notebook, grade.lab)
    gradebook.update_or_create_assignment(assignment)
    gradebook.update_or_create_notebook(notebook, assignment)
    for exercise in grade.exercises:
        kind = {"max_score": exercise.possible, "cell_type": "code"}
        gradebook.update_or_create_grade_cell(exercise.exercise, notebook, assignment, **kind)
        gradebook.update_or_create_solution_cell(exercise.exercise, notebook, assignment)
    gradebook.update_or_create_submission(assignment, student)
    for exercise in grade.exercises:
        _write_score(gradebook, exercise, (notebook, assignment, student))
    gradebook.db.commit()


def _write_score(gradebook: Any, exercise: ExerciseGrade, place: tuple[str, str, str]) -> None:
    from nbgrader.api import Comment, MissingEntry
    from nbgrader.api import Grade as Score

    notebook, assignment, student = place
    try:
        score = gradebook.find_grade(exercise.exercise, *place)
    except MissingEntry:  # the submission is older than the cell
        cell = gradebook.find_grade_cell(exercise.exercise, notebook, assignment)
        score = Score(cell_id=cell.id, notebook=gradebook.find_submission_notebook(notebook, assignment, student))
        gradebook.db.add(score)
    score.auto_score, score.needs_manual_grade = exercise.points, False
    try:
        comment = gradebook.find_comment(exercise.exercise, *place)
    except MissingEntry:
        cell = gradebook.find_solution_cell(exercise.exercise, notebook, assignment)
        comment = Comment(cell_id=cell.id, notebook=gradebook.find_submission_notebook(notebook, assignment, student))
        gradebook.db.add(comment)
    comment.auto_comment = f"{exercise.status}: {' '.join(exercise.feedback.paragraphs)}".removesuffix(": ")
