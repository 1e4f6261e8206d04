"""Scaled-dot-product attention, fused: two products forward, five backward (the scores are computed again).

`B H S D` batch, query heads, positions, head width. Causal and windowed masks are **not** discounted, as in
`torch.utils.flop_counter`: a causal kernel that skips the upper half can therefore show up to twice its real share of
a roofline. Fewer key heads than query heads (GQA) shrink the bytes and not the FLOPs.
"""

from __future__ import annotations

from labkit.measure.costs.cost import Cost, Rule
from labkit.measure.costs.spec import TensorSpec


def forward(query: TensorSpec, key: TensorSpec, value: TensorSpec, *_: object, **__: object) -> Cost:
    """2 B H Sq Sk (Dqk + Dv) for (B, H, S, D) operands.

    >>> import torch
    >>> q = TensorSpec((1, 2, 3, 4), (24, 12, 4, 1), torch.float32, 4, 0)
    >>> forward(q, q, q).flops
    288
    """
    return Cost(_products(query, key, value, scores=1, values=1))


def backward(grad: TensorSpec, query: TensorSpec, key: TensorSpec, value: TensorSpec, *_: object, **__: object) -> Cost:
    """Scores again, dV, dP, dQ and dK: three products of width Dqk, two of width Dv."""
    return Cost(_products(query, key, value, scores=3, values=2))


def forward_sequence_first(
    query: TensorSpec, key: TensorSpec, value: TensorSpec, *rest: object, **_: object
) -> Cost | None:
    """The inner kernels take (B, S, H, D). Packed sequences hide their lengths in values, so they stay unknown."""
    if len(query.shape) != 4 or _packs_sequences(rest):
        return None
    return forward(*(_heads_first(x) for x in (query, key, value)))


def backward_sequence_first(
    grad: TensorSpec, query: TensorSpec, key: TensorSpec, value: TensorSpec, *rest: object, **_: object
) -> Cost | None:
    if len(query.shape) != 4:
        return None
    return backward(grad, *(_heads_first(x) for x in (query, key, value)))


def _products(query: TensorSpec, key: TensorSpec, value: TensorSpec, scores: int, values: int) -> int:
    *batch, queries, width = query.shape
    total = 2 * queries * key.shape[-2] * (scores * width + values * value.shape[-1])
    for n in batch:
        total *= n
    return total


def _heads_first(spec: TensorSpec) -> TensorSpec:
    b, s, h, d = spec.shape
    return spec._replace(shape=(b, h, s, d))


def _packs_sequences(rest: tuple) -> bool:
    return any(isinstance(x, TensorSpec) and len(x.shape) == 1 and not x.dtype.is_floating_point for x in rest[:3])


_FUSED = (
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "aten::_scaled_dot_product_fused_attention_overrideable",
    "aten::_scaled_dot_product_attention_math_for_mps",
)

RULES: dict[str, Rule] = {
    **dict.fromkeys(_FUSED, forward),
    **{f"{name}_backward": backward for name in _FUSED},
    **dict.fromkeys(("aten::_flash_attention_forward", "aten::_efficient_attention_forward"), forward_sequence_first),
    **dict.fromkeys(
        ("aten::_flash_attention_backward", "aten::_efficient_attention_backward"), backward_sequence_first
    ),
}
