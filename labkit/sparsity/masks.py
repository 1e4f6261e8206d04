"""From scores to masks: the best weights are kept, exactly as many as asked for.

What a score is (`scores`) and among whom weights compete are two choices. Here is the second: in the whole layer, in
each row, or in each group of m neighbouring inputs (N:M). Of equal scores the first is kept, so that a mask depends on
nothing but its scores; a row of zeros keeps its first weights.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Mask = Bool[Tensor, "out in"]
"""True on what is kept."""
Choose = Callable[[Float[Tensor, "out in"]], Mask]
"""Scores in, mask out: one of the functions below with its density given."""


def kept_count(total: int, density: float) -> int:
    """How many of `total` weights a density keeps, halves rounded up. Raises `ValueError` outside 0 to 1.

    >>> kept_count(10, 0.25), kept_count(10, 0.0), kept_count(10, 1.0)
    (3, 0, 10)
    """
    if not 0 <= density <= 1:
        raise ValueError(f"A density is the share of weights kept, from 0 to 1; got {density}.")
    return int(total * density + 0.5)


def keep_largest(scores: Float[Tensor, "*rows n"], count: int) -> Bool[Tensor, "*rows n"]:
    """The `count` largest of each row. Raises `ValueError` for scores that are not numbers.

    >>> keep_largest(torch.tensor([3.0, 1.0, 3.0, 3.0]), 2)
    tensor([ True, False,  True, False])
    """
    if torch.isnan(scores).any():
        raise ValueError("Scores hold NaN: the weights or the calibration inputs are broken.")
    best = scores.argsort(dim=-1, descending=True, stable=True)[..., :count]
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, best, True)


def keep_in_layer(scores: Float[Tensor, "out in"], density: float) -> Mask:
    """The best of the whole layer; a row may lose all its weights."""
    return keep_largest(scores.flatten(), kept_count(scores.numel(), density)).view_as(scores)


def keep_in_rows(scores: Float[Tensor, "out in"], density: float) -> Mask:
    """The best of each output, as many in each: Wanda's comparison group (arXiv 2306.11695, section 3)."""
    return keep_largest(scores, kept_count(scores.shape[-1], density))


def keep_n_of_m(scores: Float[Tensor, "out in"], n: int, m: int) -> Mask:
    """The best `n` of every `m` neighbouring inputs: 2:4 is n = 2, m = 4 (arXiv 2104.08378).

    Raises `ValueError` if m does not divide the inputs, or for n outside 0 to m.

    >>> keep_n_of_m(torch.tensor([[4.0, 3.0, 2.0, 1.0]]), n=1, m=2)
    tensor([[ True, False,  True, False]])
    """
    if m < 1 or not 0 <= n <= m:
        raise ValueError(f"N:M keeps 0 to m of m weights; got {n}:{m}.")
    if scores.shape[-1] % m:
        raise ValueError(f"{n}:{m} needs inputs in number that {m} divides; got {scores.shape[-1]}. Leave it dense.")
    return keep_largest(scores.unflatten(-1, (-1, m)), n).flatten(-2)


def density_of(mask: Bool[Tensor, "*any"]) -> float:
    """The share of weights that a mask keeps."""
    return float(mask.float().mean())
