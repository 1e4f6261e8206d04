"""The proof of a lab's checks fails when it should: each kind of missing or wrong part is a fault of its own."""

import dataclasses

import numpy as np
import pytest

from labkit.course.catalogue import load_checks, notebook_path
from labkit.course.exercise import Case, Verdict
from labkit.course.notebook import read_notebook
from labkit.course.proof import faults


@pytest.fixture
def lab(sample, sample_answers):
    """The parts of a proof that holds, each open to change."""

    class Parts:
        def __init__(self):
            self.checks = load_checks(99)
            self.notebook = read_notebook(notebook_path(99))
            self.answers = dict(sample_answers.ANSWERS)
            self.mutants = {name: dict(given) for name, given in sample_answers.MUTANTS.items()}

        def replace(self, **change):
            exercises = dict(self.checks.exercises)
            exercises["arithmetic_intensity"] = dataclasses.replace(exercises["arithmetic_intensity"], **change)
            self.checks = dataclasses.replace(self.checks, exercises=exercises)

        def faults(self):
            return " | ".join(faults(self.checks, self.notebook, self.answers, self.mutants))

    return Parts()


def test_a_complete_lab_has_no_fault(lab):
    assert lab.faults() == ""


def test_missing_answers_and_mutants(lab):
    del lab.answers["row_softmax"]
    lab.mutants["row_softmax"].popitem()
    lab.mutants["row_softmax"].popitem()
    assert "row_softmax: 0 right answers; 2 are needed." in lab.faults()
    assert "row_softmax: 3 mutants; 4 are needed." in lab.faults()


def test_answers_to_no_exercise(lab):
    lab.answers["typo"] = ()
    assert "typo: there are answers for it but no exercise" in lab.faults()


def test_a_right_answer_that_fails(lab):
    lab.answers["arithmetic_intensity"] += (lambda m, n, k, b: 1.0,)
    assert "right answer 3 is failed with seed notebook" in lab.faults()


def test_a_solution_that_is_wrong_or_does_not_run(lab):
    cell = next(c for c in lab.notebook["cells"] if "flops = 2" in c["source"])
    cell["source"] = cell["source"].replace("2 * m", "3 * m")
    assert "arithmetic_intensity: right answer 3 is failed" in lab.faults()
    cell["source"] = cell["source"].replace("    flops", "    missing_name; flops")
    assert "NameError" in lab.faults()


def test_a_notebook_without_the_exercise_or_with_it_twice(lab):
    cell = next(c for c in lab.notebook["cells"] if "flops = 2" in c["source"])
    lab.notebook["cells"].append(cell)
    assert "it stands 2 times in the notebook" in lab.faults()
    lab.notebook["cells"] = [c for c in lab.notebook["cells"] if c is not cell]
    assert "it stands 0 times in the notebook" in lab.faults()


def test_a_checked_function_that_the_module_does_not_know(lab):
    cell = next(c for c in lab.notebook["cells"] if "flops = 2" in c["source"])
    lab.notebook["cells"].append({**cell, "source": cell["source"].replace("arithmetic_intensity", "renamed")})
    assert "renamed: the notebook checks it" in lab.faults()


def test_a_judge_that_passes_everything(lab):
    lab.replace(judge=lambda case, output: Verdict())
    assert lab.faults().count("is passed with seed") == 4 * 4


def test_a_judge_that_names_no_mistake(lab):
    lab.replace(judge=lambda case, output: Verdict("wrong"))
    assert "without a diagnosis" in lab.faults()
    assert "right answer 1 is failed" in lab.faults()


def test_two_mutants_of_one_diagnosis(lab):
    lab.mutants["arithmetic_intensity"]["you count a multiply-add"] = lab.mutants["arithmetic_intensity"][
        "a multiply-add as one"
    ]
    assert "two mutants share the diagnosis" in lab.faults()


def test_an_empty_fragment_proves_nothing(lab):
    lab.mutants["arithmetic_intensity"][" "] = lambda m, n, k, b: 1.0
    assert "mutant ' ' is told" in lab.faults()


def test_cases_that_do_not_follow_the_seed(lab):
    lab.replace(cases=lambda rng: [Case(m=1, n=n, k=1, bytes_per_element=1) for n in (1, 2, 3)])
    assert "its cases are the same for every seed" in lab.faults()
    lab.replace(
        cases=lambda _: [Case(m=int(np.random.default_rng().integers(1, 10**9)), n=1, k=1, bytes_per_element=1)]
    )
    assert "its cases differ for one seed" in lab.faults()
    assert "fewer than three cases" in lab.faults()
