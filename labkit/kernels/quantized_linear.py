"""A linear layer that computes from a weight of 4 or 8 bits without ever unpacking it into memory.

With m rows, k inputs, n outputs, weights of e bytes (scales and zeros counted: 4.5 bits in groups of 32 are 0.5625) and
everything else in fp32:

| variant                      | bytes                       | FLOPs   |                                               |
|------------------------------|-----------------------------|---------|-----------------------------------------------|
| `quantized_linear_reference` | 4 (m k + m n) + (e + 8) k n | 2 m k n | writes the weight out as fp32, then torch     |
| `quantized_linear`           | 4 (m k + m n) + e k n       | 2 m k n | unpacks in registers (C), once for some rows  |
| the same on a GPU            | (m k + m n) a + e k n       | 2 m k n | the same bytes, activations of a bytes, in    |
|                              |                             |         | Triton: `kernels.triton.quantized_linear`     |

Activations are rounded on the way in (`rounded_activations`): to 8 bits (W4A8, W8A8), or to 16, where the weight alone
is what makes the difference (W4A16, W8A16) and a product costs two of 8 bits. Sums are whole numbers within 32 inputs
and fp32 beyond. A GPU takes activations of 16 bits as they come, fp16, bf16 or fp32, and does not round them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.kernels.native.building import native, typed
from labkit.kernels.packed_weight import PackedWeight
from labkit.kernels.quantized_panels import PanelLayout, PanelWeight, from_panels
from labkit.kernels.rounded_activations import BLOCK, STEPS, round_activations
from labkit.kernels.triton.running import triton_runs
from labkit.measure.costs import Cost, TensorSpec, register_cost


def quantized_linear_reference(
    x: Float[Tensor, "*rows in"],
    weight: PackedWeight,
    bias: Float[Tensor, " out"] | None = None,
    activation_bits: int = 16,
    per_row: bool = False,
) -> Float[Tensor, "*rows out"]:
    """x W^T + b with x rounded to 8 or 16 bits, in the dtype of x; for every format of weights.

    >>> from labkit.kernels.packed_weight import QuantizedWeight, WeightFormat, pack
    >>> codes, scales = torch.tensor([[9, 11]], dtype=torch.uint8), torch.tensor([[0.5]], dtype=torch.float16)
    >>> weight = pack(QuantizedWeight(codes, scales, None, WeightFormat(4)))  # (9 - 8) / 2, (11 - 8) / 2
    >>> quantized_linear_reference(torch.tensor([[127.0, 2.0]]), weight, activation_bits=8)
    tensor([[66.5000]])
    """
    rounded = round_activations(x, activation_bits, per_row).dequantize(x.shape[-1])
    bias = None if bias is None else bias.float()
    return torch.nn.functional.linear(rounded, weight.dequantize(), bias).to(x.dtype)


def quantized_linear(
    x: Float[Tensor, "*rows in"],
    weight: PanelWeight,
    bias: Float[Tensor, " out"] | None = None,
    activation_bits: int = 16,
    per_row: bool = False,
) -> Float[Tensor, "*rows out"]:
    """The same by `torch.ops.labkit.quantized_linear`. The gradient of x is that of the weight as it is held.

    Raises `ValueError` for another width of x than the weight has, for integers, and for bits other than 8 and 16.
    """
    panels, layout = weight
    if x.shape[-1] != layout.in_features or not x.is_floating_point():
        raise ValueError(
            f"This weight multiplies rows of {layout.in_features} floating-point numbers; "
            f"got {tuple(x.shape)} of {x.dtype}."
        )
    if activation_bits not in STEPS:
        raise ValueError(f"Activations are rounded to 8 or 16 bits, not {activation_bits}.")
    if torch.is_grad_enabled() and (x.requires_grad or (bias is not None and bias.requires_grad)):
        return _Differentiable.apply(x, panels, layout, bias, activation_bits, per_row)
    return torch.ops.labkit.quantized_linear(x, panels, layout, bias, activation_bits, per_row)


def rounding_elements(rows: int, in_features: int) -> int:
    """fp32 elements for some rounded activations: two bytes each, and four numbers a block (`rounded.h`)."""
    return rows * -(-in_features // BLOCK) * (BLOCK // 2 + 4)


def _on_cpu(
    x: Tensor, panels: Tensor, layout: Sequence[int], bias: Tensor | None, activation_bits: int, per_row: bool
) -> Tensor:
    library, held = native("quantized_linear"), PanelLayout(*layout)
    if library is None:
        return _composite(x, panels, layout, bias, activation_bits, per_row)
    wide, panels = x.float().contiguous(), panels.contiguous()
    bias = None if bias is None else bias.float().contiguous()
    y = wide.new_empty((*x.shape[:-1], held.out_features))
    rows = x.numel() // held.in_features
    workspace = wide.new_empty(rounding_elements(rows, held.in_features))
    typed(library.labkit_quantized_linear, pointers=6, longs=1, ints=3)(
        *(y.data_ptr(), wide.data_ptr(), panels.data_ptr(), (ctypes.c_int64 * len(layout))(*layout)),
        *(None if bias is None else bias.data_ptr(), workspace.data_ptr()),
        *(rows, activation_bits, per_row, torch.get_num_threads()),
    )
    return y.to(x.dtype)


def _on_gpu(
    x: Tensor, panels: Tensor, layout: Sequence[int], bias: Tensor | None, activation_bits: int, per_row: bool
) -> Tensor:
    if not triton_runs():
        return _composite(x, panels, layout, bias, activation_bits, per_row)
    from labkit.kernels.triton import quantized_linear as kernels  # triton takes a second to import

    weight = PanelWeight(panels, PanelLayout(*layout))
    return kernels.quantized_linear(x, weight, bias, activation_bits, per_row)


def _composite(
    x: Tensor, panels: Tensor, layout: Sequence[int], bias: Tensor | None, activation_bits: int, per_row: bool
) -> Tensor:
    weight = from_panels(PanelWeight(panels, PanelLayout(*layout)))
    return quantized_linear_reference(x, weight, bias, activation_bits, per_row)


class _Differentiable(torch.autograd.Function):
    """The same with a gradient, which goes through the rounding of x as if it were not there."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, panels: Tensor, layout: PanelLayout, bias: Tensor | None, *rest: Any) -> Tensor:
        ctx.layout, ctx.biased = layout, bias is not None
        ctx.save_for_backward(panels)
        return torch.ops.labkit.quantized_linear(x, panels, layout, bias, *rest)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple:
        weight = from_panels(PanelWeight(ctx.saved_tensors[0], ctx.layout)).dequantize()
        to_bias = gradient.flatten(0, -2).sum(0) if ctx.biased else None
        return gradient @ weight.to(gradient.dtype), None, None, to_bias, None, None


def _cost(
    x: TensorSpec,
    panels: TensorSpec,
    layout: Sequence[int],
    bias: TensorSpec | None,
    bits: int,
    *_: object,
    out: TensorSpec,
    **__: object,
) -> Cost:
    return Cost(2 * out.numel * x.shape[-1], dtype="int8" if bits == 8 else None)


_LIBRARY = torch.library.Library("labkit", "FRAGMENT")
_LIBRARY.define(
    "quantized_linear(Tensor x, Tensor panels, int[] layout, Tensor? bias, int activation_bits, bool per_row) -> Tensor"
)
_LIBRARY.impl("quantized_linear", _on_cpu, "CPU")
_LIBRARY.impl("quantized_linear", _on_gpu, "CUDA")
_LIBRARY.impl("quantized_linear", lambda x, panels, layout, *_: x.new_empty((*x.shape[:-1], layout[0])), "Meta")
register_cost("labkit::quantized_linear", _cost)
