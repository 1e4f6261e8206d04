"""Rotary position embedding: each pair of dimensions turned by an angle that grows with the position.

Su et al., 2021 (arXiv 2104.09864), in the layout of Hugging Face checkpoints: dimension i is paired with i + head/2.

| variant          | bytes (q and k of n elements of e bytes) | FLOPs |
|------------------|------------------------------------------|-------|
| `rotary`         | about 10e n, one pass an operator        | 3 n   |
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def rotary(
    x: Float[Tensor, "batch any_heads seq head"],
    cos: Float[Tensor, "batch 1 seq half_head"],
    sin: Float[Tensor, "batch 1 seq half_head"],
) -> Float[Tensor, "batch any_heads seq head"]:
    """Rotate the pairs (x_i, x_{i + head/2}) by the angle whose cosine and sine are given.

    >>> quarter_turn = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    >>> rotary(torch.tensor([[[[1.0, 2.0]]]]), *quarter_turn)
    tensor([[[[-2.,  1.]]]])
    """
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
