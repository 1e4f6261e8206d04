"""What the course says: one function a card. Pure; nothing here stores, runs or displays."""

from __future__ import annotations

from labkit.course.cards.card import Card, Status
from labkit.course.describe import picture
from labkit.course.exercise import Exercise, Prediction
from labkit.course.judgement import Result
from labkit.course.progress import Progress
from labkit.course.records import Calibration, PredictionRecord

_SHOWN_PRINT = 600


def welcome_card(progress: Progress) -> Card:
    """Where a learner who comes back goes on."""
    if progress.next_exercise is None:
        told = "All exercises of this lab are passed; `lab.progress()` tells more."
        return Card(Status.PASSED, progress.title, "", (told,))
    left = f"{progress.minutes_left} minutes of exercises are left"
    return Card(Status.NOTE, progress.title, "", (f"You were here before. Next: `{progress.next_exercise}`; {left}.",))


def check_card(exercise: Exercise, result: Result) -> Card:
    """The verdict on one exercise."""
    title = f"`{exercise.name}`"
    if result.status == "not started":
        way = f'Put your code where `raise NotImplementedError` stands. Stuck? `lab.hint("{exercise.name}")`'
        return Card(Status.OPEN, title, rating(exercise), (way,))
    if result.status == "interrupted":
        return Card(Status.FAILED, title, rating(exercise), (result.problem,))
    if result.status == "passed":
        cases = "the one case" if result.cases == 1 else f"all {result.cases} cases"
        return Card(Status.PASSED, title, f"right on {cases}", result.notes, _printed(result))
    paragraphs = [result.problem]
    if result.diagnosis and result.diagnosis != result.problem:
        paragraphs.append(f"It looks as if {result.diagnosis}" if _is_clause(result.diagnosis) else result.diagnosis)
    return Card(
        Status.FAILED,
        title,
        f"{result.failed} of {result.cases} cases",
        tuple(paragraphs),
        (*_evidence(result), *_printed(result)),
    )


def rating(exercise: Exercise) -> str:
    """
    >>> rating(Exercise("f", list, print, ("a", "b", "c"), difficulty=2, importance=4, minutes=5))
    'difficulty 2 of 5, importance 4 of 5, about 5 minutes'
    """
    return (
        f"difficulty {exercise.difficulty} of 5, importance {exercise.importance} of 5,"
        f" about {exercise.minutes} minute{'' if exercise.minutes == 1 else 's'}"
    )


def hint_card(exercise: Exercise, opened: int, call: bool = True) -> Card:
    """The hints opened so far, each folded but the last. `call` says how to go on, where no button does."""
    folds = tuple((f"Hint {n} of 3", hint) for n, hint in enumerate(exercise.hints[:opened], 1))
    if opened < 3:
        more = f'Again for hint {opened + 1}: `lab.hint("{exercise.name}")`'
    else:
        more = f'That was the last one. The solution: `lab.solution("{exercise.name}")`'
    return Card(Status.NOTE, f"Hints for `{exercise.name}`", "", (more,) if call else (), folds=folds)


def solution_card(exercise: Exercise, source: str) -> Card:
    told = "It counts as seen. Close it, write your own, and let the check look at that."
    return Card(Status.NOTE, f"Solution of `{exercise.name}`", "", (told,), code=source)


def predicted_card(prediction: Prediction, record: PredictionRecord, is_new: bool, given: float) -> Card:
    """Locked now, or locked before and kept."""
    value = prediction.show(record.value)
    if is_new:
        told = "Now measure; `lab.reveal` tells how far off you were."
    elif given == record.value:
        told = "This prediction is locked already."
    else:
        told = f"Your first prediction is kept; {prediction.show(given)} was not taken."
    return Card(Status.LOCKED, prediction.name, "", (prediction.question, told), (("you predict", value),))


def refused_card(name: str, question: str, problem: str) -> Card:
    return Card(Status.OPEN, name, "nothing is locked", tuple(filter(None, (question, problem))))


def revealed_card(
    prediction: Prediction, record: PredictionRecord | None, measured: float, so_far: Calibration
) -> Card:
    """How far off, and in which direction."""
    shown = ("measured", prediction.show(measured))
    if record is None:
        told = f'You made no prediction here; next time `lab.predict("{prediction.name}", ...)` first, it is worth it.'
        return Card(Status.NOTE, prediction.name, "", (told,), (shown,))
    factor = record.factor
    if factor < 1.05:
        verdict = "Spot on: within 5 %."
    else:
        verdict = f"You were off by {factor:.2g}x ({'over' if record.value > measured else 'under'})."
    facts = (("you predicted", prediction.show(record.value)), shown)
    return Card(Status.NOTE, prediction.name, "", (verdict, str(so_far)), facts)


def _evidence(result: Result) -> list[tuple[str, str]]:
    label = f" ({result.case.label})" if result.case.label else ""
    given = "\n".join(f"{name} = {picture(value)}" for name, value in result.case.arguments.items())
    facts = [(f"smallest failing input{label}", given or "no argument")]
    if result.yours.kind == "returned":
        facts.append(("yours", picture(result.yours.value)))
    if result.verdict.expected is not None or result.yours.kind == "returned":
        facts.append(("expected", picture(result.verdict.expected)))
    return facts


def _printed(result: Result) -> list[tuple[str, str]]:
    text = result.printed.strip()
    return [("it printed", text if len(text) <= _SHOWN_PRINT else f"{text[:_SHOWN_PRINT]} ...")] if text else []


def _is_clause(diagnosis: str) -> bool:
    return diagnosis.startswith("you ")
