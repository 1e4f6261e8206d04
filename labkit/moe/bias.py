"""Balancing without a loss: a bias a expert that steers the choice and leaves gradients alone (arXiv 2408.15664).

Not learned: after each step every bias moves by the same small amount, up where an expert got less than its share and
down where it got more. No gradient pulls the router away from what the task wants.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

RATE = 0.001
"""The step of the paper's section 4.1, for sigmoid scores and trainings of many thousand steps."""


def moved_bias(
    bias: Float[Tensor, " experts"], indices: Int[Tensor, "tokens chosen"], rate: float = RATE
) -> Float[Tensor, " experts"]:
    """The bias after a batch with these choices: bias + rate * sign(even load - load), algorithm 1 of the paper.

    >>> moved_bias(torch.zeros(3), torch.tensor([[0], [0], [1]]), rate=0.1)
    tensor([-0.1000,  0.0000,  0.1000])
    """
    counts = torch.bincount(indices.flatten(), minlength=len(bias))
    return bias + rate * torch.sign(counts.sum() - counts * len(bias))
