"""What the operators of bitsandbytes cost, told to the trace.

Each is counted as the fused operator its name promises: packed weights, scales and activations read once, the result
written once. On a processor without a fused kernel bitsandbytes unpacks the weight into memory first and moves several
times more; that difference is what a measurement shows beside this count.
"""

from __future__ import annotations

from labkit.measure.costs import Cost, TensorSpec, register_cost


def weight_only(x: TensorSpec, *_: object, out: TensorSpec, **__: object) -> Cost:
    """2 M N K in the dtype of the activations."""
    return Cost(2 * out.numel * x.shape[-1])


def int8(x: TensorSpec, *_: object, out: TensorSpec, **__: object) -> Cost:
    """2 M N K operations on 8-bit integers."""
    return Cost(2 * out.numel * x.shape[-1], dtype="int8")


def int8_mixed(x: TensorSpec, *_: object, out: tuple[TensorSpec, TensorSpec | None], **__: object) -> Cost:
    """The same; the few outlier columns done in floating point are not counted twice."""
    return Cost(2 * out[0].numel * x.shape[-1], dtype="int8")


def stream(*_: object, **__: object) -> Cost:
    """Reads its inputs, writes its result, multiplies no matrices: quantizing and unpacking."""
    return Cost()


_RULES = {
    "gemm_4bit": weight_only,
    "gemv_4bit": weight_only,
    "int8_scaled_mm": int8,
    "int8_linear_matmul": int8,
    "int8_mixed_scaled_mm": int8_mixed,
    "int8_mm_dequant": stream,
    "int8_vectorwise_quant": stream,
    "quantize_4bit": stream,
    "dequantize_4bit": stream,
    "quantize_blockwise": stream,
    "dequantize_blockwise": stream,
}


def register_costs() -> None:
    """Idempotent: the last registration of an operator wins, and these are always the same."""
    for name, rule in _RULES.items():
        register_cost(f"bitsandbytes::{name}", rule)
