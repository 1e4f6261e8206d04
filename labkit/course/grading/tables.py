"""The grades as CSV: everything for the instructor, and what Canvas, Moodle and nbgrader read.

A cell that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV injection); every text is
quoted, so that a name with a comma, a quote or a line break stays one cell. What was graded without a sandbox says so.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from labkit.course.catalogue import load_checks
from labkit.course.grading.plaintext import readable
from labkit.course.grading.standing import Standing, possible_points
from labkit.course.manifest import write_whole

UNSAFE = "UNSAFE: graded without a sandbox"
_STARTS_A_FORMULA = ("=", "+", "-", "@", "|", "%")
Cell = str | float | int


def write_tables(standings: Sequence[Standing], out: Path) -> list[Path]:
    """`grades.csv`, `canvas.csv`, `nbgrader.csv`, and for each lab `moodle_NN.csv`."""
    tables = {"grades.csv": overview(standings), "canvas.csv": canvas(standings), "nbgrader.csv": nbgrader(standings)}
    for lab in sorted({standing.lab for standing in standings if standing.lab}):
        tables[f"moodle_{lab}.csv"] = moodle([standing for standing in standings if standing.lab == lab])
    for name, rows in tables.items():
        write_whole(out / name, as_csv(rows))
    return [out / name for name in tables]


def as_csv(rows: Iterable[Sequence[Cell]]) -> str:
    """
    >>> as_csv([["=1+1", 'O"Neil, Jane', 2.5, -1]])
    '"\\'=1+1","O""Neil, Jane",2.5,-1\\n'
    """
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(map(_safe, row) for row in rows)
    return text.getvalue()


def overview(standings: Sequence[Standing]) -> list[list[Cell]]:
    rows: list[list[Cell]] = [["student", "name", "lab", "points", "possible", "exercise", "status", "exercise points",
                               "told", "timed", "sandbox", "notebook", "not counted", "seed"]]  # fmt: skip
    for standing in standings:
        grade, student = standing.grade, standing.student
        head: list[Cell] = [student.identifier, student.name, standing.lab, standing.points, standing.possible]
        if grade is None:
            rows.append([*head, "", "missing", 0, "Nothing was handed in.", "", "", "", "", ""])
            continue
        tail: list[Cell] = [UNSAFE if not standing.is_confined else grade.sandbox, grade.notebook]
        tail += ["; ".join(standing.others), grade.seed]
        if not grade.exercises:
            rows.append([*head, "", "missing", 0, grade.problem, "", *tail])
        for exercise in grade.exercises:
            told = " ".join(exercise.feedback.paragraphs)
            timed = "timed" if exercise.is_timed else ""
            rows.append([*head, exercise.exercise, exercise.status, exercise.points, told, timed, *tail])
    return rows


def canvas(standings: Sequence[Standing]) -> list[list[Cell]]:
    """Canvas's gradebook import: one row a student, one column a lab. Columns of the roster are carried back."""
    labs = sorted({standing.lab for standing in standings if standing.lab})
    of_lab = {lab: [standing for standing in standings if standing.lab == lab] for lab in labs}
    title = {lab: f"Lab {lab} {load_checks(lab).title}" for lab in labs}
    title = {lab: text if all(s.is_confined for s in of_lab[lab]) else f"{text} ({UNSAFE})"
             for lab, text in title.items()}  # fmt: skip
    rows: list[list[Cell]] = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *title.values()]]
    rows.append(["Points Possible", "", "", "", "", *(possible_points(lab) for lab in labs)])
    points: dict[str, dict[str, float]] = {}
    for standing in standings:
        points.setdefault(standing.student.identifier, {})[standing.lab] = standing.points
    students = {standing.student.identifier: standing.student for standing in standings}
    for identifier, student in students.items():
        own = [student.get(column) for column in ("SIS User ID", "SIS Login ID", "Section")]
        got = [points[identifier].get(lab, "") for lab in labs]
        rows.append([student.name, student.get("ID") or identifier, *own, *got])
    return rows


def moodle(standings: Sequence[Standing]) -> list[list[Cell]]:
    """Moodle's offline grading worksheet of one assignment."""
    rows: list[list[Cell]] = [["Identifier", "Full name", "Email address", "Grade", "Maximum Grade",
                               "Feedback comments"]]  # fmt: skip
    for standing in standings:
        student = standing.student
        own = student.get("Identifier") or f"Participant {student.identifier}"
        told = _in_one_line(standing)
        email = student.get("Email address", "email")
        rows.append([own, student.name, email, standing.points, standing.possible, told])
    return rows


def nbgrader(standings: Sequence[Standing]) -> list[list[Cell]]:
    """The columns of `nbgrader export`, quoted, which its own export does not do."""
    rows: list[list[Cell]] = [["assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
                               "raw_score", "late_submission_penalty", "score", "max_score", "sandbox"]]  # fmt: skip
    for standing in standings:
        student = standing.student
        first, last = student.get("first_name", "first name"), student.get("last_name", "last name")
        own = [last, first, student.get("email", "email address")]
        sandbox = "" if standing.grade is None else standing.grade.sandbox
        score = [standing.points, 0.0, standing.points, standing.possible]
        rows.append([standing.lab, "", "", student.identifier, *own, *score,
                     sandbox if standing.is_confined else UNSAFE])  # fmt: skip
    return rows


def _in_one_line(standing: Standing) -> str:
    if standing.grade is None:
        return "Nothing was handed in."
    parts = [f"{e.exercise}: {e.status}, {e.points:g} of {e.possible:g}" for e in standing.grade.exercises]
    unsafe = [] if standing.is_confined else [UNSAFE]
    return "; ".join([*unsafe, *parts, *filter(None, [standing.grade.problem])])


def _safe(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    line = " ".join(readable(cell, 1000).split())
    plain = unicodedata.normalize("NFKC", line)  # a full-width = is a formula to some spreadsheets
    return f"'{line}" if plain.startswith(_STARTS_A_FORMULA) else line
