"""The record of a training that ships with its weights: the curve, for whoever compares two models."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from labkit.data import shipped
from labkit.training.checkpoint import Progress

FILE = "training.json"


def write_record(folder: Path, progress: Progress) -> Path:
    """Writes `training.json` beside the weights; returns the file."""
    file = folder / FILE
    file.write_text(json.dumps(dataclasses.asdict(progress), indent=1) + "\n", encoding="utf-8")
    return file


def recorded(name: str) -> Progress:
    """The record of a shipped model. Raises `ShippedFileError` where there is none."""
    return Progress(**json.loads(shipped(f"models/{name}/{FILE}").read_text(encoding="utf-8")))


def validation_losses(progress: Progress) -> dict[tuple[str, int], tuple[int, float]]:
    """By stage and step: the tokens trained on so far, and the validation loss then in nats a learned token."""
    return {
        (str(point["stage"]), int(point["step"])): (int(point["tokens"]), float(point["validation_loss"]))
        for point in progress.curve
        if "validation_loss" in point
    }
