"""How far a learner is: exercises, predictions, minutes left."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from labkit.course.catalogue import LabChecks
from labkit.course.records import Calibration, ExerciseRecord, Records
from labkit.course.store import Store
from labkit.measure.report import Report, Table


@dataclasses.dataclass(frozen=True)
class Progress(Report):
    """`rows` are lab, item, state and minutes left, one an exercise or prediction."""

    title: str
    rows: tuple[tuple[str, str, str, int], ...]
    calibration: Calibration

    @property
    def minutes_left(self) -> int:
        return sum(minutes for *_, minutes in self.rows)

    @property
    def next_exercise(self) -> str | None:
        """The first exercise that is not passed."""
        return next((item for _, item, _, minutes in self.rows if minutes), None)

    def table(self) -> Table:
        rows = [[lab, item, state, minutes or ""] for lab, item, state, minutes in self.rows]
        note = f"{self.minutes_left} minutes of exercises left. {self.calibration}"
        return Table(self.title, ["lab", "item", "state", "minutes left"], rows, note)


def progress_of(labs: Sequence[LabChecks], store: Store) -> Progress:
    """The progress over `labs`, read from one learner's store."""
    rows: list[tuple[str, str, str, int]] = []
    for lab in labs:
        records = Records(store, lab.number)
        for exercise in lab.exercises.values():
            record = records.exercise(exercise.name)
            rows.append((lab.number, exercise.name, _state(record), 0 if record.passed else exercise.minutes))
        rows += [(lab.number, name, _predicted(records, name), 0) for name in lab.predictions]
    title = f"Lab {labs[0].number}: {labs[0].title}" if len(labs) == 1 else "Progress"
    return Progress(title, tuple(rows), Records(store, "").calibration())


def _state(record: ExerciseRecord) -> str:
    state = "✓ passed" if record.passed else "✗ not yet" if record.attempts else "○ not started"
    seen = [f"{record.hints} of 3 hints"] if record.hints else []
    seen += ["solution seen"] if record.solution_seen else []
    return ", ".join([state, *seen])


def _predicted(records: Records, name: str) -> str:
    record = records.prediction(name)
    if record is None:
        return "○ no prediction"
    return "■ locked" if record.factor is None else f"■ measured, off by {record.factor:.2g}x"
