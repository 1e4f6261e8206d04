"""Text to a vector of length one: a ModernBERT encoder (Warner et al., 2024, arXiv 2412.13663), a mean, a projection.

The mean over tokens is the pooling of Sentence-BERT (Reimers and Gurevych, 2019, arXiv 1908.10084, section 3). The
encoder's last normalisation gives every token the same say in it; the projection can take out the direction into which
tokens that say nothing are put, which is how a mean comes to have weights. One encoder reads questions and documents.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import ModernBertConfig, ModernBertModel, PreTrainedTokenizerBase

from labkit.training.tokenizer import CONTEXT, PAD, SPECIAL, VOCAB_SIZE

BATCH = 16
"""Texts of like length that are encoded together: little is spent on padding."""


def encoder_config(hidden: int, layers: int) -> ModernBertConfig:
    """Heads of 64 and a gated MLP of one and a half times the width; the tokenizer adds no token of its own."""
    return ModernBertConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=hidden,
        intermediate_size=hidden * 3 // 2,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        max_position_embeddings=CONTEXT,
        pad_token_id=SPECIAL.index(PAD),
        bos_token_id=None,
        eos_token_id=None,
        cls_token_id=None,
        sep_token_id=None,
    )


class TextEncoder(nn.Module):
    """Encodes texts; longer ones are cut to the context of the model."""

    def __init__(self, transformer: ModernBertModel, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__()
        self.transformer, self.tokenizer = transformer, tokenizer
        self.projection = nn.Linear(self.width, self.width, bias=False)
        nn.init.eye_(self.projection.weight)

    @property
    def width(self) -> int:
        return self.transformer.config.hidden_size

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens that are read of each text."""
        rows = self.tokenizer(list(texts), verbose=False)["input_ids"] if texts else []
        return [row[:CONTEXT] for row in rows]

    def forward(self, texts: Sequence[str]) -> Float[Tensor, "texts width"]:
        """One row a text, in the order given. Raises `ValueError` for a text without any token."""
        rows = self.tokens(texts)
        if not all(rows):
            raise ValueError(f"Text number {next(n for n, row in enumerate(rows) if not row)} is empty.")
        if not rows:
            return torch.empty(0, self.width, device=self.transformer.device)
        order = sorted(range(len(rows)), key=lambda n: len(rows[n]))
        groups = [order[n : n + BATCH] for n in range(0, len(order), BATCH)]
        vectors = torch.cat([self._encode([rows[n] for n in group]) for group in groups])
        return vectors[torch.tensor(order, device=vectors.device).argsort()]

    def _encode(self, rows: Sequence[Sequence[int]]) -> Float[Tensor, "texts width"]:
        longest, device = max(map(len, rows)), self.transformer.device
        tokens = torch.full((len(rows), longest), SPECIAL.index(PAD))
        real = torch.zeros(len(rows), longest, dtype=torch.long)
        for n, row in enumerate(rows):
            tokens[n, : len(row)] = torch.tensor(row)
            real[n, : len(row)] = 1
        tokens, real = tokens.to(device), real.to(device)
        states = self.transformer(input_ids=tokens, attention_mask=real).last_hidden_state
        return nn.functional.normalize(self.projection(mean_pooled(states, real)), dim=-1)


def mean_pooled(
    states: Float[Tensor, "texts seq width"], real: Int[Tensor, "texts seq"]
) -> Float[Tensor, "texts width"]:
    """The mean of the states of real tokens.

    >>> mean_pooled(torch.tensor([[[2.0], [4.0], [9.0]]]), torch.tensor([[1, 1, 0]]))
    tensor([[3.]])
    """
    weights = real.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)
