"""AWQ: give the channels that carry large activations finer steps, by scaling them up before rounding.

An error of a weight counts as much as the input it meets is large (arXiv 2306.00978). Multiply the columns that meet
large inputs by s > 1 and divide those inputs by s: the product is the same, the columns' rounding error is not, because
the scale of their group hardly grows while they do. Too large an s hurts the other columns, so it is searched, on
calibration inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.kernels.nearest_codes import checked
from labkit.kernels.weight_format import WeightFormat
from labkit.quantization.output_error import output_error
from labkit.quantization.rounding import round_to_nearest

STEPS = 20
"""Exponents tried, from 0 in steps of 1/20, as in the paper's grid search."""


def awq_scales(
    weights: Sequence[Float[Tensor, "_ in"]], inputs: Float[Tensor, "tokens in"], fmt: WeightFormat
) -> Float[Tensor, " in"]:
    """The scale of each input channel, shared by all `weights` that read these inputs (q, k and v; gate and up).

    s = (mean |x|) ^ alpha with the alpha whose rounded weights W diag(s) give the smallest output error on x / s
    (equations 4 and 5); alpha 0 is plain rounding, so the result is never worse than that on these inputs. Raises
    `ValueError` for inputs that are not finite, fewer than 2 tokens or of another width than the weights.

    >>> weight, x = torch.tensor([[1.0, 0.1]]), torch.tensor([[0.1, 10.0], [-0.1, 10.0]])
    >>> fmt = WeightFormat(bits=3, scale_dtype=torch.float32)
    >>> scales = awq_scales([weight], x, fmt)
    >>> round_to_nearest(weight, fmt).dequantize()  # 0.1, which meets 10, is less than half a step of 1/3
    tensor([[1., 0.]])
    >>> round_to_nearest(weight * scales, fmt).dequantize() / scales
    tensor([[1.0000, 0.1000]])
    """
    weights, inputs = [checked(weight) for weight in weights], checked_inputs(inputs, weights[0].shape[1])
    magnitude, moment = inputs.abs().mean(dim=0), inputs.T @ inputs

    def error(scales: Tensor) -> float:
        return sum(float(output_error(w, _rounded(w, scales, fmt), moment)) for w in weights)

    return min((scales_at(magnitude, step / STEPS) for step in range(STEPS)), key=error)


def scales_at(magnitude: Float[Tensor, " in"], alpha: float) -> Float[Tensor, " in"]:
    """magnitude ^ alpha, centred so that the smallest and the largest scale multiply to 1.

    >>> scales_at(torch.tensor([1.0, 4.0, 16.0]), alpha=0.5)
    tensor([0.5000, 1.0000, 2.0000])
    """
    scales = magnitude.pow(alpha).clamp(min=1e-4)
    return scales / (scales.max() * scales.min()).sqrt()


def checked_inputs(inputs: Float[Tensor, "tokens in"], width: int) -> Float[Tensor, "tokens in"]:
    """Calibration inputs in at least fp32. Raises `ValueError` where they cannot be calibrated on."""
    if inputs.dim() != 2 or inputs.shape[1] != width:
        raise ValueError(f"Calibration inputs are (tokens, {width}) for this weight; got {tuple(inputs.shape)}.")
    if len(inputs) < 2:
        raise ValueError(f"Calibration on {len(inputs)} token fits that token alone: give it a few hundred.")
    if not torch.isfinite(inputs).all():
        raise ValueError("The calibration inputs hold NaN or infinity: the model, or its outliers in fp16, are broken.")
    return inputs.float() if inputs.itemsize < 4 else inputs


def _rounded(weight: Tensor, scales: Tensor, fmt: WeightFormat) -> Float[Tensor, "out in"]:
    """What W becomes when it is rounded under these scales and multiplied with x / s."""
    return round_to_nearest(weight * scales, fmt).dequantize() / scales
