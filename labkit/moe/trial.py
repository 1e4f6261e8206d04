"""The shipped mixture on trial: its loss against the dense decoder's, and whether its experts know domains.

Both decoders are trained on the same batches in the same order, so at one step both have seen the same tokens.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from labkit.data import standard_library
from labkit.measure.report import Report, Table, si
from labkit.models import Decoder, load
from labkit.moe.choices import choices
from labkit.moe.specialisation import Specialisation, specialisation
from labkit.training.checkpoint import Progress
from labkit.training.record import recorded, validation_losses
from labkit.training.run import Training
from labkit.world import World

KINDS = ("news", "letter", "registry", "log", "minutes")
TOKENS, TEXTS = 96, 24
"""Tokens of a text, texts of a domain."""


@dataclass(frozen=True)
class EqualTokens(Report):
    """Validation losses in nats at the steps that two trainings share: `points` holds tokens, dense, mixture."""

    points: tuple[tuple[int, float, float], ...]

    @property
    def lower(self) -> bool:
        """Whether the mixture is at or below the dense model at the last shared step."""
        _, dense, mixture = self.points[-1]
        return mixture <= dense

    def table(self) -> Table:
        rows = [[si(tokens), dense, mixture, f"{mixture - dense:+.4f}"] for tokens, dense, mixture in self.points]
        columns = ["tokens", "dense (nats)", "mixture (nats)", "mixture minus dense"]
        return Table("Validation loss after the same batches", columns, rows, "Nats a learned token.")


def equal_tokens(dense: Progress, mixture: Progress) -> EqualTokens:
    """Raises `ValueError` where no step has a loss in both, or the same step other tokens: then batches differed."""
    ours, theirs = validation_losses(mixture), validation_losses(dense)
    shared = [key for key in theirs if key in ours]
    if not shared:
        raise ValueError("The two trainings share no step with a validation loss.")
    if any(ours[key][0] != theirs[key][0] for key in shared):
        raise ValueError("After the same step the two trainings have seen different tokens: their batches differ.")
    return EqualTokens(tuple((*theirs[key], ours[key][1]) for key in shared))


def against_dense(mixture: Training) -> EqualTokens:
    """A training of the mixture against the shipped course-dense."""
    return equal_tokens(recorded("course-dense"), mixture.progress)


def domain_texts(tokenizer: PreTrainedTokenizerBase, world: World | None = None) -> dict[str, list[list[int]]]:
    """Equally long beginnings of documents of five kinds and of Python modules of the test split, as tokens."""
    documents, library = (world or World()).documents("before"), standard_library()
    texts = {kind: [d.text for d in documents if d.kind == kind] for kind in KINDS}
    texts["Python"] = [library.text(file) for file in library.split("test")]
    return {name: _beginnings(tokenizer, several) for name, several in texts.items()}


def speaks(model: Decoder, texts: Mapping[str, Sequence[Sequence[int]]], shuffles: int = 1000) -> Specialisation:
    """Which expert speaks which domain: every token's choices, texts shuffled as a whole for the control."""
    routed = [choices(model, torch.tensor(rows, device=model.device)) for rows in texts.values()]
    per_layer = [torch.cat(parts).cpu() for parts in zip(*routed, strict=True)]
    tokens = torch.tensor([len(rows) * len(rows[0]) for rows in texts.values()])
    labels = torch.arange(len(texts)).repeat_interleave(tokens)
    lengths = torch.tensor([len(row) for rows in texts.values() for row in rows])
    owners = torch.arange(len(lengths)).repeat_interleave(lengths)
    return specialisation(per_layer, labels, tuple(texts), model.config.moe.num_experts, owners, shuffles)


def course_specialisation(mixture: Training) -> Specialisation:
    """The same for a training of the mixture, as it is saved."""
    loaded = load(str(mixture.folder), dtype="float32")
    return speaks(loaded.model, domain_texts(loaded.tokenizer))


def _beginnings(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """The first `TOKENS` tokens of the first `TEXTS` that are long enough."""
    encoded = (tokenizer(text[: 20 * TOKENS], add_special_tokens=False)["input_ids"][:TOKENS] for text in texts)
    return list(itertools.islice((row for row in encoded if len(row) == TOKENS), TEXTS))
