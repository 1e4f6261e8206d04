"""How surprised a model is by text: token losses and perplexity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase

from labkit.evaluation.intervals import Estimate, ratio_of_sums
from labkit.models.cache import positions_from_mask
from labkit.models.decoder import Decoder


@dataclass(frozen=True)
class Sequences:
    """Token sequences of different lengths in one rectangle, padded on the right; `mask` is True on tokens."""

    tokens: Int[Tensor, "batch seq"]
    mask: Bool[Tensor, "batch seq"]


def rectangle(rows: Sequence[Sequence[int]], pad: int = 0) -> Sequences:
    """Rows of token ids side by side.

    Raises `ValueError` for no rows or an empty row.

    >>> rectangle([[5, 6, 7], [8]]).tokens
    tensor([[5, 6, 7],
            [8, 0, 0]])
    """
    if not rows or not all(rows):
        raise ValueError("Every row needs at least one token.")
    length = max(map(len, rows))
    tokens = torch.full((len(rows), length), pad)
    mask = torch.zeros((len(rows), length), dtype=torch.bool)
    for n, row in enumerate(rows):
        tokens[n, : len(row)], mask[n, : len(row)] = torch.tensor(row), True
    return Sequences(tokens, mask)


def token_losses(
    logits: Float[Tensor, "batch seq vocab"], tokens: Int[Tensor, "batch seq"]
) -> Float[Tensor, "batch next"]:
    """Surprise in nats at each token after the first of a row, next = seq - 1, computed in fp32."""
    return cross_entropy(logits[:, :-1].float().transpose(1, 2), tokens[:, 1:], reduction="none")


def perplexity(losses: Sequence[float], counts: Sequence[int]) -> Estimate:
    """exp of the mean loss a token, from the summed loss (nats) and number of predicted tokens of each document.

    >>> print(perplexity([3 * math.log(10)], [3]))  # as unsure as among ten equal choices
    10 (10 to 10)
    """
    mean = ratio_of_sums(losses, counts)
    return Estimate(math.exp(mean.value), math.exp(mean.low), math.exp(mean.high), mean.count)


@torch.no_grad()
def document_losses(
    model: Decoder, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], batch_size: int = 8
) -> tuple[list[float], list[int]]:
    """Summed loss in nats and predicted tokens of each text, cut to the model's context; texts of one token are 0/0.

    Raises `ValueError` for a text without tokens.
    """
    context = model.config.max_position_embeddings
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"][:context] for text in texts]
    sums, counts = [], []
    for start in range(0, len(rows), batch_size):
        batch = rectangle(rows[start : start + batch_size])
        losses = token_losses(logits_of(model, batch), batch.tokens.to(model.device))
        real = batch.mask[:, 1:].to(model.device)
        sums += (losses * real).sum(dim=1).tolist()
        counts += real.sum(dim=1).tolist()
    return sums, counts


@torch.no_grad()
def logits_of(
    model: Decoder, batch: Sequences, columns: Int[Tensor, " columns"] | None = None
) -> Float[Tensor, "batch seq vocab"]:
    """Logits of a padded batch, on the model's device; those of padding mean nothing. Of all columns or of some."""
    positions = positions_from_mask(batch.mask.long()).to(model.device)
    return model(batch.tokens.to(model.device), positions=positions, columns=columns)
