"""How the next token is chosen: a few settings, the distribution they make of the logits, and one draw from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.generation import warping
from labkit.generation.warping import Logits


class LostLogitsError(ValueError):
    """There are no numbers to choose a token by."""


@dataclass(frozen=True)
class Sampling:
    """Settings of the choice; each is off by default. Temperature 0 takes the best token, always.

    Applied in this order, which is that of transformers: repetition penalty, temperature, top-k, top-p, min-p.
    Raises `ValueError` for a setting outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        _require(0 <= self.temperature < float("inf"), "temperature is 0 or more", self.temperature)
        _require(self.top_k is None or self.top_k >= 1, "top_k is at least 1", self.top_k)
        _require(self.top_p is None or 0 < self.top_p <= 1, "top_p lies above 0 and at most at 1", self.top_p)
        _require(self.min_p is None or 0 <= self.min_p <= 1, "min_p lies between 0 and 1", self.min_p)
        _require(0 < self.repetition_penalty < float("inf"), "repetition_penalty is above 0", self.repetition_penalty)

    @property
    def greedy(self) -> bool:
        return self.temperature == 0


def probabilities(
    logits: Logits, contexts: Sequence[Sequence[int]], sampling: Sampling
) -> Float[Tensor, "places vocab"]:
    """The distribution that a token is drawn from, in fp32. `contexts` are the tokens before each place.

    Greedy settings put all on the best token. Raises `LostLogitsError` for logits that hold NaN or only -inf.

    >>> half = torch.tensor([[0.5, 0.25, 0.25]]).log()
    >>> probabilities(half, [[]], Sampling(temperature=0.5))  # each squared, then scaled to sum to 1
    tensor([[0.6667, 0.1667, 0.1667]])
    """
    scores = _penalised(logits, contexts, sampling)
    if sampling.greedy:
        return torch.nn.functional.one_hot(_best(scores), scores.shape[-1]).float()
    scores = warping.temperature(scores, sampling.temperature)
    if sampling.top_k is not None:
        scores = warping.top_k(scores, sampling.top_k)
    if sampling.top_p is not None:
        scores = warping.top_p(scores, sampling.top_p)
    if sampling.min_p is not None:
        scores = warping.min_p(scores, sampling.min_p)
    result = scores.softmax(dim=-1)
    if result.isnan().any():
        raise LostLogitsError(_LOST)
    return result


def choose(
    logits: Logits, contexts: Sequence[Sequence[int]], sampling: Sampling, generator: torch.Generator | None = None
) -> Int[Tensor, " places"]:
    """One token for each place, drawn with `generator`. Raises as `probabilities` does."""
    if sampling.greedy:
        return _best(_penalised(logits, contexts, sampling))
    return torch.multinomial(probabilities(logits, contexts, sampling), 1, generator=generator).squeeze(1)


def _penalised(logits: Logits, contexts: Sequence[Sequence[int]], sampling: Sampling) -> Logits:
    logits = logits.float()
    if sampling.repetition_penalty == 1:
        return logits
    return warping.repetition_penalty(logits, contexts, sampling.repetition_penalty)


def _best(scores: Logits) -> Int[Tensor, " places"]:
    best = scores.max(dim=-1)  # NaN is larger than everything to torch, so a single one shows here
    if not all(map(math.isfinite, best.values.tolist())):
        raise LostLogitsError(_LOST)
    return best.indices


_LOST = "The logits hold NaN or rule out every token, so there is no next token: the weights or the input are damaged."


def _require(fine: bool, rule: str, given: object) -> None:
    if not fine:
        raise ValueError(f"{rule}; got {given!r}.")


GREEDY = Sampling(temperature=0)
"""The best token, always."""
