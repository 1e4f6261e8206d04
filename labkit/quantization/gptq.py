"""GPTQ: round one column after another, and let the columns still to come make up for each error (arXiv 2210.17323).

The output error of a row w is (w - q) H (w - q)^T with H from the layer's inputs. Once a weight is rounded, the best
move of the others is known in closed form (optimal brain surgeon): in proportion to a row of H's inverse. GPTQ takes
the columns in the same order for every row, so that one Cholesky factor of that inverse serves all of them, and applies
the moves block by block, because a matrix product is fast where a column at a time is not.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from labkit.kernels.nearest_codes import checked, nearest_codes
from labkit.kernels.quantized_weight import QuantizedWeight, decode
from labkit.kernels.weight_format import WeightFormat
from labkit.quantization.rounding import group_scales

BLOCK = 128
"""Columns a block, as in the paper; more where a group is larger, so that a group's scale sees no stale weight."""


def hessian_of(inputs: Float[Tensor, "tokens in"]) -> Float[Tensor, "in in"]:
    """2 / tokens times the sum of x x^T, the second derivative of a row's mean squared output error.

    Raises `ValueError` for a single token: it knows one direction of the input space, and rounding would be free in
    all others.

    >>> hessian_of(torch.tensor([[1.0, 0.0], [1.0, 2.0]]))
    tensor([[2., 2.],
            [2., 4.]])
    """
    if len(inputs) < 2:
        raise ValueError(f"A Hessian from {len(inputs)} token says nothing of other text: calibrate on a few hundred.")
    x = inputs.float() if inputs.itemsize < 4 else inputs
    return 2 / len(x) * x.T @ x


def gptq(
    weight: Float[Tensor, "out in"],
    hessian: Float[Tensor, "in in"],
    fmt: WeightFormat,
    damping: float = 0.01,
    act_order: bool = False,
) -> QuantizedWeight:
    """Codes that keep the layer's output, not its weights; scales as in round-to-nearest.

    H may have any factor (the 2 / tokens of `hessian_of`, or none: a sum of x x^T). `damping`, in mean diagonal
    entries, is added to its diagonal so that it can be inverted. A group's scale is chosen
    when its first column is reached, from what the weights have become. `act_order` takes the columns with the largest
    inputs first, while there is most left to make up for them; scales are then those of the weights as they came.
    Raises `ValueError` for weights or a Hessian that are not finite, a Hessian of another size, damping below 0, and a
    Hessian that is singular all the same.

    >>> weight = torch.tensor([[0.4, 0.4, 3.0]])  # rounded alone, both of the first would be 0
    >>> hessian = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])  # but they always see equal inputs
    >>> gptq(weight, hessian, WeightFormat(bits=3)).dequantize()  # so 0 and 1 are nearer to 0.4 + 0.4
    tensor([[0., 1., 3.]])
    """
    weight = checked(weight)
    _check(weight, hessian, damping)
    order = hessian.diagonal().argsort(descending=True) if act_order else torch.arange(weight.shape[1])
    order = order.to(weight.device)
    factor = inverse_factor(hessian.to(weight)[order][:, order], damping)
    rounding = _Rounding(weight, fmt, order, scales_at_once=act_order or fmt.group_size is None)
    weight = weight[:, order]  # a copy
    width = BLOCK if fmt.group_size is None else -(-BLOCK // fmt.group_size) * fmt.group_size
    for start in range(0, weight.shape[1], width):
        end = min(start + width, weight.shape[1])
        errors = _round_block(weight, factor, rounding, start, end)
        weight[:, end:] -= errors @ factor[start:end, end:]
    return QuantizedWeight(rounding.codes, rounding.scales, rounding.zeros, fmt)


def inverse_factor(hessian: Float[Tensor, "in in"], damping: float) -> Float[Tensor, "in in"]:
    """Upper triangular U with U^T U the inverse of the damped Hessian. Inputs that are always zero count as 1.

    >>> inverse_factor(torch.tensor([[0.25, 0.0], [0.0, 0.0]]), damping=0.0).abs()
    tensor([[2., 0.],
            [0., 1.]])
    """
    diagonal = hessian.diagonal()
    extra = damping * diagonal.mean() + (diagonal == 0)
    try:
        lower = torch.linalg.cholesky(hessian + torch.diag(extra))
        return torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True)
    except torch.linalg.LinAlgError:
        raise ValueError(f"The Hessian is singular at damping {damping}: raise it or calibrate on more text.") from None


class _Rounding:
    """Codes, scales and zeros while they are filled; a column is a place in `order`."""

    def __init__(self, weight: Tensor, fmt: WeightFormat, order: Tensor, scales_at_once: bool) -> None:
        self.fmt, self.order, self.at_once = fmt, order.tolist(), scales_at_once
        self.size = weight.shape[1] // fmt.groups(weight.shape[1])
        self.codes: UInt8[Tensor, "out in"] = torch.empty_like(weight, dtype=torch.uint8)
        self.scales, self.zeros = group_scales(weight, fmt)

    def begin(self, weight: Tensor, column: int) -> None:
        """Choose the scale of the group that begins at `column` from the weights as they are now."""
        if self.at_once or column % self.size:
            return
        group = column // self.size
        scales, zeros = group_scales(weight[:, column : column + self.size], self.fmt)
        self.scales[:, group] = scales[:, 0]
        if zeros is not None:
            self.zeros[:, group] = zeros[:, 0]

    def round(self, values: Float[Tensor, " out"], column: int) -> Float[Tensor, " out"]:
        place = self.order[column]
        group = place // self.size
        zeros = None if self.zeros is None else self.zeros[:, group].to(values.dtype)
        scales = self.scales[:, group].to(values.dtype)
        self.codes[:, place] = nearest_codes(values, scales, zeros, self.fmt)
        return decode(self.codes[:, place], scales, zeros, self.fmt)


def _round_block(
    weight: Tensor, factor: Tensor, rounding: _Rounding, start: int, end: int
) -> Float[Tensor, "out columns"]:
    """Round columns start to end, moving those of the block at once; the errors are for all columns after it."""
    errors = torch.zeros_like(weight[:, start:end])
    for column in range(start, end):
        rounding.begin(weight, column)
        wanted = weight[:, column].clone()
        error = (wanted - rounding.round(wanted, column)) / factor[column, column]
        weight[:, column:end] -= error[:, None] * factor[column, column:end]
        errors[:, column - start] = error
    return errors


def _check(weight: Tensor, hessian: Tensor, damping: float) -> None:
    size = weight.shape[1]
    if tuple(hessian.shape) != (size, size):
        raise ValueError(f"A weight with {size} inputs has a Hessian of {size} x {size}; got {tuple(hessian.shape)}.")
    if not torch.isfinite(hessian).all():
        raise ValueError("The Hessian holds NaN or infinity: the calibration inputs do.")
    if damping < 0:
        raise ValueError(f"Damping is 0 or more; got {damping}.")
