"""Low-bit and packed linears: the FLOPs of the full product, the bytes of what is really stored.

Weights are packed (two 4-bit values a byte, oneDNN's blocked order, opaque objects), so their shape says nothing
reliable; the activation's width is K and the result's is N. Weight-only kernels compute in the dtype of the
activations; dynamic and static int8 compute in int8.
"""

from __future__ import annotations

from labkit.measure.costs.cost import Cost, Rule
from labkit.measure.costs.spec import TensorSpec


def weight_only(x: TensorSpec, *_: object, out: TensorSpec, **__: object) -> Cost:
    """2 M N K in the activations' dtype."""
    return Cost(2 * out.numel * x.shape[-1])


def int8(x: TensorSpec, *_: object, out: TensorSpec, **__: object) -> Cost:
    """2 M N K operations on 8-bit integers."""
    return Cost(2 * out.numel * x.shape[-1], dtype="int8")


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "aten::_weight_int8pack_mm",
            "aten::_weight_int4pack_mm",
            "aten::_weight_int4pack_mm_for_cpu",
            "aten::_weight_int4pack_mm_with_scales_and_zeros",
            "aten::_mixed_dtypes_linear",
            "mkldnn::_linear_pointwise",
            "quantized::linear_dynamic_fp16",
            "quantized::linear_relu_dynamic_fp16",
        ),
        weight_only,
    ),
    **dict.fromkeys(
        (
            "aten::_dyn_quant_matmul_4bit",
            "onednn::qlinear_pointwise",
            "quantized::linear",
            "quantized::linear_relu",
            "quantized::linear_dynamic",
            "quantized::linear_relu_dynamic",
        ),
        int8,
    ),
}
