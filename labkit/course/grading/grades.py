"""What is known about one submission after grading, as it is written to its JSON file."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from labkit.course.cards.card import Card, Status

GradeStatus = Literal["passed", "failed", "timeout", "crash", "missing", "blocked"]
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Feedback:
    """What a student reads about one exercise. No input drawn from the secret seed stands here."""

    subtitle: str = ""
    paragraphs: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class ExerciseGrade:
    """`misconception` is a diagnosis of the check's own, never text that came from the submission. `evidence` is for
    the instructor: it may show inputs drawn from the secret seed. `is_timed`: another machine might say otherwise.
    *Blocked* is what could not be asked on this machine; a run on one that has the hardware asks it.
    """

    exercise: str
    status: GradeStatus
    points: float
    possible: float
    feedback: Feedback
    misconception: str = ""
    evidence: str = ""
    is_timed: bool = False

    def card(self) -> Card:
        """The feedback as the card that the notebook would show."""
        status = {"passed": Status.PASSED, "missing": Status.OPEN}.get(self.status, Status.FAILED)
        title = f"`{self.exercise}`, {self.points:g} of {self.possible:g} points"
        return Card(status, title, self.feedback.subtitle, self.feedback.paragraphs, self.feedback.facts)


@dataclasses.dataclass(frozen=True)
class Grade:
    """One submission of one student. `problem` says why the whole of it could not be read, or is empty."""

    student: str
    lab: str
    notebook: str
    sha256: str
    seed: str
    checks: str
    sandbox: Literal["bubblewrap", "none: --unsafe"]
    exercises: tuple[ExerciseGrade, ...]
    problem: str = ""

    @property
    def points(self) -> float:
        return sum(exercise.points for exercise in self.exercises)

    @property
    def possible(self) -> float:
        return sum(exercise.possible for exercise in self.exercises)

    def to_json(self) -> dict[str, Any]:
        totals = {"points": self.points, "possible": self.possible}
        return {"format": FORMAT, **dataclasses.asdict(self), **totals}

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Grade:
        """`ValueError` when it is not what `to_json` writes."""
        if not isinstance(tree, dict) or tree.get("format") != FORMAT:
            raise ValueError("This is no grade of this version of labkit.")
        own = {field.name: tree[field.name] for field in dataclasses.fields(cls)}
        return cls(**{**own, "exercises": tuple(map(_exercise_from_json, own["exercises"]))})


def _exercise_from_json(tree: dict[str, Any]) -> ExerciseGrade:
    told = tree["feedback"]
    facts = tuple((label, value) for label, value in told["facts"])
    return ExerciseGrade(**{**tree, "feedback": Feedback(told["subtitle"], tuple(told["paragraphs"]), facts)})
