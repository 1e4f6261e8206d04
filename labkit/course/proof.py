"""Proves the checks of a lab: each accepts what is right, however written, and rejects what learners really get wrong.

Whoever writes a lab supplies, beside the solved notebook, `answers` (for each exercise at least two right functions
written differently) and `mutants` (for each at least four wrong ones, keyed by a fragment of the diagnosis they must
earn). `faults` lists everything that does not hold; an empty list is the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from labkit.course.catalogue import LabChecks
from labkit.course.exercise import Case, Exercise
from labkit.course.extract import exercise_source
from labkit.course.judgement import Result, ask_all, draw, judge_all
from labkit.course.lab import notebook_rng
from labkit.course.notebook import exercise_cells
from labkit.course.wire import encode

Function = Callable[..., Any]
SECRET_SEEDS = (1, 20_001, 987_654_321)
ANSWERS_NEEDED = 2
MUTANTS_NEEDED = 4


def faults(
    checks: LabChecks,
    notebook: dict[str, Any],
    answers: Mapping[str, Sequence[Function]],
    mutants: Mapping[str, Mapping[str, Function]],
) -> list[str]:
    """One sentence a fault, over all exercises of a lab."""
    found = _naming_faults(checks, notebook, answers, mutants)
    for name, exercise in checks.exercises.items():
        right = [*answers.get(name, ()), *_solution(notebook, name, found)]
        for fault in (
            *_case_faults(exercise),
            *_answer_faults(checks.number, exercise, right),
            *_mutant_faults(checks.number, exercise, mutants.get(name, {})),
        ):
            found.append(f"{name}: {fault}")
    return found


def result_of(exercise: Exercise, function: Function, rng: np.random.Generator) -> Result:
    """What the check says of a function on the cases this generator draws."""
    cases = draw(exercise, rng)
    return judge_all(exercise, cases, ask_all(exercise, function, cases))


def _naming_faults(checks: LabChecks, notebook: dict[str, Any], answers: Mapping, mutants: Mapping) -> list[str]:
    in_notebook = [name for name, _ in exercise_cells(notebook)]
    found = [f"{name}: it stands {in_notebook.count(name)} times in the notebook, not once."
             for name in checks.exercises if in_notebook.count(name) != 1]  # fmt: skip
    found += [f"{name}: the notebook checks it, the check module does not know it."
              for name in in_notebook if name not in checks.exercises]  # fmt: skip
    for noun, given in (("answers", answers), ("mutants", mutants)):
        found += [f"{name}: there are {noun} for it but no exercise." for name in given if name not in checks.exercises]
    for name in checks.exercises:
        if len(answers.get(name, ())) < ANSWERS_NEEDED:
            found.append(f"{name}: {len(answers.get(name, ()))} right answers; {ANSWERS_NEEDED} are needed.")
        if len(mutants.get(name, {})) < MUTANTS_NEEDED:
            found.append(f"{name}: {len(mutants.get(name, {}))} mutants; {MUTANTS_NEEDED} are needed.")
    return found


def _solution(notebook: dict[str, Any], name: str, found: list[str]) -> list[Function]:
    namespace: dict[str, Any] = {"__name__": "solution"}
    try:
        exec(compile(exercise_source(notebook, name), f"<solution of {name}>", "exec"), namespace)
    except Exception as error:
        found.append(f"{name}: the notebook's solution does not run alone ({type(error).__name__}: {error}).")
        return []
    return [namespace[name]]


def _case_faults(exercise: Exercise) -> list[str]:
    def drawn(seed: int) -> list[Case]:
        return draw(exercise, np.random.default_rng(seed))

    def written(seed: int) -> str:
        return encode([tuple(case.arguments.items()) for case in drawn(seed)])

    found = [] if written(1) == written(1) else ["its cases differ for one seed."]
    found += ["its cases are the same for every seed."] if written(1) == written(2) else []
    found += ["it has fewer than three cases."] if len(drawn(1)) < 3 else []
    return found


def _answer_faults(lab: str, exercise: Exercise, right: Sequence[Function]) -> list[str]:
    found = []
    for number, function in enumerate(right, 1):
        for seed, rng in _generators(lab, exercise):
            result = result_of(exercise, function, rng)
            if result.status != "passed":
                found.append(f"right answer {number} is {result.status} with seed {seed}: {_told(result)}")
    return found


def _mutant_faults(lab: str, exercise: Exercise, wrong: Mapping[str, Function]) -> list[str]:
    found = []
    told: dict[str, str] = {}
    for fragment, function in wrong.items():
        for seed, rng in _generators(lab, exercise):
            result = result_of(exercise, function, rng)
            if result.status != "failed":
                found.append(f"mutant {fragment!r} is {result.status} with seed {seed}.")
            elif not fragment.strip() or fragment not in result.diagnosis:
                found.append(f"mutant {fragment!r} is told with seed {seed}: {_told(result)}")
        told[fragment] = result.diagnosis
    twice = {text for text in told.values() if list(told.values()).count(text) > 1}
    return [*found, *(f"two mutants share the diagnosis {text!r}." for text in twice)]


def _generators(lab: str, exercise: Exercise) -> list[tuple[int | str, np.random.Generator]]:
    """The notebook's own cases and those of a few seeds as the grader would bring."""
    secret = [(seed, np.random.default_rng(seed)) for seed in SECRET_SEEDS]
    return [("notebook", notebook_rng(lab, exercise.name)), *secret]


def _told(result: Result) -> str:
    case = f" on {result.case!r:.200}" if result.case else ""
    return f"{result.problem} {result.diagnosis or 'without a diagnosis'}{case}"
