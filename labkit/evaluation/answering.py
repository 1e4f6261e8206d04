"""Greedy answers to many questions at once, and how sure the model is of each.

The loop is that of `labkit.generation`; here its steps are read for what an answer needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from labkit.evaluation.likelihood import token_losses
from labkit.generation.decoding import stream
from labkit.generation.stopping import at_tokens
from labkit.models.decoder import Decoder


@dataclass(frozen=True)
class Answer:
    """`probability` is that of the whole answer, its end included, given the question: the model's own confidence.

    `ended` is False where the answer was cut at the limit of new tokens.
    """

    text: str
    probability: float
    ended: bool


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, message: str) -> list[int]:
    """A user's message in the tokens of the chat template, ready for the assistant's answer."""
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": message}], tokenize=False, add_generation_prompt=True
    )
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def answers(
    model: Decoder,
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[str],
    max_new_tokens: int = 24,
    batch_size: int = 32,
) -> list[Answer]:
    """The most probable token, again and again, until the end token or `max_new_tokens`; in the order of `messages`.

    Messages of like length share a batch, padded on the left. Raises `ValueError` for a message that leaves the context
    no room for the answer.
    """
    prompts = [prompt_tokens(tokenizer, message) for message in messages]
    room = model.config.max_position_embeddings - max_new_tokens
    longest = max(map(len, prompts), default=0)
    if longest > room:
        raise ValueError(f"A message of {longest} tokens leaves no room for {max_new_tokens} more; at most {room} do.")
    order = sorted(range(len(prompts)), key=lambda n: len(prompts[n]))
    found: dict[int, Answer] = {}
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        tokens, logs = greedy(model, [prompts[n] for n in chosen], max_new_tokens, tokenizer.eos_token_id)
        for n, row, log in zip(chosen, tokens, logs, strict=True):
            found[n] = _answer(tokenizer, row.tolist(), log.tolist())
    return [found[n] for n in range(len(prompts))]


def _answer(tokenizer: PreTrainedTokenizerBase, row: list[int], logs: list[float]) -> Answer:
    ended = tokenizer.eos_token_id in row
    length = row.index(tokenizer.eos_token_id) if ended else len(row)
    text = tokenizer.decode(row[:length], skip_special_tokens=True).strip()
    return Answer(text, math.exp(sum(logs[: length + ended])), ended)


def greedy(
    model: Decoder, prompts: Sequence[Sequence[int]], max_new_tokens: int, end: int
) -> tuple[Int[Tensor, "batch new"], Float[Tensor, "batch new"]]:
    """New tokens and their log probabilities; what a row holds after its first `end` means nothing.

    Stops when every row has ended.
    """
    best = [
        step.logits.float().log_softmax(dim=-1).max(dim=-1)
        for step in stream(model, prompts, max_new_tokens, stop=at_tokens(end))
    ]
    return torch.stack([b.indices for b in best], dim=1), torch.stack([b.values for b in best], dim=1)


@torch.no_grad()
def probability_of(model: Decoder, tokenizer: PreTrainedTokenizerBase, message: str, answer: str) -> float:
    """The probability that the model gives to this whole answer, its end included.

    Tokens are joined as training joins them: the answer after a space, then the end token.
    """
    prompt = prompt_tokens(tokenizer, message)
    told = tokenizer(f" {answer}{tokenizer.eos_token}", add_special_tokens=False)["input_ids"]
    tokens = torch.tensor([prompt + told], device=model.device)
    return math.exp(-token_losses(model(tokens), tokens)[0, len(prompt) - 1 :].sum().item())
