"""Activations as whole numbers with a scale for each 32 neighbours: what a product of integers needs on its other side.

A processor multiplies bytes several times faster than floats. 8 bits hold an activation to a half step of 1/127 of the
largest neighbour; 16 bits (two bytes, 15 of their bits in use) to one of 1/16,319, closer than bf16 and fp16 come near
the largest. One scale for a whole row is what per-token quantization means elsewhere; a single large activation then
takes the steps of all others (arXiv 2208.07339).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

BLOCK = 32
STEPS = {8: 127, 16: 16319}
"""Steps on either side of zero. 16,319 = 128 * 127 + 63: a high and a low byte that both stay within a signed byte."""


class RoundedActivations(NamedTuple):
    """Whole numbers, and a scale for each block of 32 of them; a short last block is filled up with zeros."""

    codes: Int[Tensor, "*rows blocks 32"]
    scales: Float[Tensor, "*rows blocks"]

    def dequantize(self, size: int) -> Float[Tensor, "*rows in"]:
        """The first `size` numbers of each row, in fp32."""
        return (self.codes * self.scales.unsqueeze(-1)).flatten(-2)[..., :size]


def round_activations(x: Float[Tensor, "*rows in"], bits: int = 8, per_row: bool = False) -> RoundedActivations:
    """Each number to the nearest step, ties to even; `per_row` takes one scale for the whole row.

    A block that holds NaN or infinity gets the scale NaN, so whatever is computed from it is NaN too. Raises
    `ValueError` for bits other than 8 and 16.

    >>> rounded = round_activations(torch.tensor([[-127.0, 0.4, 63.5]]))
    >>> rounded.codes[0, 0, :3].tolist(), rounded.scales.tolist()
    ([-127, 0, 64], [[1.0]])
    """
    if bits not in STEPS:
        raise ValueError(f"Activations are rounded to 8 or 16 bits, not {bits}.")
    blocks = pad(x.float(), (0, -x.shape[-1] % BLOCK)).unflatten(-1, (-1, BLOCK))
    peaks = blocks.abs().amax(dim=(-2, -1) if per_row else -1, keepdim=True)
    steps = peaks.new_tensor(STEPS[bits])  # a tensor, because torch divides a number by way of a rounded reciprocal
    units, inverses = peaks / steps, steps / peaks
    nothing = ~(units > 0) | (inverses > 3e38)  # zero, or too small to be told from it
    codes = torch.where(nothing | ~peaks.isfinite(), 0, blocks * inverses).round()
    scales = torch.where(peaks.isfinite(), torch.where(nothing, 0, units), torch.nan)
    return RoundedActivations(codes.nan_to_num().short(), scales.squeeze(-1).expand(blocks.shape[:-1]))
