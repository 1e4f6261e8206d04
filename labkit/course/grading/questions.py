"""Grades one exercise of one submission: draws the cases outside, asks inside, judges outside.

The cases and the judge are those of the lab's own check. A learner who fails on the secret cases is asked the
notebook's cases as well, which are no secret: what goes wrong there can be shown in full. No word of the submission's
own from the secret cases is shown to students: it could carry those cases out.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from labkit.course.describe import picture
from labkit.course.exercise import Case, Exercise
from labkit.course.grading.grades import ExerciseGrade, Feedback, GradeStatus
from labkit.course.grading.inside.confine import Limits
from labkit.course.grading.outcomes import limits_seconds, read_outcomes
from labkit.course.grading.plaintext import readable
from labkit.course.grading.sandbox import Reply, Sandbox
from labkit.course.grading.seed import Seed
from labkit.course.judgement import Result, draw, judge_all
from labkit.course.lab import notebook_rng
from labkit.course.messages import check_card
from labkit.course.oracle import OracleJudge
from labkit.course.wire import encode

MEMORY = 2 << 30
_MAY_QUOTE = ("failed", "crash")  # what a submission says of itself then could repeat the secret cases
_STATUS_OF_KIND = {"not started": "missing", "timeout": "timeout", "exited": "crash", "interrupted": "crash"}


@dataclasses.dataclass(frozen=True)
class Answered:
    """A status, with the judge's result where there is one and a sentence where there is none."""

    status: GradeStatus
    result: Result | None = None
    told: str = ""


def grade_exercise(
    sandbox: Sandbox, lab: str, exercise: Exercise, source: str, left_out: list[str], seed: Seed
) -> ExerciseGrade:
    """All points of the exercise, which are its importance, or none."""
    secret = _ask(sandbox, exercise, source, draw(exercise, seed.rng(lab, exercise.name)))
    if secret.status == "passed":
        told = Feedback(f"right on all {secret.result.cases} cases", tuple(map(readable, secret.result.notes)))
        return ExerciseGrade(exercise.name, "passed", exercise.importance, exercise.importance, told)
    shown = secret
    if secret.status in _MAY_QUOTE:
        shown = _ask(sandbox, exercise, source, draw(exercise, notebook_rng(lab, exercise.name)))
    return ExerciseGrade(
        exercise.name,
        secret.status,
        0,
        exercise.importance,
        _feedback(exercise, secret, shown, left_out),
        misconception=_misconception(exercise, secret.result),
        evidence=_evidence(secret),
        is_timed=secret.status == "timeout",
    )


def missing(exercise: Exercise, why: str) -> ExerciseGrade:
    """The submission holds nothing to ask."""
    return ExerciseGrade(exercise.name, "missing", 0, exercise.importance, Feedback("", (readable(why),)))


def _ask(sandbox: Sandbox, exercise: Exercise, source: str, cases: list[Case]) -> Answered:
    header = {"kind": "ask", "name": exercise.name, "source": source, "seconds": 2 * exercise.seconds}
    payload = encode([tuple(case.arguments.items()) for case in cases]).encode()
    cpu, wall = limits_seconds(exercise.seconds)
    limits = Limits(memory=MEMORY, cpu_seconds=cpu, wall_seconds=wall)
    reply = sandbox.ask(header, payload, limits)
    if reply.reason == "lost":  # the sandbox died, which no code inside can bring about: once more in a new one
        reply = sandbox.ask(header, payload, limits)
    return judge_reply(exercise, cases, reply)


def judge_reply(exercise: Exercise, cases: list[Case], reply: Reply) -> Answered:
    if reply.reason != "ended":
        status: GradeStatus = "timeout" if reply.reason == "timeout" else "crash"
        return Answered(status, told=_ENDED_BY_US[reply.reason])
    try:
        outcomes = read_outcomes(reply.handed_in, len(cases))
    except ValueError as error:
        return Answered("crash", told=_how_it_died(reply.status, str(error)))
    try:
        result = judge_all(exercise, cases, outcomes)
    except Exception as error:
        for case in cases:
            exercise.judge(case, None)  # raises again where the course is at fault, and then grading must not go on
        return Answered("failed", told=f"What it returned cannot be compared ({type(error).__name__}).")
    if result.status == "passed":
        return Answered("passed", result)
    first = result.yours or outcomes[-1]  # the smallest failing case, where there is one to show
    return Answered(_STATUS_OF_KIND.get(first.kind, "failed"), result, told=first.told)


_ENDED_BY_US = {
    "timeout": "It was still running when its time was over and was stopped: is there a loop without end?",
    "memory": f"It was stopped when it held more than {MEMORY >> 30} GiB of memory.",
    "output": "What it returned is too large to be looked at.",
    "lost": "The process that ran it disappeared twice.",
}


def _how_it_died(status: int, told: str) -> str:
    if status < 0:
        return f"It brought its Python process down (signal {-status}), as endless recursion or damaged memory does."
    if status == 0 and "answers for" not in told:
        return f"Its answer could not be read: {told}."
    return "It ended its Python process instead of returning (`os._exit` or the like)."


def _feedback(exercise: Exercise, secret: Answered, shown: Answered, left_out: list[str]) -> Feedback:
    """Of what happened on the secret cases only the status and the check's own diagnosis are told."""
    hint = _hint_about_names(secret, left_out)
    if secret.status != "failed":
        same = shown.status == secret.status
        return Feedback("", (shown.told if same else "It broke off on inputs other than the notebook's.",))
    if shown.status == "failed" and shown.result is not None:
        card = check_card(exercise, shown.result)
        return Feedback(card.subtitle, (*map(_shown, card.paragraphs), *hint), _clean(card.facts))
    if shown.status != "passed":
        return Feedback("", (shown.told or "It failed.", *hint))
    suspected = _misconception(exercise, secret.result)
    told = (
        f"It is right on the {shown.result.cases} cases that the notebook tries, and wrong on others of the same kind.",
        f"It looks as if {suspected}" if suspected else "Which inputs does it not expect?",
    )
    return Feedback("", (*told, *hint))


def _shown(text: str) -> str:
    return readable(text, 600)


def _clean(facts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((label, _shown(value)) for label, value in facts)


def _hint_about_names(secret: Answered, left_out: list[str]) -> tuple[str, ...]:
    outcome = secret.result.yours if secret.result else None
    if not left_out or outcome is None or outcome.raised is None or outcome.raised.type != "NameError":
        return ()
    names = ", ".join(f"`{readable(name, 40)}`" for name in left_out[:5])
    return (
        f"It uses {names} from another cell. Only imports, definitions and literal assignments are carried over when"
        " it is graded; give the function what it needs as an argument or inside it.",
    )


def _misconception(exercise: Exercise, result: Result | None) -> str:
    """The diagnosis, if it is one the check itself knows."""
    if result is None or not isinstance(exercise.judge, OracleJudge):
        return ""
    known = [misconception.says for misconception in exercise.judge.misconceptions]
    return next((says for says in known if says in result.diagnosis), "")


def _evidence(secret: Answered) -> str:
    """The smallest failing input drawn from the secret seed, for the instructor."""
    result: Any = secret.result
    if result is None or result.case is None:
        return secret.told
    given = ", ".join(f"{name}={picture(value)}" for name, value in result.case.arguments.items())
    return readable(f"{result.problem} Input: {given}", 1000)
