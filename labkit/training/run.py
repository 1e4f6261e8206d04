"""`train`: from a recipe's name to a model in transformers' own format, over as many sittings as it takes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from labkit.data import shipped
from labkit.measure.report import Report, Table, si
from labkit.models.decoder import Decoder
from labkit.models.loading import load
from labkit.models.placement import choose_device
from labkit.models.saving import save
from labkit.models.shipped import shipped_folders
from labkit.training.averaging import settle
from labkit.training.checkpoint import Progress, load_checkpoint
from labkit.training.growth import grow
from labkit.training.loop import Run, run_stage
from labkit.training.optimiser import initial
from labkit.training.packing import Batch
from labkit.training.recipes import RECIPES, Recipe
from labkit.training.stream import held_out, stream
from labkit.training.validation import validation_batches


@dataclass(frozen=True)
class Training(Report):
    """What a sitting left: the model's folder, the progress over all sittings, and whether the recipe is finished."""

    name: str
    folder: Path
    finished: bool
    parameters: int
    progress: Progress

    def table(self) -> Table:
        rows = [
            [point["stage"], point["step"], si(point["tokens"])]
            + [point.get(figure) for figure in ("loss", "exact_match", "validation_loss")]
            for point in self.progress.curve
        ]
        columns = [
            "stage",
            "step",
            "tokens so far",
            "loss (nats a learned token)",
            "held-out exact match",
            "validation loss",
        ]
        return Table(
            f"Training of {self.name}, {si(self.parameters)} parameters",
            columns,
            rows,
            self.progress.spent(self.finished),
        )


def train(
    name: str,
    out: str | Path = "bench/training",
    minutes: float = 75,
    device: str = "auto",
    workers: int = 1,
) -> Training:
    """Trains the recipe `name` for at most `minutes`, from where the last sitting stopped, and saves the model.

    `out`/`name` gets the checkpoint and, in bf16, `model/` that transformers and `labkit.models.load` read. `workers`
    processes (at most 2) make batches ahead. The batches do not depend on it, nor on the device.

    Raises `ValueError` for an unknown name, more than 2 workers, a checkpoint of another model or a loss that is lost.
    """
    recipe = _recipe(name)
    if not 0 <= workers <= 2:
        raise ValueError(f"workers is 0, 1 or 2; got {workers}.")
    tokenizer = AutoTokenizer.from_pretrained(shipped("tokenizer"))
    held_out = validation_batches(tokenizer)
    return train_recipe(recipe, tokenizer, Path(out) / name, minutes, device, workers, held_out)


def train_recipe(
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    minutes: float = 75,
    device: str = "auto",
    workers: int = 0,
    validation: Sequence[Batch] = (),
) -> Training:
    """The same for a recipe of your own, into `folder`, its loss followed on `validation` where there is some."""
    deadline = time.monotonic() + 60 * minutes
    model, before = _beginning(recipe, folder)
    model = model.to(choose_device(device)).train()
    steps = recipe.optimiser(model)
    run = Run(model, steps, load_checkpoint(folder, model, steps) or before, folder, validation)
    finished = _stages(run, recipe, tokenizer, deadline, workers)
    saved = save_model(model, folder / "model", tokenizer)
    return Training(recipe.name, saved, finished, sum(p.numel() for p in model.parameters()), run.progress)


def trained(name: str, out: str | Path = "bench/training") -> Training:
    """What the sittings of `train` left so far. Raises `ValueError` where there were none, or for an unknown name."""
    recipe, folder = _recipe(name), Path(out) / name
    model = initial(recipe.config, recipe.seed)
    progress = load_checkpoint(folder, model, recipe.optimiser(model))
    if progress is None:
        raise ValueError(f"{folder} holds no checkpoint: train it first with `labkit train {name}`.")
    finished = progress.stage == len(recipe.stages)
    return Training(name, folder / "model", finished, sum(p.numel() for p in model.parameters()), progress)


def _recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ValueError(f"No recipe is called {name!r}; there are {', '.join(RECIPES)}.")
    return RECIPES[name]


def _beginning(recipe: Recipe, folder: Path) -> tuple[Decoder, Progress]:
    """The model before its first step: drawn at random, or grown from the one before it, whose record it goes on with.

    So two models that grow from one have seen equal tokens after equal steps, and the record says how many.
    """
    if recipe.grown_from is None:
        return initial(recipe.config, recipe.seed), Progress()
    small, done = _grown_from(RECIPES[recipe.grown_from], folder.parent, recipe.name)
    return grow(small, recipe.config, recipe.seed), dataclasses.replace(done, stage=0, step=0)


def _grown_from(before: Recipe, out: Path, wanted_by: str) -> tuple[Decoder, Progress]:
    """The finished model in `out` and its record, or the one that comes with the course, without."""
    small = initial(before.config, before.seed)
    done = load_checkpoint(out / before.name, small, before.optimiser(small))
    if done is not None and done.stage == len(before.stages):
        return small, done
    if before.name in shipped_folders():
        return load(before.name, device="cpu", dtype="float32").model, Progress()
    raise ValueError(f"{wanted_by} grows from {before.name}: first finish `labkit train {before.name}`.")


def _stages(run: Run, recipe: Recipe, tokenizer: PreTrainedTokenizerFast, deadline: float, workers: int) -> bool:
    for stage in recipe.stages[run.progress.stage :]:
        batches = stream(stage, tokenizer, recipe.seed, run.progress.step, workers)
        if not run_stage(run, stage, batches, held_out(stage, tokenizer), deadline):
            return False
        settle(run.optimiser)
        run.progress.stage, run.progress.step = run.progress.stage + 1, 0
        run.save()
    return True


def save_model(model: Decoder, folder: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A copy of the model in bf16, the form that ships; the one in training stays as it is."""
    copy = Decoder(model.config)
    copy.load_state_dict(model.state_dict())
    return save(copy.to(torch.bfloat16), folder, tokenizer)
