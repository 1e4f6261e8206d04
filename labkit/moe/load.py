"""How evenly a router spreads its tokens, from the choices it made."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.kernels.expert_padded import kept


def load(indices: Int[Tensor, "tokens chosen"], experts: int) -> Float[Tensor, " experts"]:
    """Each expert's share of all choices; raises `ValueError` without any choice.

    >>> load(torch.tensor([[0, 1], [0, 2]]), experts=4)
    tensor([0.5000, 0.2500, 0.2500, 0.0000])
    """
    if indices.numel() == 0:
        raise ValueError("No token was routed, so there is no load.")
    return torch.bincount(indices.flatten(), minlength=experts) / indices.numel()


def max_violation(indices: Int[Tensor, "tokens chosen"], experts: int) -> float:
    """MaxVio: how far the busiest expert is above the even load, in even loads (arXiv 2408.15664, equation 4).

    >>> max_violation(torch.tensor([[0, 1], [0, 2]]), experts=4)  # half of all choices where a quarter is even
    1.0
    """
    return float(load(indices, experts).max() * experts - 1)


def normalised_entropy(indices: Int[Tensor, "tokens chosen"], experts: int) -> float:
    """Entropy of the load over its largest value ln(experts): 1 is even, 0 is one expert for all.

    >>> round(normalised_entropy(torch.tensor([[0, 1], [0, 2]]), experts=4), 3)
    0.75
    """
    if experts == 1:
        return 1.0
    return float(torch.special.entr(load(indices, experts)).sum() / math.log(experts))


def capacity(tokens: int, chosen: int, experts: int, factor: float) -> int:
    """Rows set aside for each expert: `factor` times the even load, rounded up (arXiv 2101.03961, equation 3).

    Raises `ValueError` for a factor that is not above 0.

    >>> capacity(tokens=100, chosen=2, experts=8, factor=1.25)
    32
    """
    if not factor > 0:
        raise ValueError(f"A capacity factor is above 0; got {factor}.")
    return max(math.ceil(factor * tokens * chosen / experts), 1)


def dropped(indices: Int[Tensor, "tokens chosen"], experts: int, factor: float) -> float:
    """The share of choices that find no room under a capacity factor.

    >>> dropped(torch.tensor([[0], [0], [0], [1]]), experts=2, factor=1.0)  # 2 rows for each: one of expert 0's is lost
    0.25
    """
    rows = capacity(len(indices), indices.shape[1], experts, factor)
    return 1 - float(kept(indices, experts, rows).float().mean())
