"""What training lowers: the cross-entropy of the learned tokens; and what a stage waits for: answers right as a whole.

Greedy decoding gives exactly the right answer if and only if, with the right answer before it, each of its tokens is
the most probable one. So exact match is counted in one forward, without decoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from labkit.models.decoder import Decoder
from labkit.training.packing import Batch, PackedAttention


@dataclass(frozen=True)
class Outcome:
    """`losses` in nats and `hits` (most probable and right) a learned token; `answer` numbers the answers."""

    losses: Float[Tensor, " learned"]
    hits: Bool[Tensor, " learned"]
    answer: Tensor

    @property
    def loss(self) -> Float[Tensor, ""]:
        """The mean over learned tokens."""
        return self.losses.mean()

    def exact(self) -> Bool[Tensor, " answers"]:
        """Whether each answer is right in all of its tokens."""
        wrong = torch.zeros(int(self.answer[-1]) + 1, dtype=torch.long, device=self.hits.device)
        return wrong.index_add_(0, self.answer, (~self.hits).long()) == 0


def predict(model: Decoder, batch: Batch) -> Outcome:
    """The model's outcome on the learned tokens of a batch; raises `ValueError` if there are none."""
    targets = batch.learned[:, 1:]
    if not targets.any():
        raise ValueError("No token of this batch is learned.")
    before = torch.zeros_like(batch.learned)
    before[:, :-1] = targets  # the logits that predict a token stand one place before it
    with _only(model.lm_head, before):
        logits = model(batch.tokens, PackedAttention(batch)).float()
    right = batch.tokens[:, 1:][targets]
    losses = cross_entropy(logits, right, reduction="none")
    return Outcome(losses, logits.argmax(dim=-1) == right, _runs(batch.learned)[batch.learned])


def _runs(learned: Bool[Tensor, "batch seq"]) -> Tensor:
    """Numbers each run of neighbouring learned tokens; the numbers of other places mean nothing.

    >>> _runs(torch.tensor([[False, True, True, False, True]]))
    tensor([[-1,  0,  0,  0,  1]])
    """
    shifted = torch.zeros_like(learned)
    shifted[:, 1:] = learned[:, :-1]
    return (learned & ~shifted).flatten().cumsum(0).view_as(learned) - 1


@contextmanager
def _only(head: nn.Module, rows: Bool[Tensor, "batch seq"]) -> Iterator[None]:
    """Logits of these rows alone: with a vocabulary of thousands the others would be most of the work."""
    handle = head.register_forward_pre_hook(lambda _, args: (args[0][rows],))
    try:
        yield
    finally:
        handle.remove()
