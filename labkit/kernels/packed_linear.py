"""A linear layer whose weight is packed once, in fp32 or bf16, so that a decode step reads it straight through.

With m rows, k inputs, n outputs and weights of e bytes, everything else in fp32:

| variant                   | bytes                       | FLOPs   |                                                 |
|---------------------------|-----------------------------|---------|-------------------------------------------------|
| `packed_linear_reference` | 4 (m k + m n) + (e + 8) k n | 2 m k n | unpacks and widens the weight, then torch       |
| `packed_linear`           | 4 (m k + m n) + e k n       | 2 m k n | widens in registers (C), six rows to each fetch |

A panel is 16 outputs side by side, input after input: (panels, in, 16), the last one padded with zeros. In bf16 their
order is 0, 8, 1, 9, ..., so that widening is a shift and a mask; that works on processors without bf16 instructions,
and halves the bytes of a step there too.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.kernels.native.building import native, typed
from labkit.measure.costs import Cost, TensorSpec, register_cost

PANEL = 16
Packed = Float[Tensor, "panels in 16"]


def pack(weight: Float[Tensor, "out in"], dtype: torch.dtype = torch.float32) -> Packed:
    """The weight in panels, as fp32 or bf16. Raises `ValueError` for another dtype.

    >>> pack(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))[0, :, :2]  # two outputs, side by side for each input
    tensor([[1., 3.],
            [2., 4.]])
    """
    if dtype not in (torch.float32, torch.bfloat16):
        raise ValueError(f"Weights are packed as float32 or bfloat16, not {dtype}.")
    out = weight.shape[0]
    padded = torch.nn.functional.pad(weight.detach(), (0, 0, 0, -out % PANEL))
    panels = padded.to(dtype).unflatten(0, (-1, PANEL)).transpose(1, 2)
    return (panels if dtype == torch.float32 else panels[..., _INTERLEAVED]).contiguous()


def unpack(packed: Packed, out: int) -> Float[Tensor, "out in"]:
    """The weight in its own order and dtype."""
    panels = packed if packed.dtype == torch.float32 else packed[..., _IN_ORDER]
    return panels.transpose(1, 2).flatten(0, 1)[:out]


def packed_linear_reference(
    x: Float[Tensor, "*rows in"], packed: Packed, out: int, bias: Float[Tensor, " out"] | None = None
) -> Float[Tensor, "*rows out"]:
    """x W^T + b, in the dtype of x.

    >>> packed_linear_reference(torch.tensor([[2.0, 4.0]]), pack(torch.tensor([[0.5, 1.5]]), torch.bfloat16), out=1)
    tensor([[7.]])
    """
    return torch.nn.functional.linear(x, unpack(packed, out).to(x.dtype), bias)


def packed_linear(
    x: Float[Tensor, "*rows in"], packed: Packed, out: int, bias: Float[Tensor, " out"] | None = None
) -> Float[Tensor, "*rows out"]:
    """The same by `torch.ops.labkit.packed_linear`; x and bias fp32. No gradient."""
    return torch.ops.labkit.packed_linear(x, packed, out, bias)


def _on_cpu(x: Tensor, packed: Tensor, out: int, bias: Tensor | None = None) -> Tensor:
    library = native("packed_linear") if x.dtype == torch.float32 else None
    if library is None:
        return packed_linear_reference(x, packed, out, bias)
    x = x.contiguous()
    y = x.new_empty((*x.shape[:-1], out))
    inner = x.shape[-1]
    typed(library.labkit_packed_linear, pointers=4, longs=3, ints=2)(
        *(y.data_ptr(), x.data_ptr(), packed.data_ptr(), None if bias is None else bias.data_ptr()),
        *(x.numel() // inner, inner, out, packed.itemsize, torch.get_num_threads()),
    )
    return y


def _cost(x: TensorSpec, packed: TensorSpec, out_features: int, *_: object, out: TensorSpec, **__: object) -> Cost:
    return Cost(2 * out.numel * x.shape[-1])


_INTERLEAVED = [place for pair in zip(range(8), range(8, 16), strict=True) for place in pair]
_IN_ORDER = [_INTERLEAVED.index(place) for place in range(PANEL)]

_LIBRARY = torch.library.Library("labkit", "FRAGMENT")
_LIBRARY.define("packed_linear(Tensor x, Tensor packed, int out, Tensor? bias=None) -> Tensor")
_LIBRARY.impl("packed_linear", _on_cpu, "CPU")
_LIBRARY.impl("packed_linear", packed_linear_reference, "CUDA")
_LIBRARY.impl("packed_linear", lambda x, packed, out, bias=None: x.new_empty((*x.shape[:-1], out)), "Meta")
register_cost("labkit::packed_linear", _cost)
