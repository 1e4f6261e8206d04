"""How likely a decoder finds words after other words: what reranking and citing are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from labkit.evaluation.answering import prompt_tokens
from labkit.evaluation.likelihood import logits_of, rectangle
from labkit.evaluation.prompts import open_book
from labkit.models.decoder import Decoder
from labkit.rag.document import Chunk
from labkit.rag.prompt import passage

BATCH = 8
"""Pairs a pass."""
Pair = tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True)
class Reader:
    """A decoder with its tokenizer: what reads passages and answers."""

    model: Decoder
    tokenizer: PreTrainedTokenizerBase

    def tokens(self, message: str) -> int:
        """The length of a user's message in tokens, the words of the chat template included."""
        return len(prompt_tokens(self.tokenizer, message))

    def message(self, question: str, chunks: Sequence[Chunk]) -> str:
        """The question under these chunks, whose text cannot open a turn of its own."""
        return open_book([passage(chunk, self.control) for chunk in chunks], question)

    @property
    def control(self) -> tuple[str, ...]:
        """Texts that the tokenizer takes for something other than text."""
        return tuple(self.tokenizer.all_special_tokens)


def log_probabilities(model: Decoder, pairs: Sequence[Pair], batch_size: int = BATCH) -> list[float]:
    """The log probability, in nats, of the second tokens of each pair after the first ones.

    Raises `ValueError` for a pair that is longer than the model's context or has an empty half.
    """
    context = model.config.max_position_embeddings
    for before, told in pairs:
        if not before or not told or len(before) + len(told) > context:
            raise ValueError(
                f"A likelihood needs tokens before and after, {context} together; got {len(before)} and {len(told)}."
            )
    found: list[float] = []
    for start in range(0, len(pairs), batch_size):
        found += _log_probabilities(model, pairs[start : start + batch_size])
    return found


def answer_log_probabilities(
    reader: Reader, question: str, passages: Sequence[Sequence[Chunk]], answer: str
) -> list[float]:
    """log P(answer | chunks, question) for each set of `passages`, the end of the answer included, in nats.

    The tokens are joined as training joins them, as in `labkit.evaluation.answering.probability_of`.
    """
    told = reader.tokenizer(f" {answer}{reader.tokenizer.eos_token}", add_special_tokens=False)["input_ids"]
    prompts = [prompt_tokens(reader.tokenizer, reader.message(question, chunks)) for chunks in passages]
    return log_probabilities(reader.model, [(prompt, told) for prompt in prompts])


@torch.no_grad()
def _log_probabilities(model: Decoder, pairs: Sequence[Pair]) -> list[float]:
    """Logits are made only in the columns where some row tells: of a long prompt those are few."""
    batch = rectangle([[*before, *told] for before, told in pairs])
    places = [range(len(before) - 1, len(before) + len(told) - 1) for before, told in pairs]
    columns = sorted({column for row in places for column in row})
    logs = logits_of(model, batch, torch.tensor(columns, device=model.device)).float().log_softmax(dim=-1)
    at = {column: n for n, column in enumerate(columns)}
    return [
        sum(row[at[column], token].item() for column, token in zip(place, told, strict=True))
        for row, place, (_, told) in zip(logs, places, pairs, strict=True)
    ]
