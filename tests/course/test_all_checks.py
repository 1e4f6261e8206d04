"""Every lab's checks: right answers pass however written, mutants fail each with its own diagnosis, nothing leaks."""

from pathlib import Path

import pytest

from labkit.course.catalogue import lab_numbers, load_checks, notebook_path
from labkit.course.editions.leaks import leaks
from labkit.course.editions.learner import learner_edition
from labkit.course.notebook import read_notebook
from labkit.course.proof import faults

ANSWERS = Path(__file__).parent / "answers"


@pytest.mark.parametrize("number", lab_numbers())
def test_the_checks_of_a_lab_are_proved(number, load_module):
    given = load_module(ANSWERS / f"lab{number}.py")
    notebook = read_notebook(notebook_path(number))
    assert faults(load_checks(number), notebook, given.ANSWERS, given.MUTANTS) == []


@pytest.mark.parametrize("number", lab_numbers())
def test_the_learner_edition_of_a_lab_holds_no_solution(number):
    solved = read_notebook(notebook_path(number))
    assert leaks(solved, learner_edition(solved)) == []


def test_every_notebook_with_exercises_has_checks():
    from labkit.course.catalogue import notebooks_dir
    from labkit.course.notebook import exercise_cells

    for path in notebooks_dir().glob("[0-9][0-9]_*.ipynb"):
        if list(exercise_cells(read_notebook(path))):
            assert path.name[:2] in lab_numbers(), path.name


def test_the_checks_of_the_sample_are_proved(sample, sample_answers):
    notebook = read_notebook(notebook_path(99))
    assert faults(load_checks(99), notebook, sample_answers.ANSWERS, sample_answers.MUTANTS) == []
