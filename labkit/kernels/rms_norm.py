"""Root-mean-square normalisation (Zhang and Sennrich, 2019, arXiv 1910.07467).

| variant              | passes over x                     | bytes (x of n elements of e bytes) | FLOPs |
|----------------------|-----------------------------------|------------------------------------|-------|
| `rms_norm_reference` | one an operator, fp32 in between  | about 2e n + 24 n                  | 4 n   |
| `rms_norm`           | torch's operator, fused where able| 2e n                               | 4 n   |
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def rms_norm_reference(
    x: Float[Tensor, "*rows hidden"], weight: Float[Tensor, " hidden"], eps: float
) -> Float[Tensor, "*rows hidden"]:
    """x / sqrt(mean(x^2) + eps) * weight, the mean in fp32.

    >>> rms_norm_reference(torch.tensor([[3.0, 4.0]]), torch.ones(2), eps=0.0)  # mean square 12.5
    tensor([[0.8485, 1.1314]])
    """
    wide = x.float()
    scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return weight * (wide * scale).to(x.dtype)


def rms_norm(
    x: Float[Tensor, "*rows hidden"], weight: Float[Tensor, " hidden"], eps: float
) -> Float[Tensor, "*rows hidden"]:
    """The same by `torch.nn.functional.rms_norm`, which is fused only where both have one dtype: under autocast too."""
    return torch.nn.functional.rms_norm(x, weight.shape, weight.to(x.dtype), eps)
