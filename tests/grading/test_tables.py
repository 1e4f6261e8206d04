"""What spreadsheets, learning platforms and students are given to read."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.course.grading.feedback import feedback_page
from labkit.course.grading.grades import ExerciseGrade, Feedback, Grade
from labkit.course.grading.identity import Owner
from labkit.course.grading.plaintext import readable
from labkit.course.grading.roster import Student
from labkit.course.grading.standing import Standing, possible_points, standings
from labkit.course.grading.summary import misconceptions, write_summary
from labkit.course.grading.tables import UNSAFE, as_csv, canvas, moodle, nbgrader, overview, write_tables

MEAN = '=HYPERLINK("http://x","y")'


def exercise(name="knee", status="failed", points=0, **more):
    feedback = Feedback("13 of 18 cases", ("It returned <b>1</b>.", "Look & see."), (("yours", "<script>"),))
    return ExerciseGrade(name, status, points, 4, more.pop("feedback", feedback), **more)


def grade(student="a", notebook="a/00.ipynb", exercises=(), **more):
    kept = {"lab": "00", "sha256": "0" * 64, "seed": "f00", "checks": "c", "sandbox": "bubblewrap", **more}
    return Grade(student, notebook=notebook, exercises=exercises or (exercise(),), **kept)


def standing(name="Jane", identifier="a", row=None, **more):
    return Standing(Student(identifier, name, row or {}), "00", grade(identifier, **more))


def read(rows):
    return list(csv.reader(io.StringIO(as_csv(rows))))


@given(st.text(max_size=40))
def test_no_text_becomes_a_formula_or_breaks_a_row(text):
    (cells,) = read([[text, 1.5, text]])
    assert len(cells) == 3
    assert not cells[0].lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "\N{FULLWIDTH EQUALS SIGN}"))
    assert "\n" not in cells[0]


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\N{FULLWIDTH EQUALS SIGN}1"])
def test_known_formulas_are_quoted(start):
    assert read([[start]])[0][0].startswith("'")


def test_numbers_stay_numbers():
    assert as_csv([[-1, 2.5, 0]]) == "-1,2.5,0\n"


def test_every_table_is_safe_for_a_mean_name():
    mean = [standing(MEAN, MEAN, {"SIS Login ID": MEAN, "email": MEAN}, notebook=MEAN, problem=MEAN)]
    for table in (overview, canvas, moodle, nbgrader):
        assert not any(cell.startswith("=") for row in read(table(mean)) for cell in row)


def test_a_canvas_import_has_a_column_a_lab_and_keeps_the_roster():
    row = {"ID": "4711", "SIS User ID": "u", "SIS Login ID": "jdoe", "Section": "A"}
    head, possible, jane = read(canvas([standing("Doe, Jane", "4711", row)]))
    assert head[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert head[5] == "Lab 00 Your machine and its ceilings"
    assert possible == ["Points Possible", "", "", "", "", str(possible_points("00"))]
    assert jane == ["Doe, Jane", "4711", "u", "jdoe", "A", "0"]


def test_a_moodle_worksheet_names_the_participant():
    assert read(moodle([standing(identifier="80215")]))[1][0] == "Participant 80215"
    assert read(moodle([standing(row={"Identifier": "Participant 7"})]))[1][0] == "Participant 7"


def test_what_was_graded_without_a_sandbox_says_so_everywhere(tmp_path):
    unsafe = [standing(sandbox="none: --unsafe")]
    for table in (overview, moodle, nbgrader):
        assert all(UNSAFE in " ".join(row) for row in read(table(unsafe))[1:])
    assert UNSAFE in read(canvas(unsafe))[0][5]
    write_summary(unsafe, tmp_path)
    assert UNSAFE in (tmp_path / "summary.html").read_text()
    assert UNSAFE in feedback_page(unsafe[0].grade, "Jane")


def test_a_student_without_a_submission_has_a_row_in_each():
    nobody = [Standing(Student("b", "Bob"), "00", None)]
    for table in (overview, canvas, moodle, nbgrader):
        assert any("Bob" in row or "b" in row for row in read(table(nobody))[1:])


def test_the_files_are_written(tmp_path):
    names = {path.name for path in write_tables([standing()], tmp_path)}
    assert names == {"grades.csv", "canvas.csv", "nbgrader.csv", "moodle_00.csv"}
    assert all((tmp_path / name).read_text() for name in names)


def test_feedback_is_a_page_that_runs_nothing_and_reaches_nowhere():
    page = feedback_page(grade(notebook="<img src=x>", problem="<script>"), "<script>alert(1)</script>")
    assert "<script" not in page
    assert "<img" not in page
    assert "default-src &#x27;none&#x27;" in page
    assert not re.search(r"(src|href)=[\"']?http", page)


def test_feedback_holds_nothing_meant_for_the_instructor():
    page = feedback_page(grade(exercises=(exercise(evidence="rows=[54, 176]", misconception="m"),)), "Jane")
    assert "54" not in page
    assert "f00" not in page
    assert "0 of 4 points" in page


def test_misconceptions_are_counted_and_drawn(tmp_path):
    slips = [standing(identifier=str(i), exercises=(exercise(misconception="you guessed"),)) for i in range(3)]
    assert misconceptions(slips) == {("knee", "you guessed"): 3}
    write_summary(slips, tmp_path)
    page = (tmp_path / "summary.html").read_text()
    assert "Most common" in page or "data:image/png" in page
    assert "you guessed" in page


def test_a_grade_comes_back_from_its_json():
    import json

    there = grade(exercises=(exercise(), exercise("attainable", "passed", 4, feedback=Feedback(), is_timed=True)))
    assert Grade.from_json(json.loads(json.dumps(there.to_json()))) == there
    with pytest.raises(ValueError, match="no grade"):
        Grade.from_json({"format": 0})


def test_the_latest_resubmission_counts_and_the_better_of_two_copies():
    jane = Student("4711", "Jane")
    good, bad = (exercise("knee", "passed", 4),), (exercise(),)
    first = (Owner("4711", "Jane", 0), grade(notebook="first", exercises=good))
    again = (Owner("4711", "Jane", 1), grade(notebook="again", exercises=bad))
    copy = (Owner("4711", "Jane", 1), grade(notebook="again copy", exercises=good))
    (found,) = standings([first, again, copy], {owner: jane for owner, _ in (first, again, copy)}, [jane], "00")
    assert (found.grade.notebook, found.others, found.points) == ("again copy", ("again", "first"), 4)


def test_the_roster_gives_the_order_and_those_who_handed_in_nothing():
    roster = [Student("b", "Bob"), Student("a", "Jane")]
    owner = Owner("a", "Jane")
    found = standings([(owner, grade())], {owner: roster[1]}, roster, "00")
    assert [(s.student.name, s.grade is None) for s in found] == [("Bob", True), ("Jane", False)]


@given(st.text(max_size=80))
def test_shown_text_steers_nothing(text):
    shown = readable(text)
    shown.encode()
    assert not set(shown) & set("\x1b\x07\r\u202e\u2066\u200b\x00")
