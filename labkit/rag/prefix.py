"""A prefix cache: what a prompt begins with in common with the last one need not be read again.

Keys and values of a token depend only on the tokens before it, so those of a shared head are the same numbers. In a
prompt of passages and then a question, a second question about the same passages shares nearly all of it; the same
passages in another order share nothing after the first that differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from jaxtyping import Float
from torch import Tensor

from labkit.generation.feeding import feed
from labkit.models.cache import KVCache
from labkit.models.decoder import Decoder


class PrefixCache:
    """A KV cache of one row that knows the tokens of the prompt it holds."""

    def __init__(self, cache: KVCache) -> None:
        """Raises `ValueError` for a cache of several rows."""
        if len(cache.lengths) != 1:
            raise ValueError(f"A prefix cache has one row; this cache has {len(cache.lengths)}.")
        self.cache = cache
        self.prompt: list[int] = []

    def keep(self, prompt: Sequence[int]) -> int:
        """Forgets what `prompt` does not begin with, and returns how many of its tokens are held already.

        At least its last token is left to feed: the answer begins with the logits after it. `feed`, or `stream` with
        this cache, then reads the rest. Raises `ValueError` for an empty prompt.
        """
        if not prompt:
            raise ValueError("The prompt is empty.")
        held = self.cache.lengths[0]
        alike = min(common_prefix(self.prompt[:held], prompt), len(prompt) - 1)
        self.cache.rewind(held - alike)
        self.prompt = list(prompt)
        return alike


def common_prefix(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """How many tokens two sequences begin with in common.

    >>> common_prefix([1, 2, 3], [1, 2, 4, 5])
    2
    """
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)))


def prefill(model: Decoder, prefix: PrefixCache, prompt: Sequence[int]) -> Float[Tensor, " vocab"]:
    """Logits after the last token of the prompt, of which only what the cache does not hold goes through the model."""
    held = prefix.keep(prompt)
    return feed(model, prefix.cache, [list(prompt[held:])])[0, -1]
