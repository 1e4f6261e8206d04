"""Grades in nbgrader's own gradebook, read back through nbgrader."""

import os
import sys
from pathlib import Path

import pytest

from labkit.course.grading.gradebook import fill_gradebook
from labkit.course.grading.grades import ExerciseGrade, Feedback, Grade
from labkit.course.grading.roster import Student
from labkit.course.grading.standing import Standing


@pytest.fixture(autouse=True)
def programs(monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # nbgrader starts `alembic`


api = pytest.importorskip("nbgrader.api")
pytestmark = pytest.mark.slow  # nbgrader starts a program for each new gradebook


def standing(student, status="passed", points=4):
    exercise = ExerciseGrade("knee", status, points, 4, Feedback("", ("You stopped too late.",)))
    path = f"submitted/{student}/machine/00_your_machine.ipynb"
    grade = Grade(student, "00", path, "0" * 64, "seed", "checks", "bubblewrap", (exercise,))
    return Standing(Student(student, student, {"first_name": "J", "last_name": "Doe"}), "00", grade)


def test_scores_and_comments_arrive(tmp_path):
    database = tmp_path / "gradebook.db"
    assert fill_gradebook([standing("a"), standing("b", "failed", 0)], database) == 2
    with api.Gradebook(f"sqlite:///{database}") as gradebook:
        assert gradebook.find_submission("machine", "a").score == 4
        assert gradebook.find_submission("machine", "b").score == 0
        assert gradebook.find_submission("machine", "b").max_score == 4
        assert not gradebook.find_submission("machine", "a").needs_manual_grade
        told = gradebook.find_comment("knee", "00_your_machine", "machine", "b").comment
        assert told == "failed: You stopped too late."
        assert gradebook.find_student("a").last_name == "Doe"


def test_a_second_run_corrects_the_first(tmp_path):
    database = tmp_path / "gradebook.db"
    fill_gradebook([standing("a", "failed", 0)], database)
    fill_gradebook([standing("a")], database)
    with api.Gradebook(f"sqlite:///{database}") as gradebook:
        assert [submission.score for submission in gradebook.assignment_submissions("machine")] == [4]


@pytest.mark.parametrize("score", [2, None])
def test_answers_graded_by_hand_keep_their_scores_and_others_wait_for_a_person(score, tmp_path):
    database = tmp_path / "gradebook.db"
    with api.Gradebook(f"sqlite:///{database}") as gradebook:
        gradebook.add_assignment("machine")
        gradebook.add_notebook("00_your_machine", "machine")
        gradebook.add_grade_cell("why", "00_your_machine", "machine", max_score=3, cell_type="markdown")
        gradebook.add_student("a")
        gradebook.add_submission("machine", "a")
        answer = gradebook.find_grade("why", "00_your_machine", "machine", "a")
        answer.manual_score, answer.needs_manual_grade = score, score is None
        gradebook.db.commit()
    fill_gradebook([standing("a")], database)
    with api.Gradebook(f"sqlite:///{database}") as gradebook:
        assert gradebook.find_submission("machine", "a").score == 4 + (score or 0)
        assert gradebook.find_submission("machine", "a").max_score == 7
        assert gradebook.find_submission("machine", "a").needs_manual_grade == (score is None)


def test_the_formgrader_finds_what_was_handed_in_and_not_what_it_links_to(tmp_path):
    for student in ("a", "b"):
        (tmp_path / f"submitted/{student}/machine").mkdir(parents=True)
    (tmp_path / "submitted/a/machine/00_your_machine.ipynb").write_text("as handed in")
    (tmp_path / "submitted/b/machine/00_your_machine.ipynb").symlink_to(__file__)
    for _ in range(2):
        fill_gradebook([standing("a"), standing("b")], tmp_path / "gradebook.db")
    (shown,) = (tmp_path / "autograded").rglob("*.ipynb")
    assert shown.relative_to(tmp_path) == Path("autograded/a/machine/00_your_machine.ipynb")
    assert shown.read_text() == "as handed in"
