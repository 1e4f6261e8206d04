"""What the store says in the course's words: attempts, hints and solutions seen, predictions and how good they were."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time

from labkit.course.exercise import off_by
from labkit.course.store import Store


@dataclasses.dataclass(frozen=True)
class ExerciseRecord:
    attempts: int = 0
    passed: bool = False
    hints: int = 0
    solution_seen: bool = False


@dataclasses.dataclass(frozen=True)
class PredictionRecord:
    value: float
    measured: float | None

    @property
    def factor(self) -> float | None:
        """How many times off, at least 1; None before the measurement."""
        return None if self.measured is None else off_by(self.value, self.measured)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Over all revealed predictions of the course. Factors are medians; `earlier` and `later` halve them in time."""

    count: int
    median: float | None = None
    earlier: float | None = None
    later: float | None = None

    def __str__(self) -> str:
        if not self.count:
            return "No prediction has been measured yet."
        noun = "prediction" if self.count == 1 else "predictions"
        text = f"Over {self.count} measured {noun} you were off by a median factor of {self.median:.2g}"
        if self.earlier is None or self.later is None:
            return text + "."
        trend = "better" if self.later < self.earlier else "no better" if self.later > self.earlier else "the same"
        return f"{text}; the later half is {trend} ({self.earlier:.2g} to {self.later:.2g})."


FEWEST_FOR_A_TREND = 6


class Records:
    """Reads and writes one lab's rows; the calibration is over all labs."""

    def __init__(self, store: Store, lab: str) -> None:
        self.store = store
        self.lab = lab

    def exercise(self, name: str) -> ExerciseRecord:
        query = "SELECT attempts, passed_at IS NOT NULL, hints, solution_at IS NOT NULL FROM exercise"
        rows = self.store.read(f"{query} WHERE lab = ? AND name = ?", (self.lab, name))
        return ExerciseRecord(rows[0][0], bool(rows[0][1]), rows[0][2], bool(rows[0][3])) if rows else ExerciseRecord()

    def attempt(self, name: str, passed: bool) -> None:
        self._upsert(name, "attempts, passed_at", (1, time.time() if passed else None), "attempts = attempts + 1, "
                     "passed_at = coalesce(passed_at, excluded.passed_at)")  # fmt: skip

    def open_hint(self, name: str, number: int) -> None:
        self._upsert(name, "hints", (number,), "hints = max(hints, excluded.hints)")

    def see_solution(self, name: str) -> None:
        self._upsert(name, "solution_at", (time.time(),), "solution_at = coalesce(solution_at, excluded.solution_at)")

    def lock(self, name: str, value: float) -> bool:
        """False when a prediction stood already: the first one, of whichever kernel, is kept."""
        statement = "INSERT OR IGNORE INTO prediction (lab, name, value, at) VALUES (?, ?, ?, ?)"
        return self.store.write(statement, (self.lab, name, value, time.time())) == 1

    def prediction(self, name: str) -> PredictionRecord | None:
        rows = self.store.read("SELECT value, measured FROM prediction WHERE lab = ? AND name = ?", (self.lab, name))
        return PredictionRecord(*rows[0]) if rows else None

    def measure(self, name: str, measured: float) -> None:
        statement = "UPDATE prediction SET measured = ? WHERE lab = ? AND name = ?"
        self.store.write(statement, (measured, self.lab, name))

    def calibration(self) -> Calibration:
        query = "SELECT value, measured FROM prediction WHERE measured IS NOT NULL ORDER BY at"
        errors = [abs(math.log(value / measured)) for value, measured in self.store.read(query)]
        if not errors:
            return Calibration(0)
        half = len(errors) // 2 if len(errors) >= FEWEST_FOR_A_TREND else 0
        halves = (
            [math.exp(statistics.median(part)) for part in (errors[:half], errors[half:])] if half else [None, None]
        )
        return Calibration(len(errors), math.exp(statistics.median(errors)), *halves)

    def _upsert(self, name: str, columns: str, values: tuple, update: str) -> None:
        marks = ", ".join("?" * len(values))
        self.store.write(
            f"INSERT INTO exercise (lab, name, {columns}) VALUES (?, ?, {marks})"
            f" ON CONFLICT (lab, name) DO UPDATE SET {update}",
            (self.lab, name, *values),
        )
