"""Recorded trainings that differ in size alone, and the ones the course ships."""

from __future__ import annotations

import json
from dataclasses import dataclass

from labkit.data import shipped
from labkit.measure.report import Report, Table, si

FILE = "reference/scaling-python.json"
"""Below data/."""


@dataclass(frozen=True)
class ScalingRun:
    """One width. `parameters` leaves the embedding table out, which the head shares; `losses` stand after `tokens`."""

    hidden_size: int
    parameters: int
    embedding: int
    tokens: tuple[int, ...]
    losses: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class Scaling(Report):
    """Trainings that differ in width alone. Losses: nats a token on `held_out_tokens` of unseen text."""

    text: str
    held_out_tokens: int
    layers: int
    machine: str
    versions: str
    date: str
    runs: tuple[ScalingRun, ...]

    def table(self) -> Table:
        rows = [
            [run.hidden_size, si(run.parameters), si(run.embedding), si(run.tokens[-1]), f"{run.losses[-1]:.3f}"]
            for run in self.runs
        ]
        columns = ["width", "parameters without embedding", "embedding", "tokens", "held-out loss (nats a token)"]
        return Table(f"{self.layers} layers on {self.text}", columns, rows, f"{self.machine}, {self.date}")


def recorded_scaling() -> Scaling:
    """The trainings that ship with the course. Raises `labkit.data.ShippedFileError` where the file is damaged."""
    raw = json.loads(shipped(FILE).read_text(encoding="utf-8"))
    runs = (run | {"tokens": tuple(run["tokens"]), "losses": tuple(run["losses"])} for run in raw["runs"])
    return Scaling(**raw | {"runs": tuple(ScalingRun(**run) for run in runs)})
