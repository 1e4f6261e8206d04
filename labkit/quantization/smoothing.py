"""SmoothQuant: move the difficulty from activations, where outliers sit, to weights, where there are none.

An int8 scale per token must span its largest channel, and everything else is left with a few codes. Outliers stay in
the same channels, so divide those by s and multiply the weights' columns by s: the product is the same, and both
factors fit int8 (arXiv 2211.10438). The division goes into the norm before the layer, so that it costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def smoothing_scales(
    input_max: Float[Tensor, " in"], weights: Sequence[Float[Tensor, "_ in"]], alpha: float = 0.5
) -> Float[Tensor, " in"]:
    """s = max|x| ^ alpha / max|w| ^ (1 - alpha) for each input channel (equation 4), over all weights that read it.

    `input_max` is each channel's largest |x| in calibration. At alpha 0.5 inputs and weights end with the same maxima.
    Channels without input or without weight keep the scale 1. Raises `ValueError` for alpha outside 0 to 1 and maxima
    that are not finite.

    >>> smoothing_scales(torch.tensor([16.0, 1.0]), [torch.tensor([[1.0, -1.0], [0.5, 0.25]])])
    tensor([4., 1.])
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is the share of the difficulty that moves, 0 to 1; got {alpha}.")
    weight_max = torch.stack([weight.abs().amax(dim=0) for weight in weights]).amax(dim=0)
    if not (torch.isfinite(input_max).all() and torch.isfinite(weight_max).all()):
        raise ValueError("The largest inputs or weights are NaN or infinite: there is nothing to balance.")
    scales = input_max.pow(alpha) / weight_max.pow(1 - alpha)
    return torch.where((input_max > 0) & (weight_max > 0), scales, 1)
