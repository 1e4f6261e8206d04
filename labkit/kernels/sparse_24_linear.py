"""A linear layer that multiplies by a 2:4 weight as it is packed: nothing is unpacked into memory.

With m rows, k inputs, n outputs and weights of e bytes, everything else in fp32:

| variant                      | bytes                                               | FLOPs   |                     |
|------------------------------|-----------------------------------------------------|---------|---------------------|
| `sparse_24_linear_reference` | 4 (m k + m n) + (e / 2 + 1 / 8) k n + (2 e + 8) k n | 2 m k n | unpacks, then torch |
| `sparse_24_linear`           | 4 (m k + m n) + (e / 2 + 1 / 8) k n                 | m k n   | picks in place (C)  |

A panel is 16 outputs side by side. For each group of four inputs it has their first values and their second values,
in bf16 in the order of `packed_linear`; for each 8 groups 16 words of places, one an output, the first group lowest. So
one shift and one shuffle of four inputs give 8 outputs the input that each of them wants.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.kernels.native.building import native, typed
from labkit.kernels.packed_linear import PANEL, pack, unpack
from labkit.kernels.sparse_24 import GROUP, Packed24, unpack_24
from labkit.measure.costs import Cost, TensorSpec, register_cost

BLOCK = 8
"""Groups whose places share a word."""


class Panels24(NamedTuple):
    """The same bytes as `Packed24`, in the order in which the C code reads; padded to 16 outputs and 32 inputs."""

    values: Float[Tensor, "panels half_in 16"]
    places: Int[Tensor, "panels blocks 16"]

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.places.nbytes


def in_panels(packed: Packed24, dtype: torch.dtype = torch.bfloat16) -> Panels24:
    """Reordered for `sparse_24_linear`, as fp32 or bf16.

    Raises `ValueError` for another dtype, and for values and places that do not belong together.
    """
    out, pairs = packed.places.shape
    if packed.places.dtype != torch.uint8 or packed.values.shape[0] != out or -(-packed.values.shape[1] // 4) != pairs:
        raise ValueError(f"{tuple(packed.values.shape)} values do not go with {(out, pairs)} places of uint8.")
    half = -(-packed.values.shape[1] // (2 * BLOCK)) * 2 * BLOCK
    values = torch.nn.functional.pad(packed.values, (0, half - packed.values.shape[1]))
    places = torch.nn.functional.pad(packed.places, (0, half // GROUP - pairs, 0, -out % PANEL))
    words = places.contiguous().view(torch.int32)
    return Panels24(pack(values, dtype), words.unflatten(0, (-1, PANEL)).transpose(1, 2).contiguous())


def from_panels(panels: Panels24, out: int, inner: int) -> Packed24:
    """The way back, to the interchange format."""
    words = panels.places.transpose(1, 2).flatten(0, 1).contiguous()
    pairs = -(-inner // (2 * GROUP))
    return Packed24(unpack(panels.values, out)[:, : inner // 2].contiguous(), words.view(torch.uint8)[:out, :pairs])


def sparse_24_linear_reference(
    x: Float[Tensor, "*rows in"],
    values: Float[Tensor, "panels half_in 16"],
    places: Int[Tensor, "panels blocks 16"],
    out: int,
    bias: Float[Tensor, " out"] | None = None,
) -> Float[Tensor, "*rows out"]:
    """x W^T + b, in the dtype of x.

    >>> from labkit.kernels.sparse_24 import pack_24
    >>> panels = in_panels(pack_24(torch.tensor([[0.0, 5.0, 0.0, 7.0]])))
    >>> sparse_24_linear_reference(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), *panels, out=1)  # 5 x 2 + 7 x 4
    tensor([[38.]])
    """
    weight = unpack_24(from_panels(Panels24(values, places), out, x.shape[-1]))
    return torch.nn.functional.linear(x, weight.to(x.dtype), bias)


def sparse_24_linear(
    x: Float[Tensor, "*rows in"], panels: Panels24, out: int, bias: Float[Tensor, " out"] | None = None
) -> Float[Tensor, "*rows out"]:
    """The same by `torch.ops.labkit.sparse_24_linear`; x and bias fp32. No gradient.

    Raises `ValueError` for a weight of other inputs than x has.
    """
    return torch.ops.labkit.sparse_24_linear(x, *panels, out, bias)


def _on_cpu(x: Tensor, values: Tensor, places: Tensor, out: int, bias: Tensor | None = None) -> Tensor:
    library = native("sparse_24") if x.dtype == torch.float32 else None
    if library is None:
        return sparse_24_linear_reference(x, values, places, out, bias)
    inner, padded = x.shape[-1], 2 * values.shape[1]
    if not padded - GROUP * BLOCK < inner <= padded:
        raise ValueError(f"x has {inner} inputs, the packed weight {padded} with its padding.")
    x = (x if inner == padded else torch.nn.functional.pad(x, (0, padded - inner))).contiguous()
    y = x.new_empty((*x.shape[:-1], len(values) * PANEL))
    typed(library.labkit_sparse_24, pointers=4, longs=3, ints=2)(
        *(y.data_ptr(), x.data_ptr(), values.data_ptr(), places.data_ptr()),
        *(x.numel() // padded, places.shape[1], len(values), values.itemsize, torch.get_num_threads()),
    )
    y = y if y.shape[-1] == out else y[..., :out].contiguous()
    return y if bias is None else y + bias


def _cost(x: TensorSpec, values: TensorSpec, places: TensorSpec, *_: object, out: TensorSpec, **__: object) -> Cost:
    """Half of the dense layer's products: zeros that are not stored are not multiplied."""
    return Cost(2 * out.numel * (x.shape[-1] // 2))


_LIBRARY = torch.library.Library("labkit", "FRAGMENT")
_LIBRARY.define("sparse_24_linear(Tensor x, Tensor values, Tensor places, int out, Tensor? bias=None) -> Tensor")
_LIBRARY.impl("sparse_24_linear", _on_cpu, "CPU")
_LIBRARY.impl("sparse_24_linear", sparse_24_linear_reference, "CUDA")
_LIBRARY.impl("sparse_24_linear", lambda x, values, places, out, bias=None: x.new_empty((*x.shape[:-1], out)), "Meta")
register_cost("labkit::sparse_24_linear", _cost)
