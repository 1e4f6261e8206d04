"""Which guessed tokens the model accepts: speculative decoding (Leviathan et al., 2023, arXiv 2211.17192).

One pass of the model over `drafted` guesses gives its distribution at each of them and after the last. Guesses are
accepted from the first on; at the first refusal the model's own token takes the place, and what came later is void.
So a pass gives at least one token and at most `drafted` + 1, and they follow the model's own distribution exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def accept_greedy(best: Sequence[int], drafted: Sequence[int]) -> list[int]:
    """The tokens of one pass when the model takes its best token, always; `best` has one entry more than `drafted`.

    >>> accept_greedy(best=[4, 5, 9, 7], drafted=[4, 5, 6])  # the third guess was wrong
    [4, 5, 9]
    >>> accept_greedy(best=[4, 5, 6, 7], drafted=[4, 5, 6])
    [4, 5, 6, 7]
    """
    right = 0
    while right < len(drafted) and drafted[right] == best[right]:
        right += 1
    return [*drafted[:right], best[right]]


def accept_sampled(
    target: Float[Tensor, "drafted_and_one vocab"],
    draft: Float[Tensor, "drafted vocab"] | None,
    drafted: Sequence[int],
    generator: torch.Generator | None = None,
) -> list[int]:
    """The tokens of one pass when the model samples (algorithm 1 of the paper).

    Guess x is accepted with probability min(1, p(x) / q(x)), where p is the model's distribution and q the one that x
    was drawn from; a refused one is replaced by a draw from max(0, p - q), scaled to sum to 1. `draft` None says that
    the guesses were not drawn: q is 1 at each of them.
    """
    for n, token in enumerate(drafted):
        p, q = target[n, token], 1.0 if draft is None else draft[n, token]
        if torch.rand((), generator=generator, device=target.device) * q < p:
            continue
        return [*drafted[:n], _draw(_residual(target[n], None if draft is None else draft[n], token), generator)]
    return [*drafted, _draw(target[len(drafted)], generator)]


def _residual(p: Float[Tensor, " vocab"], q: Float[Tensor, " vocab"] | None, token: int) -> Float[Tensor, " vocab"]:
    if q is None:
        rest = p.clone()
        rest[token] = 0
        return rest
    rest = (p - q).clamp(min=0)
    return rest if rest.any() else p  # equal but for rounding: p has nothing beyond q, and a draw from p is right


def _draw(weights: Float[Tensor, " vocab"], generator: torch.Generator | None) -> int:
    return int(torch.multinomial(weights, 1, generator=generator))


def expected_tokens(acceptance: float, draft_length: int) -> float:
    """Tokens a pass gives on average when each guess is accepted with this probability (equation 1 of the paper).

    (1 - a^(k+1)) / (1 - a) for acceptance a and k guesses.

    >>> expected_tokens(0.5, 2)  # 1 + 0.5 + 0.25
    1.75
    """
    return sum(acceptance**n for n in range(draft_length + 1))


def expected_speedup(acceptance: float, draft_length: int, draft_cost: float) -> float:
    """Tokens a pass over its price, in passes of the model (theorem 3.8): a guess costs `draft_cost` of one.

    It supposes that a pass over several tokens takes as long as one over a single token.

    >>> expected_speedup(0.5, 2, 0.25)  # 1.75 tokens for 1.5 passes
    1.1666666666666667
    """
    return expected_tokens(acceptance, draft_length) / (draft_length * draft_cost + 1)
