"""Grades one submission: cut inside the sandbox, then each exercise asked there by itself and judged here."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from labkit.course.catalogue import LabChecks, lab_number, lab_numbers, load_checks
from labkit.course.grading.grades import ExerciseGrade, Grade
from labkit.course.grading.inside.confine import Limits
from labkit.course.grading.plaintext import readable
from labkit.course.grading.questions import missing
from labkit.course.grading.sandbox import Sandbox, only_message
from labkit.course.grading.seed import Seed
from labkit.course.grading.speed import grade_with_speed, solution_source

_CUTTING = Limits(memory=4 << 30, cpu_seconds=120, wall_seconds=180)
_MOST_SOURCE = 8 << 20


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is the same for a whole class. `lab` is None when each notebook says itself which lab it is."""

    seed: Seed
    lab: str | None = None
    confined: bool = True

    def labs(self) -> list[str]:
        return [lab_number(self.lab)] if self.lab is not None else lab_numbers()


@dataclasses.dataclass(frozen=True)
class Job:
    """One notebook, with all that a process on another machine needs to grade it."""

    student: str
    notebook: str
    content: bytes
    settings: Settings


def grade_job(job: Job) -> Grade:
    """Grade with the sandbox that this thread keeps warm."""
    return grade_submission(_warm_sandbox(job.settings.confined, threading.get_ident()), job)


def grade_submission(sandbox: Sandbox, job: Job) -> Grade:
    """Never raises for what a submission does; what is wrong with the course itself or the sandbox does raise."""
    labs = {number: load_checks(number) for number in job.settings.labs()}
    found = _cut(sandbox, job.content, labs)
    lab = found["lab"] or lab_of_file(job.notebook, job.settings.labs())
    exercises = tuple(_grades(sandbox, labs[lab], found, job.settings.seed)) if lab else ()
    problem = found["problem"] or ("" if lab else "It holds no exercise of any lab.")
    return _grade(job, lab, readable(problem), exercises)


def unread(job: Job, lab: str, problem: str) -> Grade:
    """The grade of a job that nobody looked into; with a lab, each of its exercises is missing."""
    exercises = load_checks(lab).exercises.values() if lab else ()
    return _grade(job, lab, problem, tuple(missing(exercise, problem) for exercise in exercises))


def lab_of_file(notebook: str, labs: Sequence[str]) -> str:
    """The lab that a file name such as `00_your_machine.ipynb` speaks of, if it is one of these; "" otherwise."""
    numbers = re.findall(r"(?<!\d)\d\d(?=_)", notebook.rpartition("/")[2])
    return labs[0] if len(labs) == 1 else next((number for number in numbers if number in labs), "")


def _grade(job: Job, lab: str, problem: str, exercises: tuple[ExerciseGrade, ...]) -> Grade:
    return Grade(
        student=job.student,
        lab=lab,
        notebook=job.notebook,
        sha256=hashlib.sha256(job.content).hexdigest(),
        seed=job.settings.seed.fingerprint(),
        checks=version_of_checks(tuple(job.settings.labs())),
        sandbox="bubblewrap" if job.settings.confined else "none: --unsafe",
        exercises=exercises,
        problem=problem,
    )


@functools.cache
def version_of_checks(labs: tuple[str, ...]) -> str:
    """Changes whenever a check of these labs changes, what judges it, the solution that sets the pace, or the hardware
    that it lacks.
    """
    course = Path(__file__).resolve().parents[1]
    files = [*course.glob("*.py"), *course.glob("grading/**/*.py")]
    for number in labs:
        files += [*course.glob(f"labs/lab{number}.py"), *course.glob(f"labs/lab{number}/**/*.py")]
    digest = hashlib.sha256(repr(labs).encode())
    for file in sorted(files):
        digest.update(file.read_bytes())
    for number in labs:
        for exercise in load_checks(number).exercises.values():
            if exercise.timing is not None:
                digest.update(solution_source(number, exercise).encode() + exercise.timing.lacking().encode())
    return digest.hexdigest()[:16]


@functools.cache
def _warm_sandbox(confined: bool, thread: int) -> Sandbox:
    """One for each thread of this process, ended by the kernel with the process."""
    return Sandbox(confined)


def _cut(sandbox: Sandbox, content: bytes, labs: Mapping[str, LabChecks]) -> dict:
    names = {number: list(checks.exercises) for number, checks in labs.items()}
    reply = sandbox.ask({"kind": "cut", "labs": names}, content, _CUTTING, _MOST_SOURCE)
    try:
        return only_message(reply)
    except (ValueError, RecursionError) as error:
        why = {"timeout": "took too long to read", "memory": "takes too much memory to read"}.get(reply.reason, "")
        problem = f"The notebook {why or f'breaks what reads it ({error})'}."
        return {"lab": None, "sources": {}, "absent": {}, "left_out": {}, "problem": problem}


def _grades(sandbox: Sandbox, checks: LabChecks, found: dict, seed: Seed) -> list[ExerciseGrade]:
    grades = []
    for name, exercise in checks.exercises.items():
        source = found["sources"].get(name)
        if source is None:
            grades.append(missing(exercise, found["problem"] or found["absent"].get(name, "It is not there.")))
        else:
            sources = (source, solution_source(checks.number, exercise))
            left_out = found["left_out"].get(name, [])
            grades.append(grade_with_speed(sandbox, checks.number, exercise, sources, left_out, seed))
    return grades
