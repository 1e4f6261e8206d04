"""`train_embedding`: from a recipe to a folder that sentence-transformers loads, over as many sittings as it takes."""

from __future__ import annotations

import logging
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoTokenizer, ModernBertModel, PreTrainedTokenizerBase

from labkit.data import shipped
from labkit.measure.progress import progress
from labkit.measure.report import Report, Table, si
from labkit.models.placement import choose_device
from labkit.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from labkit.training.embedding.contrasts import Contrast, contrasts
from labkit.training.embedding.encoder import TextEncoder
from labkit.training.embedding.objective import info_nce, top_one
from labkit.training.embedding.recipe import EMBEDDING, EmbeddingRecipe
from labkit.training.embedding.saving import save_encoder
from labkit.training.loop import SAVE_EVERY, precision, update
from labkit.training.optimiser import adamw, learning_rate

logger = logging.getLogger(__name__)
POINT_EVERY = 25
"""Steps that one point of the curve averages."""


@dataclass(frozen=True)
class EmbeddingTraining(Report):
    """What a sitting left: the encoder's folder, the progress over all sittings, whether the recipe is finished."""

    name: str
    folder: Path
    finished: bool
    parameters: int
    progress: Progress

    def table(self) -> Table:
        rows = [[p["step"], si(p["tokens"]), p["loss"], f"{p['top_one']:.1%}"] for p in self.progress.curve]
        columns = ["step", "tokens so far", "loss (nats a question)", "nearest document answers"]
        return Table(
            f"Training of {self.name}, {si(self.parameters)} parameters",
            columns,
            rows,
            self.progress.spent(self.finished),
        )


def train_embedding(out: str | Path = "bench/training", minutes: float = 75, device: str = "auto") -> EmbeddingTraining:
    """Trains `course-embed` for at most `minutes`, from where the last sitting stopped, and saves it.

    `out`/course-embed gets the checkpoint and `model/`, which sentence-transformers and `load_encoder` read. Raises
    `ValueError` for a checkpoint of another model or a loss that is lost.
    """
    tokenizer = AutoTokenizer.from_pretrained(shipped("tokenizer"))
    return train_embedding_recipe(EMBEDDING, tokenizer, Path(out) / EMBEDDING.name, minutes, device)


def train_embedding_recipe(
    recipe: EmbeddingRecipe, tokenizer: PreTrainedTokenizerBase, folder: Path, minutes: float = 75, device: str = "auto"
) -> EmbeddingTraining:
    """The same for a recipe of your own, into `folder`."""
    deadline = time.monotonic() + 60 * minutes
    encoder = initial_encoder(recipe, tokenizer).to(choose_device(device)).train()
    steps = adamw(encoder)
    state = load_checkpoint(folder, encoder, steps) or Progress()
    finished = _steps(recipe, encoder, steps, state, folder, deadline)
    saved = save_encoder(encoder, folder / "model")
    return EmbeddingTraining(recipe.name, saved, finished, sum(p.numel() for p in encoder.parameters()), state)


def initial_encoder(recipe: EmbeddingRecipe, tokenizer: PreTrainedTokenizerBase) -> TextEncoder:
    """An encoder with weights drawn from the recipe's seed, whatever else has been drawn in this process."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return TextEncoder(ModernBertModel(recipe.config), tokenizer)


def embedding_step(
    recipe: EmbeddingRecipe, encoder: TextEncoder, steps: torch.optim.Optimizer, contrast: Contrast, rate: float
) -> tuple[float, float]:
    """One update; returns the loss before it and the share of questions whose nearest document answers them.

    Raises `ValueError` if the loss is not finite.
    """
    with precision(encoder.transformer.device):
        similarity = encoder(contrast.questions) @ encoder(contrast.documents).T
    answered = contrast.answered.to(similarity.device)
    loss = info_nce(similarity.float(), answered, recipe.temperature)
    update(encoder, steps, loss, loss, rate)
    return loss.item(), top_one(similarity, answered)


def _steps(
    recipe: EmbeddingRecipe,
    encoder: TextEncoder,
    steps: torch.optim.Optimizer,
    state: Progress,
    folder: Path,
    deadline: float,
) -> bool:
    """Trains to the end of the schedule (True) or to `deadline` (False); saves however it ends."""
    total, saved = recipe.schedule.steps, time.monotonic()
    made = contrasts(recipe.seed, recipe.documents, recipe.questions, start=state.step)
    seen: list[tuple[float, float]] = []
    bar = progress(range(state.step, total), recipe.name, total=total - state.step)
    try:
        for step in bar:
            start = time.monotonic()
            contrast = next(made)
            seen.append(embedding_step(recipe, encoder, steps, contrast, learning_rate(recipe.schedule, step)))
            state.step += 1
            state.tokens += sum(map(len, encoder.tokens((*contrast.questions, *contrast.documents))))
            now = time.monotonic()
            state.seconds += now - start
            bar.set_postfix(loss=f"{seen[-1][0]:.3f}", refresh=False)
            if state.step % POINT_EVERY == 0 or state.step == total:
                _point(state, seen)
                seen = []
            if now > deadline and state.step < total:
                return False
            if now - saved > SAVE_EVERY:
                save_checkpoint(folder, encoder, steps, state)
                saved = now
        return True
    finally:
        bar.close()
        save_checkpoint(folder, encoder, steps, state)


def _point(state: Progress, seen: list[tuple[float, float]]) -> None:
    losses, hits = zip(*seen, strict=True)
    means = {"loss": round(statistics.mean(losses), 3), "top_one": statistics.mean(hits)}
    state.curve.append({"step": state.step, "tokens": state.tokens, **means})
    logger.info("%s", state.curve[-1])
