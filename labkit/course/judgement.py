"""From the outcomes of all cases to one result: the smallest failing input, and the diagnosis that fits them all.

Pure: it calls the exercise's judge, never the learner's function. The notebook and the grader share it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from labkit.course.describe import size
from labkit.course.exercise import Case, Exercise, Raised, Verdict
from labkit.course.oracle import OracleJudge
from labkit.course.probe import Outcome, probe

Status = Literal["passed", "failed", "not started", "interrupted"]


@dataclasses.dataclass(frozen=True)
class Result:
    """What is told about one exercise. `case`, `yours` and `expected` belong to the smallest failing input."""

    status: Status
    cases: int
    failed: int = 0
    problem: str = ""
    diagnosis: str = ""
    case: Case | None = None
    yours: Outcome | None = None
    verdict: Verdict | None = None
    notes: tuple[str, ...] = ()
    printed: str = ""


def draw(exercise: Exercise, rng: np.random.Generator) -> list[Case]:
    """The exercise's cases, smallest input first, so that the first failure is the smallest."""
    cases = exercise.cases(rng)
    if not cases:
        raise ValueError(f"Exercise {exercise.name!r} has no cases.")
    return sorted(cases, key=lambda case: sum(map(size, case.arguments.values())))


def ask_all(exercise: Exercise, function: Callable[..., Any], cases: Sequence[Case]) -> list[Outcome]:
    """Probe each case within the time of the exercise; stops early where going on teaches nothing."""
    outcomes: list[Outcome] = []
    left = exercise.seconds
    for case in cases:
        started = time.monotonic()
        outcomes.append(probe(function, case.arguments, left))
        left = max(left - (time.monotonic() - started), 0.01)
        if outcomes[-1].kind in ("not started", "timeout", "exited", "interrupted"):
            break
    if outcomes[-1].kind == "timeout" and len(outcomes) > 1:
        told = (
            f"Its {len(cases)} cases may take {exercise.seconds:g} s together; it was stopped in case {len(outcomes)},"
            " smallest first: is there a loop without end, or does it take longer than it must?"
        )
        outcomes[-1] = dataclasses.replace(outcomes[-1], told=told)
    return outcomes


def judge_all(exercise: Exercise, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> Result:
    """One result from the outcomes of `cases`; `outcomes` may be shorter when asking stopped early."""
    judged = [
        (case, outcome, _verdict(exercise, case, outcome)) for case, outcome in zip(cases, outcomes, strict=False)
    ]
    if outcomes[0].kind == "not started":
        return Result("not started", len(cases), problem=outcomes[0].told)
    if outcomes[-1].kind == "interrupted":
        return Result("interrupted", len(cases), problem=outcomes[-1].told)
    failing = [item for item in judged if not item[2].passed]
    if not failing:
        notes = tuple(dict.fromkeys(note for _, _, verdict in judged for note in verdict.notes))
        return Result("passed", len(cases), notes=notes, printed=judged[0][1].printed)
    case, outcome, verdict = failing[0]
    diagnosis = outcome.told or _diagnosis([v for *_, v in judged])
    return Result(
        "failed", len(cases), len(failing), verdict.problem, diagnosis, case, outcome, verdict, (), outcome.printed
    )


def _verdict(exercise: Exercise, case: Case, outcome: Outcome) -> Verdict:
    if outcome.kind == "returned":
        output = outcome.value
    elif outcome.kind == "raised" and outcome.raised is not None:
        output = outcome.raised
    else:  # nothing to judge: an empty sentence here would be read as a right answer
        return Verdict(outcome.told or f"There is no value to judge ({outcome.kind}).")
    if isinstance(output, Raised) and not isinstance(exercise.judge, OracleJudge):
        return Verdict(str(output))
    try:
        return exercise.judge(case, output)
    except Exception as error:
        if isinstance(exercise.judge, OracleJudge):  # it takes any output; what fails is the oracle, an error of ours
            raise
        return Verdict(f"The check cannot read what it returned ({type(error).__name__}: {error}).")


def _diagnosis(verdicts: Sequence[Verdict]) -> str:
    """The suspect that agrees with every failing case, if possible with the passing ones too.

    Failing that, one that agrees with at least half of the failing cases, told as such; otherwise none.
    """
    failing = [v for v in verdicts if not v.passed]
    suspects = list(dict.fromkeys(s for v in failing for s in v.suspects))
    if not suspects:
        return ""

    def agreement(suspect: str) -> tuple[int, int]:
        return sum(suspect in v.suspects for v in failing), sum(suspect in v.suspects for v in verdicts)

    best = max(suspects, key=agreement)
    share = agreement(best)[0]
    if agreement(best) == (len(failing), len(verdicts)):
        return best
    if share == len(failing):  # a right answer elsewhere speaks against it, so it is told with that reservation
        return f"On the failing cases alone, it looks as if {best}" if best.startswith("you ") else best
    return f"In {share} of {len(failing)} failing cases: {best}" if 2 * share >= len(failing) else ""
