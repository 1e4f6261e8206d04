"""What is done again without a cache, and the step that no longer does it."""

from __future__ import annotations

from typing import Any

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _length_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [(4, 3), (1, 1), (7, 1), (1, 5), (512, 512)]
    drawn = [tuple(int(n) for n in rng.integers(2, 3000, 2)) for _ in range(9)]
    return [Case(prompt=p, new=n) for p, n in [*fixed, *drawn]]


def _again(prompt: int, new: int) -> int:
    return sum(range(prompt, prompt + new))


TOKENS_PROCESSED = Exercise(
    name="tokens_processed",
    title="How much is done again?",
    difficulty=1,
    importance=4,
    minutes=5,
    cases=_length_cases,
    judge=oracle_judge(
        lambda prompt, new: (_again(prompt, new), len(range(1, prompt + new))),
        (
            Misconception(
                lambda prompt, new: (_again(prompt, new), prompt + new),
                "you fed the last token too; nothing is asked after it, so it never goes in",
            ),
            Misconception(
                lambda prompt, new: (prompt * new, prompt + new - 1),
                "you read the bare prompt in every pass; without a cache the tokens written so far go in again as well",
            ),
            Misconception(
                lambda prompt, new: (_again(prompt, new) + prompt + new - prompt, prompt + new - 1),
                "you counted the token that a pass writes as one that goes in; the first pass reads the prompt alone",
            ),
            Misconception(
                lambda prompt, new: (new * (prompt + new - 1), prompt + new - 1),
                "you gave every pass the length of the last one; the text grows by one token a pass",
            ),
            Misconception(
                lambda prompt, new: (_again(prompt, new), new),
                "you forgot the prompt; the cache has to be filled with it once",
            ),
            Misconception(
                lambda prompt, new: (prompt + new - 1, _again(prompt, new)),
                "the two numbers are swapped: without the cache first, then with it",
            ),
        ),
    ),
    hints=(
        "Write down what goes in for prompt=4 and new=3: pass after pass, first without a cache, then with one.",
        "Without: 4, then 5, then 6 tokens. With: 4, then 1, then 1. The last token written is never read.",
        "without = sum of prompt + i for i from 0 to new - 1; with_cache = prompt + (new - 1)",
    ),
)


def _attention_cases(rng: np.random.Generator) -> list[Case]:
    import torch

    def drawn(kept: int, head: int, scale: float = 1.0) -> dict[str, Any]:
        def tensor(*shape: int) -> torch.Tensor:
            return torch.from_numpy(scale * rng.standard_normal(shape)).float()

        return {
            "q": tensor(head),
            "k": tensor(head),
            "v": tensor(head),
            "keys": tensor(kept, head),
            "values": tensor(kept, head),
        }

    shapes = [(2, 4), (1, 3), (5, 8), (7, 2), (9, 9), (16, 5)]
    return [
        *(Case(**drawn(kept, head)) for kept, head in shapes),
        Case("the first token: nothing is kept yet", **drawn(0, 4)),
        Case("one key is far better than all others", **drawn(6, 16, scale=3.0)),
    ]


def _attend(
    q: Any, k: Any, v: Any, keys: Any, values: Any, scale: float | None = None, own: bool = True
) -> tuple[Any, Any, Any]:
    """By torch's own operator."""
    import torch

    grown = torch.stack([*keys, k]), torch.stack([*values, v])
    seen = grown if own else (keys, values)
    out = torch.nn.functional.scaled_dot_product_attention(q[None], *seen, scale=scale)
    return out[0], *grown


def _without_softmax(q: Any, k: Any, v: Any, keys: Any, values: Any) -> tuple[Any, Any, Any]:
    _, keys, values = _attend(q, k, v, keys, values)
    return (keys @ q / len(q) ** 0.5) @ values, keys, values


def _in_front(q: Any, k: Any, v: Any, keys: Any, values: Any) -> tuple[Any, Any, Any]:
    import torch

    out, *_ = _attend(q, k, v, keys, values)
    return out, torch.cat([k[None], keys]), torch.cat([v[None], values])


ATTEND_STEP = Exercise(
    name="attend_step",
    title="A step with a memory",
    difficulty=3,
    importance=5,
    minutes=10,
    cases=_attention_cases,
    judge=oracle_judge(
        _attend,
        (
            Misconception(
                lambda q, k, v, keys, values: _attend(q, k, v, keys, values, own=False),
                "the new token did not look at itself; its key and value join the others before it looks",
            ),
            Misconception(
                lambda q, k, v, keys, values: _attend(q, k, v, keys, values, scale=1.0),
                "you did not divide the scores by the square root of the head's size",
            ),
            Misconception(
                lambda q, k, v, keys, values: _attend(q, k, v, keys, values, scale=1 / len(q)),
                "you divided by the head's size; the square root of it is asked for",
            ),
            Misconception(
                lambda q, k, v, keys, values: _attend(q, k, v, keys, values, scale=1 / (len(keys) + 1) ** 0.5),
                "you divided by the root of the number of keys; it is the size of one key that counts",
            ),
            Misconception(
                _without_softmax,
                "you used the scores as weights; a softmax makes them positive and sum to 1",
            ),
            Misconception(
                _in_front,
                "you put the new key in front; a cache grows at its end, row n is token n",
            ),
            Misconception(
                lambda q, k, v, keys, values: (_attend(q, k, v, keys, values)[0], keys, values),
                "you returned the cache as it came; the next step needs the one that has grown",
            ),
        ),
    ),
    hints=(
        "First let the cache grow by one row, then attend as always: one query, all keys.",
        "torch.cat needs two dimensions: k[None] is a matrix of one row. Scores: one number for each key.",
        "keys = cat(keys, k[None]); values likewise; weights = softmax(keys @ q / sqrt(head)); return weights @ values, keys, values",
    ),
)
