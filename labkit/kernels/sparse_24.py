"""The 2:4 format of a weight: of every four neighbouring inputs at most two weights, and two bits saying which.

For each group of four inputs two values are kept, and for each of them its place, 0 to 3: 4 bits a group. So in 16-bit
weights it takes 2 x 16 + 4 bits where the dense weight takes 4 x 16: 9/16 of the bytes, not a half.

Values and places are those of torch's own packer (`torch.sparse._semi_structured_conversions`), before it reorders the
places for one GPU kernel. Multiplying on a CPU is `sparse_24_linear`, on a GPU torch's: `semi_structured`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

GROUP, KEPT = 4, 2


class Packed24(NamedTuple):
    """Values in the order of their inputs; a byte of `places` tells two groups, the first in its lower half.

    A half is `first | second << 2`. With an odd number of groups the last upper half is 0.
    """

    values: Float[Tensor, "out half_in"]
    places: UInt8[Tensor, "out pairs"]

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.places.nbytes


def pack_24(weight: Float[Tensor, "out in"]) -> Packed24:
    """A weight that is 2:4 already, packed without loss.

    Raises `ValueError` if `in` is no multiple of 4, or for a group with more than two weights that are not zero.

    >>> packed = pack_24(torch.tensor([[0.0, 5.0, 0.0, 7.0]]))
    >>> packed.values, packed.places  # 1 | 3 << 2
    (tensor([[5., 7.]]), tensor([[13]], dtype=torch.uint8))
    """
    weight = weight.detach()
    if weight.shape[-1] % GROUP:
        raise ValueError(
            f"2:4 needs a number of inputs that 4 divides; got {weight.shape[-1]}. Pad, or leave it dense."
        )
    groups = weight.unflatten(1, (-1, GROUP))
    _check_counts(groups)
    places = _places_of(groups != 0)
    halves = places[..., 0] | places[..., 1] << 2
    low, high = torch.nn.functional.pad(halves, (0, halves.shape[1] % 2)).unflatten(1, (-1, 2)).unbind(-1)
    return Packed24(groups.gather(-1, places).flatten(1), (low | high << 4).to(torch.uint8))


def _places_of(nonzero: Tensor) -> Int[Tensor, "out groups 2"]:
    """Where the two kept values of each group stand; where there are fewer than two, zeros, the same as torch takes.

    The first is the first of places 0 and 1 that is taken, else 2. The second is 1 if both are, 3 if 3 is taken or
    neither of the two is, else 2.
    """
    m0, m1, _, m3 = nonzero.unbind(-1)
    first = torch.where(m0, 0, torch.where(m1, 1, 2))
    second = torch.where(m0 & m1, 1, torch.where(m3 | ~(m0 | m1), 3, 2))
    return torch.stack((first, second), dim=-1)


def _check_counts(groups: Tensor) -> None:
    counts = (groups != 0).sum(dim=-1)
    if counts.numel() and counts.max() > KEPT:
        row, group = (int(i) for i in (counts > KEPT).nonzero()[0])
        inputs, found = f"{GROUP * group} to {GROUP * group + GROUP - 1}", int(counts[row, group])
        raise ValueError(f"Row {row} has {found} weights in inputs {inputs}; 2:4 has room for 2. Mask it to 2:4 first.")


def unpack_24(packed: Packed24) -> Float[Tensor, "out in"]:
    """The dense weight."""
    values, places = packed
    halves = torch.stack((places & 15, places >> 4), dim=-1).flatten(1)[:, : values.shape[1] // KEPT].long()
    index = torch.stack((halves & 3, halves >> 2), dim=-1)
    dense = values.new_zeros(*halves.shape, GROUP)
    return dense.scatter_(-1, index, values.unflatten(1, (-1, KEPT))).flatten(1)


def semi_structured(packed: Packed24) -> Tensor:
    """The weight as torch's own semi-structured tensor, which tensor cores multiply: `linear(x, it)` is all it takes.

    16-bit weights on a CUDA GPU alone, out a multiple of 32 and in of 64. Raises `ValueError` elsewhere.
    """
    if not packed.values.is_cuda:
        raise ValueError("torch multiplies 2:4 weights on CUDA GPUs alone; on a CPU take `sparse_24_linear`.")
    return torch.sparse.to_sparse_semi_structured(unpack_24(packed))
