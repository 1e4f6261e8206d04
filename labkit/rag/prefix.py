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

from labkit.evaluation.answering import prompt_tokens
from labkit.generation.decoding import stream
from labkit.generation.feeding import feed
from labkit.generation.stopping import at_tokens
from labkit.models.cache import KVCache
from labkit.models.decoder import Decoder
from labkit.rag.likelihoods import Reader


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


def answers_in_turn(reader: Reader, messages: Sequence[str], max_new_tokens: int = 24) -> list[str]:
    """Greedy answers, one message after another, each read behind what it shares with the one before.

    The texts are those of `labkit.evaluation.answering.answers`, for less reading where messages begin alike. Raises
    `ValueError` for a message that leaves the context no room for an answer.
    """
    prompts = [prompt_tokens(reader.tokenizer, message) for message in messages]
    longest = max(map(len, prompts), default=0) + max_new_tokens
    if longest > reader.model.config.max_position_embeddings:
        raise ValueError(f"The longest message and {max_new_tokens} new tokens are {longest}: more than the context.")
    prefix, end = PrefixCache(reader.model.new_cache(1, longest)), at_tokens(reader.tokenizer.eos_token_id)
    texts = []
    for prompt in prompts:
        prefix.keep(prompt)
        steps = stream(reader.model, [prompt], max_new_tokens, stop=end, cache=prefix.cache)
        said = [token for step in steps for token in step.tokens[0]]
        texts.append(reader.tokenizer.decode(said, skip_special_tokens=True).strip())
    return texts
