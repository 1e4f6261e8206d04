"""Completing Python: modules that no training of the course reads, cut at a random place; what is the next token?

Asked of a model and of anything else that takes text. The text is that of the running Python, so scores on two
versions of it differ a little.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from labkit.data import standard_library
from labkit.evaluation.likelihood import logits_of, rectangle
from labkit.models.decoder import Decoder

CONTEXT = 64
"""Tokens before the place."""


@dataclass(frozen=True)
class Cut:
    """The tokens before a place of a module, as `text` too, and the one that follows."""

    before: tuple[int, ...]
    text: str
    following: str


def cuts(tokenizer: PreTrainedTokenizerBase, count: int, context: int = CONTEXT) -> list[Cut]:
    """Places in modules of the test split, drawn by a fixed seed; `text` has exactly the tokens `before`.

    Raises `ValueError` if the modules are too short for any.
    """
    library, rng = standard_library(), random.Random("labkit.evaluation.completion")
    rows = [_ids(tokenizer, library.text(file)) for file in library.split("test")]
    long_enough = [row for row in rows if len(row) > context]
    if not long_enough:
        raise ValueError(f"No module of the test split has more than {context} tokens.")
    found: list[Cut] = []
    while len(found) < count:
        row = rng.choice(long_enough)
        start = rng.randrange(len(row) - context)
        before, following = row[start : start + context], row[start + context]
        text = tokenizer.decode(before)
        if _ids(tokenizer, text) == before:  # a cut through a character or a word of several tokens would differ
            found.append(Cut(tuple(before), text, tokenizer.decode([following])))
    return found


@torch.no_grad()
def completions(
    model: Decoder, tokenizer: PreTrainedTokenizerBase, places: Sequence[Cut], batch_size: int = 32
) -> list[str]:
    """The model's most probable next token at each place, as text."""
    found: list[str] = []
    for start in range(0, len(places), batch_size):
        batch = rectangle([list(place.before) for place in places[start : start + batch_size]])
        best = logits_of(model, batch)[:, -1].argmax(dim=-1)
        found += [tokenizer.decode([token]) for token in best.tolist()]
    return found


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
