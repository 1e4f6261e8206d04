"""Grades an exercise that asks for speed: right answers first, then the time beside the solution's, pair by pair.

Both functions go the same way: each call in a room and a process of its own, on the same core, on the same fresh input
drawn from the secret seed. So nothing is left from one call to the next, nothing of the learner's runs beside the
solution, and a machine that is slow for a while is slow for both. The order alternates. What is timed is also judged:
a fast wrong answer fails. The clock is the supervisor's (`labkit.course.grading.inside.stopwatch`).
"""

from __future__ import annotations

import dataclasses
import os
import statistics

import numpy as np

from labkit.course.catalogue import notebook_path
from labkit.course.exercise import Case, Exercise, Timing
from labkit.course.extract import exercise_source
from labkit.course.grading.grades import ExerciseGrade, Feedback, GradeStatus
from labkit.course.grading.inside.confine import Limits
from labkit.course.grading.inside.stopwatch import READY
from labkit.course.grading.outcomes import limits_seconds
from labkit.course.grading.questions import MEMORY, Answered, grade_exercise, judge_reply
from labkit.course.grading.sandbox import Reply, Sandbox
from labkit.course.grading.seed import Seed
from labkit.course.notebook import read_notebook
from labkit.course.wire import encode


@dataclasses.dataclass(frozen=True)
class Pace:
    """Each ratio is the learner's time over the solution's on one input."""

    ratios: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    def __str__(self) -> str:
        """
        >>> str(Pace((2.0, 1.5, 1.75)))
        "1.75 times the solution's time (the median of 3 pairs: 1.50 to 2.00)"
        """
        span = f"{min(self.ratios):.2f} to {max(self.ratios):.2f}"
        return f"{self.median:.2f} times the solution's time (the median of {len(self.ratios)} pairs: {span})"


def solution_source(lab: str, exercise: Exercise) -> str:
    """What sets the pace: the solution in the lab's solved notebook; "" where speed is not asked for."""
    return exercise_source(read_notebook(notebook_path(lab)), exercise.name) if exercise.timing else ""


def grade_with_speed(
    sandbox: Sandbox, lab: str, exercise: Exercise, sources: tuple[str, str], left_out: list[str], seed: Seed
) -> ExerciseGrade:
    """`sources` are the learner's and the solution's. As `grade_exercise`, and then the speed of what is right."""
    learners, solution = sources
    grade = grade_exercise(sandbox, lab, exercise, learners, left_out, seed)
    if grade.status != "passed" or exercise.timing is None:
        return grade
    if lacking := exercise.timing.lacking():
        told = f"Your answers are right. Its speed could not be measured where it was graded: {lacking}"
        return _without_points(grade, "blocked", told)
    pace = _pace(sandbox, exercise, learners, solution, seed.rng(lab, f"{exercise.name} on time"))
    if isinstance(pace, Answered):
        wrong = pace.told or "what it returns is wrong."
        return _without_points(grade, pace.status, f"Right where it was only asked; where it was timed: {wrong}")
    told = f"It takes {pace}; at most {exercise.timing.at_most:g} times is asked."
    if pace.median > exercise.timing.at_most:
        return _without_points(grade, "failed", f"Your answers are right, and too slow. {told}")
    paragraphs = (*grade.feedback.paragraphs, told)
    return dataclasses.replace(
        grade, is_timed=True, feedback=dataclasses.replace(grade.feedback, paragraphs=paragraphs)
    )


def _without_points(grade: ExerciseGrade, status: GradeStatus, told: str) -> ExerciseGrade:
    is_timed = status != "blocked"
    return dataclasses.replace(
        grade, status=status, points=0, feedback=Feedback("", (told,)), evidence=told, is_timed=is_timed
    )


def _pace(
    sandbox: Sandbox, exercise: Exercise, learners: str, solution: str, rng: np.random.Generator
) -> Pace | Answered:
    """The ratios of all pairs; or, at the first timed answer that is not right, what is wrong with it."""
    timing: Timing = exercise.timing
    sources = {"learner": learners, "solution": solution}
    ratios = []
    for pair in range(timing.pairs):
        question, warm_up = timing.work(rng), timing.work(rng)
        order = sorted(sources, reverse=bool(pair % 2))
        replies = {whose: _timed(sandbox, exercise, sources[whose], warm_up, question) for whose in order}
        found = {whose: _answered(exercise, question, reply) for whose, reply in replies.items()}
        if found["solution"].status != "passed":
            raise RuntimeError(f"The solution of {exercise.name} fails on a timed input: {found['solution'].told}")
        if found["learner"].status != "passed":
            return found["learner"]
        ratios.append(replies["learner"].seconds / replies["solution"].seconds)
    return Pace(tuple(ratios))


def _timed(sandbox: Sandbox, exercise: Exercise, source: str, warm_up: Case, question: Case) -> Reply:
    """One call in a fresh process, timed by the supervisor; once more if the sandbox itself died."""
    header = {"kind": "time", "name": exercise.name, "source": source, "core": _core()}
    cpu, wall = limits_seconds(exercise.seconds)
    limits = Limits(memory=MEMORY, cpu_seconds=cpu, wall_seconds=wall)
    first, timed = (encode(tuple(case.arguments.values())).encode() for case in (warm_up, question))
    for _ in range(2):
        reply = sandbox.ask(header, first, limits, question=timed)
        if reply.reason != "lost":
            break
    return reply


def _core() -> int | None:
    """A processor that this process may use; neighbours in a pool, numbered in a row, get different ones."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return cores[os.getpid() % len(cores)]


def _answered(exercise: Exercise, question: Case, reply: Reply) -> Answered:
    """The answer without the word *ready* in front of it; what stands there instead, where it never was ready."""
    is_ready = reply.handed_in[:1] == (READY,)
    found = judge_reply(exercise, [question], dataclasses.replace(reply, handed_in=reply.handed_in[int(is_ready) :]))
    if found.status == "passed" and reply.seconds is None:
        return Answered("crash", told="It answered before it was asked.")
    return found
