"""The shipped mixture on trial: its loss against the dense decoder's, and whether its experts know domains.

Both begin as one model and go through the same stages, so what they are compared at is a step of a stage. Where the
code that writes batches has not changed in between, both have seen the very same batches there; where it has, batches
from the same sources with nearly as many tokens, and the report says so.
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


Curve = tuple[tuple[int, float], ...]
"""Tokens trained on, and the validation loss then in nats a learned token."""
SLACK = 0.01
"""Up to this share of its tokens one training may be ahead of the other where the two are compared."""


@dataclass(frozen=True)
class EqualTokens(Report):
    """Validation losses in nats where two trainings have seen as many tokens: `points` holds tokens, dense, mixture.

    `dense` and `mixture` are the whole curves from where the two parted to the mixture's last point. `same_batches`
    says whether the tokens are equal to the last one at every point, as they are after the same batches.
    """

    points: tuple[tuple[int, float, float], ...]
    dense: Curve
    mixture: Curve
    same_batches: bool

    @property
    def lower(self) -> bool:
        """Whether the mixture is at or below the dense model at the last shared step."""
        _, dense, mixture = self.points[-1]
        return mixture <= dense

    def table(self) -> Table:
        rows = [[si(tokens), dense, mixture, f"{mixture - dense:+.4f}"] for tokens, dense, mixture in self.points]
        columns = ["tokens", "dense (nats)", "mixture (nats)", "mixture minus dense"]
        seen = "The same batches." if self.same_batches else "Batches from the same sources, but not the same ones."
        return Table("Validation loss after equally many tokens", columns, rows, f"Nats a learned token. {seen}")


def equal_tokens(dense: Progress, mixture: Progress) -> EqualTokens:
    """The two records at the steps that both have, from where they parted; the past that they share says nothing.

    Raises `ValueError` where no such step has a loss in both, or where their tokens are more than `SLACK` apart.
    """
    theirs, ours = list(validation_losses(dense).items()), list(validation_losses(mixture).items())
    together = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(theirs, ours, strict=False)))
    theirs, ours = dict(theirs[together:]), dict(ours[together:])
    shared = [key for key in ours if key in theirs]
    if not shared:
        raise ValueError("The two trainings share no step with a validation loss after they parted.")
    apart = max(abs(ours[key][0] / theirs[key][0] - 1) for key in shared)
    if apart > SLACK:
        raise ValueError(f"After the same step the tokens of the two trainings are {apart:.1%} apart: not one race.")
    last = max(tokens for tokens, _ in ours.values())
    return EqualTokens(
        points=tuple((ours[key][0], theirs[key][1], ours[key][1]) for key in shared),
        dense=tuple(point for point in theirs.values() if point[0] <= last * (1 + SLACK)),
        mixture=tuple(ours.values()),
        same_batches=apart == 0,
    )


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
