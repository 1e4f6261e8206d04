"""The batches of a stage, in blocks that are each a function of seed, stage and number alone.

So a run that was stopped goes on with the very batches it would have seen, without making those it has seen again,
and two helper processes may make blocks ahead without changing any.
"""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Iterator, Mapping

from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedTokenizerFast

from labkit.training.examples import Example, Writer
from labkit.training.packing import Batch, batches
from labkit.training.sources import SOURCES
from labkit.training.stages import Stage

BLOCK = 32
"""Batches in a block: enough to pay for opening the sources, few enough to make again after a stop."""
SHUFFLED = 256
"""Examples held back to be drawn from, so that neighbours are not about the same community."""
HELD_OUT = "held-out"


class Blocks(Dataset):
    """Block `n` of a stage's batches as a list; there is always another."""

    def __init__(self, stage: Stage, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
        unknown = sorted(set(stage.mixture) - set(SOURCES))
        if unknown:
            raise ValueError(f"Stage {stage.name!r} mixes {unknown[0]!r}; the sources are {', '.join(SOURCES)}.")
        self.stage, self.tokenizer, self.seed = stage, tokenizer, seed

    def __getitem__(self, number: int) -> list[Batch]:
        stage, label = self.stage, f"{self.seed}/{self.stage.name}/{number}"
        mixed = _shuffled(_mixed(stage.mixture, Writer(self.tokenizer), label), random.Random(label))
        return list(itertools.islice(batches(mixed, stage.rows, stage.length), BLOCK))


def stream(
    stage: Stage, tokenizer: PreTrainedTokenizerFast, seed: int, start: int = 0, workers: int = 0
) -> Iterator[Batch]:
    """The batches of a stage from number `start` on, made by `workers` processes ahead of need."""
    first, skipped = divmod(start, BLOCK)
    made = DataLoader(
        Blocks(stage, tokenizer, seed),
        sampler=range(first, first + 1_000_000),
        batch_size=None,
        num_workers=workers,
    )
    return itertools.islice(itertools.chain.from_iterable(made), skipped, None)


def held_out(stage: Stage, tokenizer: PreTrainedTokenizerFast, count: int = 8) -> list[Batch]:
    """Batches of the stage's gate from seeds of their own, the same for every training; none without a gate."""
    if stage.gate is None:
        return []
    gate = Stage(HELD_OUT, {stage.gate: 1}, steps=0, rows=stage.rows, length=stage.length)
    mixed = _mixed(gate.mixture, Writer(tokenizer), HELD_OUT)
    return list(itertools.islice(batches(mixed, stage.rows, stage.length), count))


def _mixed(mixture: Mapping[str, float], writer: Writer, label: str) -> Iterator[Example]:
    rng = random.Random(label)
    opened = {name: SOURCES[name](zlib.crc32(f"{label}/{name}".encode()), writer) for name in mixture}
    names, weights = list(mixture), list(mixture.values())
    while True:
        yield next(opened[rng.choices(names, weights)[0]])


def _shuffled(examples: Iterator[Example], rng: random.Random) -> Iterator[Example]:
    held = list(itertools.islice(examples, SHUFFLED))
    for example in examples:
        place = rng.randrange(len(held))
        held[place], drawn = example, held[place]
        yield drawn
