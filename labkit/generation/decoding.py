"""The decoding loop: step after step, one token a row, or several where a drafter guesses ahead.

Between steps the cache holds all tokens of a row but its last. A step feeds what is missing and appends what it chose;
a speculative one feeds guesses as well and makes the cache forget those that were refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.generation.drafting import Draft, Drafter
from labkit.generation.feeding import FilledCache, excess, feed, missing
from labkit.generation.rows import Row, open_rows
from labkit.generation.sampling import GREEDY, Sampling, choose, probabilities
from labkit.generation.stopping import Stop, at_tokens
from labkit.generation.verifying import accept_greedy, accept_sampled
from labkit.models.decoder import Decoder


@dataclass(frozen=True)
class Step:
    """One pass of the model: the tokens that each row gained, none for rows that had ended before.

    `logits` are those after the last column that went in; `drafted` and `accepted` count guesses of each row.
    """

    rows: Sequence[Row]
    tokens: tuple[tuple[int, ...], ...]
    logits: Float[Tensor, "batch vocab"]
    drafted: tuple[int, ...] = ()
    accepted: tuple[int, ...] = ()


def stream(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    sampling: Sampling = GREEDY,
    generator: torch.Generator | None = None,
    stop: Stop | None = None,
    cache: FilledCache | None = None,
    drafter: Drafter | None = None,
    draft_length: int = 4,
) -> Iterator[Step]:
    """The steps of a batch of prompts, as they come; the first one reads the prompts.

    A row ends by `stop` (default: the model's own end tokens), after `max_new_tokens`, or at the end of the context or
    cache. A `cache` that is not empty holds the first tokens of each prompt already; at least one must be left to feed.
    With a `drafter` up to `draft_length` tokens are guessed before each pass; the result is distributed as without.

    Raises `ValueError` before the first step for prompts, lengths, caches or drafters that make no sense.
    """
    cache = cache if cache is not None else _cache_for(model, prompts, max_new_tokens)
    rows = open_rows(prompts, max_new_tokens, cache.capacity, model.config.vocab_size)
    _check_cache(rows, cache)
    stop = stop or at_tokens(*model.config.eos_token_ids)
    batch = _Batch(model, rows, sampling, generator, stop, cache)
    if drafter is None:
        return _steps(batch)
    if draft_length < 1:
        raise ValueError(f"At least one token must be drafted; got {draft_length}.")
    if not hasattr(cache, "rewind"):
        raise ValueError(f"Speculation must take back what was refused, and a {type(cache).__name__} cannot rewind.")
    drafter.open(model.config, len(rows), max(row.prompt_length + row.room for row in rows))
    return _speculative_steps(batch, drafter, draft_length)


def _cache_for(model: Decoder, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> FilledCache:
    longest = max((len(prompt) for prompt in prompts), default=0)
    capacity = min(longest + max_new_tokens, model.config.max_position_embeddings)
    return model.new_cache(max(len(prompts), 1), max(capacity, 1))


def _check_cache(rows: list[Row], cache: FilledCache) -> None:
    if len(cache.lengths) != len(rows):
        raise ValueError(f"{len(rows)} prompts for a cache of {len(cache.lengths)} rows.")
    for row, held in zip(rows, cache.lengths, strict=True):
        if held >= row.prompt_length:
            raise ValueError(
                f"The cache holds {held} tokens and the prompt has {row.prompt_length}: none is left to feed."
            )


@dataclass(frozen=True)
class _Batch:
    """What all steps of one batch share."""

    model: Decoder
    rows: list[Row]
    sampling: Sampling
    generator: torch.Generator | None
    stop: Stop
    cache: FilledCache

    @property
    def ended(self) -> bool:
        return all(row.ended for row in self.rows)

    def texts(self) -> list[list[int]]:
        return [row.tokens for row in self.rows]

    def gain(self, chosen: list[list[int]]) -> tuple[tuple[int, ...], ...]:
        """What each row takes of its chosen tokens."""
        return tuple(row.extend(tokens, self.stop) for row, tokens in zip(self.rows, chosen, strict=True))


def _steps(batch: _Batch) -> Iterator[Step]:
    while not batch.ended:
        yield _step(batch)


def _step(batch: _Batch) -> Step:
    logits = feed(batch.model, batch.cache, missing(batch.rows, batch.cache.lengths))[:, -1]
    chosen = choose(logits, batch.texts(), batch.sampling, batch.generator).tolist()
    return Step(batch.rows, batch.gain([[token] for token in chosen]), logits)


def _speculative_steps(batch: _Batch, drafter: Drafter, draft_length: int) -> Iterator[Step]:
    yield _step(batch)  # reads the prompts
    while not batch.ended:
        # A pass gives one token more than it accepts, so the last token of a row need not be guessed.
        counts = [max(0, min(draft_length, row.left - 1)) for row in batch.rows]
        drafts = drafter.propose(batch.texts(), counts, batch.sampling, batch.generator)
        known = missing(batch.rows, batch.cache.lengths)
        pending = [[*tokens, *draft.tokens] for tokens, draft in zip(known, drafts, strict=True)]
        logits = feed(batch.model, batch.cache, pending, last_only=False)
        chosen = _verified(logits, batch.rows, drafts, batch.sampling, batch.generator)
        gained = batch.gain(chosen)
        batch.cache.rewind(excess(batch.texts(), batch.cache.lengths))
        accepted = tuple(max(0, len(tokens) - 1) for tokens in chosen)
        yield Step(batch.rows, gained, logits[:, -1], tuple(len(draft.tokens) for draft in drafts), accepted)


def _verified(
    logits: Float[Tensor, "batch seq vocab"],
    rows: list[Row],
    drafts: list[Draft],
    sampling: Sampling,
    generator: torch.Generator | None,
) -> list[list[int]]:
    """The tokens that this pass gives each row; none to rows that have ended."""
    chosen = []
    for row, draft, after in zip(rows, drafts, logits, strict=True):
        if row.ended:
            chosen.append([])
            continue
        after = after[-len(draft.tokens) - 1 :]
        contexts = [row.tokens + draft.tokens[:n] for n in range(len(draft.tokens) + 1)]
        if sampling.greedy:
            best = choose(after, contexts, sampling).tolist()
            chosen.append(accept_greedy(best, draft.tokens))
        else:
            target = probabilities(after, contexts, sampling)
            chosen.append(accept_sampled(target, draft.drawn_from, draft.tokens, generator))
    return chosen
