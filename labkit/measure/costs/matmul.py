"""Matrix products: M x K by K x N is 2 M N K FLOPs, whatever the batch, the bias or the layout.

Bytes are the default: each operand once, the result once. The exception is the grouped product of a mixture of
experts, which reads only the experts that have rows; their number is known where the offsets could be read.
"""

from __future__ import annotations

from math import prod

from labkit.measure.costs.cost import Cost, Rule
from labkit.measure.costs.spec import Part, TensorSpec


def inner(a: TensorSpec, *_: object, out: TensorSpec, **__: object) -> Cost:
    """Every element of the result is an inner product along the last dimension of the first operand."""
    return Cost(2 * out.numel * a.shape[-1])


def added(bias: TensorSpec, a: TensorSpec, *_: object, out: TensorSpec, beta: float = 1, **__: object) -> Cost:
    """`addmm` and its like: the same product, started from a bias."""
    return Cost(2 * out.numel * a.shape[-1])


def summed(bias: TensorSpec, a: TensorSpec, b: TensorSpec, *_: object, out: TensorSpec, **__: object) -> Cost:
    """`addbmm`: the products of a batch, summed over it."""
    return Cost(2 * prod(a.shape) * b.shape[-1])


def dot(a: TensorSpec, b: TensorSpec, *_: object, out: TensorSpec, **__: object) -> Cost:
    """`dot` and `vdot`: one inner product."""
    return Cost(2 * a.numel)


def int_mm(a: TensorSpec, b: TensorSpec, *_: object, out: TensorSpec, **__: object) -> Cost:
    return Cost(2 * out.numel * a.shape[-1], dtype="int8")


def grouped(a: TensorSpec, b: TensorSpec, *rest: object, out: TensorSpec, **kwargs: object) -> Cost:
    """Rows of `a` (T, K) grouped by `offs` meet their own expert of `b` (E, K, N); the other three layouts likewise.

    With scales (`_scaled_grouped_mm`) the offsets come after them, so they are found by what they are.
    """
    flops = 2 * prod(a.shape) * b.shape[-1]
    if len(a.shape) == 3 and len(b.shape) == 3:
        return Cost(flops)
    operands = [x for x in (*rest, *kwargs.values()) if isinstance(x, TensorSpec)]
    if not (len(a.shape) == 2 and len(b.shape) == 3):
        return Cost(flops)
    offsets = next((x for x in operands if len(x.shape) == 1 and not x.dtype.is_floating_point), None)
    experts = _busy_experts(offsets, rows=a.shape[0], experts=b.shape[0])
    return Cost(flops, reads=[a, Part(b, b.nbytes * experts // max(b.shape[0], 1)), *operands])


def _busy_experts(offsets: TensorSpec | None, rows: int, experts: int) -> int:
    if offsets is None or offsets.values is None:
        return min(rows, experts)
    starts = (0, *offsets.values[:-1])
    return sum(end > start for start, end in zip(starts, offsets.values, strict=True))


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        ("aten::mm", "aten::bmm", "aten::mv", "aten::linear", "aten::matmul", "aten::mkldnn_linear"), inner
    ),
    **dict.fromkeys(("aten::addmm", "aten::baddbmm", "aten::addmv", "aten::_addmm_activation"), added),
    **dict.fromkeys(("aten::dot", "aten::vdot"), dot),
    "aten::addbmm": summed,
    "aten::_int_mm": int_mm,
    "aten::_scaled_mm": inner,
    "aten::_scaled_mm_v2": inner,
    **dict.fromkeys(("aten::_grouped_mm", "aten::_scaled_grouped_mm", "aten::_scaled_grouped_mm_v2"), grouped),
}
