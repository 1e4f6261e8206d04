"""What a larger model gains: the same batches of the same text, models of several widths, held-out loss on the way.

    python -m labkit.training.scaling --out data      trains what is missing and records it in OUT/reference

`scaling_record` reads what the course ships of it. As in Kaplan et al. (2020, arXiv 2001.08361) losses stand
against parameters without the embedding table. Here the tokens are equal and few, so the curve tells of learning early
on, not of where more data would lead.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import math
import platform
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from labkit.data import root, shipped, standard_library, write_card
from labkit.measure.machines import machine
from labkit.measure.progress import progress
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder
from labkit.training.checkpoint import Progress, load_checkpoint
from labkit.training.examples import Example, Writer
from labkit.training.loop import Run, precision, train_step
from labkit.training.objective import predict
from labkit.training.optimiser import adamw, initial, learning_rate
from labkit.training.packing import Batch, batches
from labkit.training.recipes import qwen3
from labkit.training.scaling_record import FILE, Scaling, ScalingRun
from labkit.training.sources import stretch
from labkit.training.stages import Stage
from labkit.training.stream import stream

WIDTHS, LAYERS, STEPS, ROWS, LENGTH = (64, 128, 192, 256, 320), 2, 400, 2, 512
LOOKS = 6
"""Held-out looks in a training, evenly spaced, the last within as many steps of its end."""
HELD_OUT_BATCHES = 24
SEED = 0


def config_of_width(hidden: int) -> DecoderConfig:
    """Heads of 64, half as many for keys and values where that comes out even."""
    heads = hidden // 64
    return qwen3(hidden, LAYERS, heads, heads // 2 if heads % 2 == 0 else 1)


def stage_of_width(hidden: int) -> Stage:
    """The same batches for every width, but larger steps for the narrower.

    Of 2e-3, 4e-3 and 8e-3 width 64 did best with 4e-3 (300 steps, one run each); the others follow 1/sqrt(width),
    untried.
    """
    peak = 2e-3 * math.sqrt(256 / hidden)
    return Stage("scaling", {"python": 1}, steps=STEPS, peak=peak, warmup=STEPS // 20, rows=ROWS, length=LENGTH)


def train_width(hidden: int, tokenizer: PreTrainedTokenizerFast, folder: Path, unseen: Sequence[Batch]) -> ScalingRun:
    """Trains one width, or goes on with it from `folder`, looking at `unseen` batches on the way."""
    stage, model = stage_of_width(hidden), initial(config_of_width(hidden), SEED).train()
    steps = adamw(model)
    run = Run(model, steps, load_checkpoint(folder, model, steps) or Progress(), folder)
    left = itertools.islice(stream(stage, tokenizer, SEED, run.progress.step), stage.steps - run.progress.step)
    for batch in progress(left, folder.name, total=stage.steps - run.progress.step):
        _advance(run, stage, batch, unseen)
    curve, embedding = run.progress.curve, model.embed_tokens.weight.numel()
    return ScalingRun(
        hidden_size=hidden,
        parameters=sum(p.numel() for p in model.parameters()) - embedding,
        embedding=embedding,
        tokens=tuple(int(point["tokens"]) for point in curve),
        losses=tuple(round(float(point["loss"]), 5) for point in curve),
        seconds=round(run.progress.seconds, 1),
    )


def _advance(run: Run, stage: Stage, batch: Batch, unseen: Sequence[Batch]) -> None:
    """One step; at every look the held-out loss and a checkpoint."""
    began = time.monotonic()
    train_step(run, batch, learning_rate(stage, run.progress.step))
    run.progress.step += 1
    run.progress.tokens += int((batch.segments >= 0).sum())
    run.progress.seconds += time.monotonic() - began
    if run.progress.step % (stage.steps // LOOKS) == 0:
        run.progress.curve.append({"tokens": run.progress.tokens, "loss": mean_loss(run.model, unseen)})
        run.save()


@torch.no_grad()
def mean_loss(model: Decoder, unseen: Sequence[Batch]) -> float:
    """Nats a token over all learned tokens of these batches."""
    with precision(model.device):
        losses = torch.cat([predict(model, batch.to(model.device)).losses for batch in unseen])
    return losses.double().mean().item()


def unseen_python(tokenizer: PreTrainedTokenizerFast, count: int = HELD_OUT_BATCHES) -> list[Batch]:
    """Batches of stretches of the modules that no training of the course reads."""
    return list(itertools.islice(batches(_stretches(Writer(tokenizer)), ROWS, LENGTH), count))


def _stretches(writer: Writer) -> Iterator[Example]:
    library, rng = standard_library(), random.Random("labkit.training.scaling/unseen")
    files = list(library.split("test"))
    for _ in range(20):
        for file in rng.sample(files, len(files)):
            yield writer.text(stretch(library.text(file), rng))


def record(out: Path, work: Path, widths: Sequence[int] = WIDTHS) -> Path:
    """Trains every width that is not finished in `work`, then writes `out`/reference/scaling-python.json."""
    tokenizer = AutoTokenizer.from_pretrained(shipped("tokenizer"))
    unseen, library = unseen_python(tokenizer), standard_library()
    scaling = Scaling(
        text=f"the standard library of Python {library.version} (digest {library.digest[:12]})",
        held_out_tokens=sum(int(batch.learned.sum()) for batch in unseen),
        layers=LAYERS,
        machine=", ".join(filter(None, [machine().processor, *machine().instruction_sets])),
        versions=f"Python {platform.python_version()}, torch {torch.__version__}",
        date=datetime.date.today().isoformat(),
        runs=tuple(train_width(hidden, tokenizer, work / f"width-{hidden}", unseen) for hidden in widths),
    )
    path = out / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(scaling.to_json(indent=1) + "\n", encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m labkit.training.scaling", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the data folder: writes OUT/reference and its card")
    parser.add_argument("--work", type=Path, default=Path("bench/scaling"), help="where unfinished trainings are kept")
    arguments = parser.parse_args()
    path = record(arguments.out, arguments.work)
    if arguments.out.resolve() == root().resolve():
        write_card(
            FILE,
            summary=f"held-out loss of decoders of {len(WIDTHS)} widths after equal numbers of tokens of Python",
            source="trained by labkit.training.scaling; machine, versions, text and date stand in the file",
            make="python -m labkit.training.scaling --out data (ten minutes of a quiet core; others differ)",
        )
    print(path)


if __name__ == "__main__":
    main()
