"""What a stopped run goes on from: weights, optimiser, place in the curriculum and the curve so far.

Written beside the old one and then put in its place, so a stop at any moment leaves a whole checkpoint. Tensors are
safetensors, the rest JSON: opening one never runs code.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from labkit.measure.report import si
from labkit.models.decoder import Decoder

FILE = "checkpoint.safetensors"


@dataclass
class Progress:
    """Where a run stands: stage and step within it, tokens and seconds so far, and a point a check in `curve`."""

    stage: int = 0
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float | str]] = field(default_factory=list)

    def spent(self, finished: bool) -> str:
        """Tokens and time so far, in a sentence."""
        state = "finished" if finished else "not finished; the same command goes on"
        return f"{si(self.tokens)} tokens in {self.seconds / 60:.0f} min, {state}."


def save_checkpoint(folder: Path, model: Decoder, optimiser: torch.optim.Optimizer, progress: Progress) -> Path:
    """Replaces the checkpoint in `folder`; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": p.detach() for name, p in model.named_parameters()}
    for n, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{n}.{key}": torch.as_tensor(value) for key, value in state.items()}
    whole = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    new = folder / f"{FILE}.new"
    save_file(whole, new, metadata={"progress": json.dumps(dataclasses.asdict(progress))})
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    new.replace(folder / FILE)
    return folder / FILE


def load_checkpoint(folder: Path, model: Decoder, optimiser: torch.optim.Optimizer) -> Progress | None:
    """Fills model and optimiser from the checkpoint in `folder` and returns its progress; None where there is none.

    Raises `ValueError` naming the file if it is another model's.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    with safe_open(path, framework="pt", device="cpu") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        progress = Progress(**json.loads(file.metadata()["progress"]))
    weights = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    own = dict(model.named_parameters())
    if {n: t.shape for n, t in weights.items()} != {n: p.shape for n, p in own.items()}:
        raise ValueError(f"{path} is the checkpoint of another model; train into an empty folder.")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, number, key = name.split(".")
            state.setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return progress
