"""What a weight is worth: the scores of the published methods that leave the other weights as they are."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.sparsity.masks import Mask, keep_in_layer, keep_in_rows

UNREACHED = "No calibration input reached this layer: give more texts, or prune it by magnitude."


def magnitude_scores(weight: Float[Tensor, "out in"]) -> Float[Tensor, "out in"]:
    """|W|: a small weight is taken for a useless one (Han et al., arXiv 1506.02626)."""
    return weight.detach().abs()


def wanda_scores(weight: Float[Tensor, "out in"], input_norm: Float[Tensor, " in"]) -> Float[Tensor, "out in"]:
    """|W| times the norm of its input over all calibration tokens (Wanda, arXiv 2306.11695, equation 1).

    Raises `ValueError` for a norm of another length, or of zeros alone: no input told anything.

    >>> wanda_scores(torch.tensor([[3.0, -1.0]]), torch.tensor([1.0, 10.0]))  # the small weight matters more
    tensor([[ 3., 10.]])
    """
    if input_norm.shape != weight.shape[-1:]:
        raise ValueError(f"Needed is a norm for each of {weight.shape[-1]} inputs; got {tuple(input_norm.shape)}.")
    if not input_norm.any():
        raise ValueError(UNREACHED)
    return weight.detach().abs() * input_norm


def random_scores(weight: Float[Tensor, "out in"], generator: torch.Generator) -> Float[Tensor, "out in"]:
    """The control: any method must do better than chance."""
    return torch.rand(weight.shape, generator=generator).to(weight.device)


def magnitude_mask(weight: Float[Tensor, "out in"], density: float) -> Mask:
    """The largest weights of the layer.

    >>> magnitude_mask(torch.tensor([[1.0, -4.0], [2.0, 3.0]]), density=0.5)
    tensor([[False,  True],
            [False,  True]])
    """
    return keep_in_layer(magnitude_scores(weight), density)


def wanda_mask(weight: Float[Tensor, "out in"], input_norm: Float[Tensor, " in"], density: float) -> Mask:
    """The best weights of each output by Wanda's score."""
    return keep_in_rows(wanda_scores(weight, input_norm), density)
