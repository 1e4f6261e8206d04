"""How much a layer's output moves when its weight is replaced: the error that calibrated methods make small.

With x the inputs, the squared error of the outputs, summed over tokens, is sum ||D x||^2 = tr(D M D^T), with D the
difference of the weights and M the sum of x x^T. So the inputs are needed once, for M, and not at each attempt.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def output_error(
    weight: Float[Tensor, "out in"], other: Float[Tensor, "out in"], second_moment: Float[Tensor, "in in"]
) -> Float[Tensor, ""]:
    """Sum over tokens and outputs of (weight x - other x)^2.

    >>> import torch
    >>> x = torch.tensor([[1.0, 2.0]])
    >>> output_error(torch.tensor([[3.0, 1.0]]), torch.tensor([[3.0, 0.5]]), x.T @ x)  # 5 against 4
    tensor(1.)
    """
    difference = weight.to(second_moment.dtype) - other.to(second_moment.dtype)
    return ((difference @ second_moment) * difference).sum()
