"""`lab = lk.Lab("00")`: the learner's side of one lab.

It ties the parts together and shows cards; each part stands on its own in this room. No method raises for what a
learner may get wrong: a card says it in a sentence, and the notebook runs on.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

from labkit.course import messages
from labkit.course.cards.card import Card, Status
from labkit.course.cards.show import is_live, show
from labkit.course.catalogue import load_checks, notebook_path
from labkit.course.exercise import Exercise, Prediction
from labkit.course.judgement import ask_all, draw, judge_all
from labkit.course.ledger import Ledger
from labkit.course.notebook import read_notebook, solution_of
from labkit.course.progress import Progress, progress_of
from labkit.course.records import Records
from labkit.course.store import Store
from labkit.course.unwritten import unwritten

F = TypeVar("F", bound=Callable[..., Any])


class Lab:
    """One lab by its number, with the exercises and predictions of its check module."""

    def __init__(self, number: str | int) -> None:
        self._checks = load_checks(number)
        self._store = Store()
        self._records = Records(self._store, self.number)
        self._seen: dict[str, float] = {}  # results shown before they were predicted
        self.ledger = Ledger(self._store, self.number, self._show)
        if any(self._records.exercise(name).attempts for name in self._checks.exercises):
            self._show(messages.welcome_card(self.progress()))

    @property
    def number(self) -> str:
        return self._checks.number

    @property
    def title(self) -> str:
        return self._checks.title

    def __repr__(self) -> str:
        return f"Lab {self.number}: {self.title}"

    def check(self, function: F) -> F:
        """Decorator: runs the exercise's cases at once, shows a card, and returns the function as it was.

        One that is not written yet comes back as a stand-in, which says so when a later cell calls it.
        """
        exercise = self._find(self._checks.exercises, "exercise", getattr(function, "__name__", repr(function)))
        if exercise is None:
            return function
        _bind(function)
        cases = draw(exercise, notebook_rng(self.number, exercise.name))
        result = judge_all(exercise, cases, ask_all(exercise, function, cases))
        if result.status in ("passed", "failed"):
            self._records.attempt(exercise.name, passed=result.status == "passed")
        helps = self._help(exercise) if result.status in ("failed", "not started") and is_live() else None
        self._show(messages.check_card(exercise, result), helps)
        return unwritten(function) if result.status == "not started" else function

    def predict(self, name: str, value: float) -> None:
        """Lock a number before measuring it. The first one counts; running the cell again keeps it."""
        prediction = self._find(self._checks.predictions, "prediction", name)
        if prediction is None:
            return
        problem = _prediction_problem(prediction, value)
        if name in self._seen and self._records.prediction(name) is None:
            problem = f"You have seen the result already ({prediction.show(self._seen[name])}); it is not counted."
        if problem:
            self._show(messages.refused_card(name, prediction.question, problem))
            return
        is_new = self._records.lock(name, float(value))
        self._show(messages.predicted_card(prediction, self._records.prediction(name), is_new, float(value)))

    def reveal(self, name: str, measured: float) -> None:
        """Put the measurement beside the prediction: off by which factor, and how calibrated over the course."""
        prediction = self._find(self._checks.predictions, "prediction", name)
        if prediction is None:
            return
        if not _is_positive(measured):
            told = f"A measurement is a number above 0, not {measured!r:.60}; nothing is compared."
            self._show(messages.refused_card(name, "", told))
            return
        self._records.measure(name, float(measured))
        record = self._records.prediction(name)
        if record is None:
            self._seen[name] = float(measured)
        self._show(messages.revealed_card(prediction, record, float(measured), self._records.calibration()))

    def hint(self, name: str) -> None:
        """Open one more of the exercise's three hints."""
        exercise = self._find(self._checks.exercises, "exercise", name)
        if exercise is not None:
            number = min(self._records.exercise(name).hints + 1, 3)
            self._records.open_hint(name, number)
            self._show(messages.hint_card(exercise, number))

    def solution(self, name: str) -> None:
        """Show the solution from the course's own notebook; it counts as seen."""
        exercise = self._find(self._checks.exercises, "exercise", name)
        if exercise is not None:
            self._show(self._open_solution(exercise))

    def progress(self) -> Progress:
        """This lab's exercises and predictions, and the minutes left."""
        return progress_of([self._checks], self._store)

    def _open_solution(self, exercise: Exercise) -> Card:
        try:
            source = solution_of(read_notebook(notebook_path(self.number)), exercise.name)
        except (OSError, ValueError) as error:
            return Card(Status.NOTE, f"Solution of `{exercise.name}`", "", (str(error),))
        self._records.see_solution(exercise.name)
        return messages.solution_card(exercise, source)

    def _help(self, exercise: Exercise) -> Any:
        """The buttons below a card that is not passed."""
        from labkit.course.cards.controls import controls

        def open_hint(number: int) -> Card:
            self._records.open_hint(exercise.name, number)
            return messages.hint_card(exercise, number, call=False)

        return controls(self._records.exercise(exercise.name).hints, open_hint, lambda: self._open_solution(exercise))

    def _find(self, known: dict[str, Any], noun: str, name: Any) -> Any:
        found = known.get(name) if isinstance(name, str) else None
        if found is None:
            names = ", ".join(f"`{n}`" for n in known) or "none"
            self._show(Card(Status.NOTE, f"Lab {self.number} has no {noun} `{name!s:.60}`", "", (f"It has {names}.",)))
        return found

    def _show(self, card: Card, below: Any = None) -> None:
        show(card, below)
        for notice in self._store.take_notices():
            show(Card(Status.NOTE, "Your progress file", "", (notice,)))


def _bind(function: Callable[..., Any]) -> None:
    """Give a top-level function its name now, for one that calls itself: Python does so only after its decorator."""
    if isinstance(function, FunctionType) and function.__qualname__ == function.__name__:
        function.__globals__[function.__name__] = function


def notebook_rng(lab: str, exercise: str) -> np.random.Generator:
    """The notebook's cases: the same for every learner and every run. The grader brings a seed of its own."""
    return np.random.default_rng([int(lab), zlib.crc32(exercise.encode())])


def _prediction_problem(prediction: Prediction, value: Any) -> str:
    if value is None or value is ...:
        return "Put your number in place of the dots and run the cell; a rough guess is what it is for."
    if _is_positive(value):
        return ""
    unit = f" in {prediction.unit}" if prediction.unit else ""
    return f"A prediction is one number above 0{unit}, not {value!r:.60}."


def _is_positive(value: Any) -> bool:
    if isinstance(value, str | bytes | bool | np.bool_):
        return False
    try:
        return math.isfinite(float(value)) and float(value) > 0
    except (TypeError, ValueError, OverflowError, RuntimeError):  # RuntimeError: a tensor of many elements
        return False
