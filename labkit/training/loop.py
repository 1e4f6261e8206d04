"""One stage of training: batches in, a better model out, a checkpoint every few minutes.

State is an argument: the run holds model, optimiser and progress, so it can be stopped after any step and go on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from labkit.measure.progress import progress
from labkit.models.decoder import Decoder
from labkit.models.placement import choose_dtype
from labkit.training.averaging import average, averaged
from labkit.training.balance import balance
from labkit.training.checkpoint import Progress, save_checkpoint
from labkit.training.objective import predict
from labkit.training.optimiser import CLIP, learning_rate
from labkit.training.packing import Batch
from labkit.training.stages import Stage
from labkit.training.validation import validation_loss

logger = logging.getLogger(__name__)
CHECK_EVERY = 100
"""Steps between two looks at the held-out answers."""
VALIDATE_EVERY = 500
"""Steps between two looks at the validation loss."""
SAVE_EVERY = 180.0
"""Seconds between two checkpoints."""


@dataclass
class Run:
    """A training under way; `folder` keeps its checkpoint, `validation` is what its loss is followed on."""

    model: Decoder
    optimiser: torch.optim.Optimizer
    progress: Progress
    folder: Path
    validation: Sequence[Batch] = ()

    def save(self) -> None:
        save_checkpoint(self.folder, self.model, self.optimiser, self.progress)


def train_step(run: Run, batch: Batch, rate: float) -> float:
    """One update; returns the loss before it, in nats a learned token, without what balances experts.

    Raises `ValueError` if it is not finite.
    """
    batch = batch.to(run.model.device)
    with precision(run.model.device), balance(run.model, batch.segments >= 0) as routed:
        loss = predict(run.model, batch).loss
    update(run.model, run.optimiser, loss, loss + routed.loss(), rate)
    return loss.item()


def update(model: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, lowered: Tensor, rate: float) -> None:
    """One step down the gradient of `lowered`: `loss`, and what is added to it.

    Raises `ValueError` if `loss` is not finite, before a weight has changed.
    """
    if not torch.isfinite(loss):
        raise ValueError(f"The loss is {loss.item()}: lower the `peak` of the learning rate.")
    for group in optimiser.param_groups:
        group["lr"] = rate
    lowered.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def exact_match(model: Decoder, batches: Iterable[Batch]) -> float:
    """The share of answers in these batches that greedy decoding would give exactly."""
    right = count = 0
    with torch.no_grad(), precision(model.device):
        for batch in batches:
            exact = predict(model, batch.to(model.device)).exact()
            right, count = right + int(exact.sum()), count + len(exact)
    return right / count


def run_stage(
    run: Run, stage: Stage, batches: Iterator[Batch], held_out: list[Batch], deadline: float = float("inf")
) -> bool:
    """Trains until the gate is reached or the steps are used up (True) or `deadline`, on the monotonic clock (False).

    However it ends, by an interrupt too, it saves first; a step that was under way is then done again. A stage that is
    averaged is looked at by the mean of its weights.
    """
    saved = time.monotonic()
    bar = progress(batches, stage.name, total=stage.steps - run.progress.step)
    try:
        for batch in bar if run.progress.step < stage.steps else ():
            start = time.monotonic()
            loss = train_step(run, batch, learning_rate(stage, run.progress.step))
            if stage.averaged:
                average(run.optimiser)
            run.progress.step += 1
            run.progress.tokens += int((batch.segments >= 0).sum())
            accuracy = _look(run, stage, loss, held_out)
            now = time.monotonic()
            run.progress.seconds += now - start
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            if run.progress.step >= stage.steps or (accuracy is not None and accuracy >= stage.bar):
                return True
            if now > deadline:
                return False
            if now - saved > SAVE_EVERY:
                run.save()
                saved = now
        return True
    finally:
        bar.close()
        run.save()


def _look(run: Run, stage: Stage, loss: float, held_out: list[Batch]) -> float | None:
    """Every so often a point of the curve; gives held-out exact match where the stage has a gate."""
    if run.progress.step % CHECK_EVERY:
        return None
    point: dict[str, float | str] = {"stage": stage.name, "step": run.progress.step, "tokens": run.progress.tokens}
    point["loss"] = loss
    with averaged(run.optimiser):
        accuracy = exact_match(run.model, held_out) if held_out else None
        if accuracy is not None:
            point["exact_match"] = accuracy
        if run.validation and run.progress.step % VALIDATE_EVERY == 0:
            point["validation_loss"] = validation_loss(run.model, run.validation)
    run.progress.curve.append(point)
    logger.info("%s", point)
    return accuracy


def precision(device: torch.device) -> AbstractContextManager:
    """bf16 autocast where the machine is fast at it; weights and optimiser stay fp32."""
    if choose_dtype("auto", device) == torch.bfloat16:
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
