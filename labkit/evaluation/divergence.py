"""How far a changed model has moved from a reference: Kullback-Leibler divergence and flips of the first choice.

Perplexity can stay put while answers change ("Accuracy is not all you need", arXiv 2407.09141); these two cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from labkit.evaluation.intervals import Estimate, ratio_of_sums
from labkit.evaluation.likelihood import logits_of, rectangle
from labkit.models.decoder import Decoder


def kl_divergence(
    reference: Float[Tensor, "*places vocab"], logits: Float[Tensor, "*places vocab"]
) -> Float[Tensor, "*places"]:
    """KL(reference || model) in nats at each place, computed in fp32.

    >>> even, odds = torch.tensor([0.0, 0.0]), torch.tensor([3.0, 1.0]).log()  # 1/2 : 1/2 against 3/4 : 1/4
    >>> round(kl_divergence(even, odds).item(), 4)  # 1/2 ln(2/3) + 1/2 ln 2
    0.1438
    """
    p, q = reference.float().log_softmax(dim=-1), logits.float().log_softmax(dim=-1)
    return (p.exp() * (p - q)).sum(dim=-1)


def top1_flips(
    reference: Float[Tensor, "*places vocab"], logits: Float[Tensor, "*places vocab"]
) -> Bool[Tensor, "*places"]:
    """Whether the most probable token differs; of equal logits the first counts, in both."""
    return reference.argmax(dim=-1) != logits.argmax(dim=-1)


@dataclass(frozen=True)
class Divergence:
    """`kl` in nats a token and `flips` as a share of tokens, bootstrapped over documents."""

    kl: Estimate
    flips: Estimate


@torch.no_grad()
def divergence(
    reference: Decoder, model: Decoder, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], batch_size: int = 8
) -> Divergence:
    """Over every token of the texts, cut to the shorter context of the two models."""
    context = min(reference.config.max_position_embeddings, model.config.max_position_embeddings)
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"][:context] for text in texts]
    kl, flips, counts = [], [], []
    for start in range(0, len(rows), batch_size):
        batch = rectangle(rows[start : start + batch_size])
        ours, theirs = logits_of(model, batch), logits_of(reference, batch).to(model.device)
        real = batch.mask.to(model.device)
        kl += (kl_divergence(theirs, ours) * real).sum(dim=1).tolist()
        flips += (top1_flips(theirs, ours) & real).sum(dim=1).tolist()
        counts += real.sum(dim=1).tolist()
    return Divergence(ratio_of_sums(kl, counts), ratio_of_sums(flips, counts))
