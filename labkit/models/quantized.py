"""Linear layers quantized by bitsandbytes (LLM.int8, arXiv 2208.07339; NF4 and FP4 of QLoRA, arXiv 2305.14314).

Thin subclasses of bitsandbytes' own layers, so that PEFT recognises them, with its traps closed:

1. On processors with AVX512-bf16 the first evaluation repacks 4-bit weights in place, and the way back is wrong:
   saving, dequantizing, merging and gradients after it are corrupt. `FourBitLinear` never repacks.
2. That repacking also wants shapes that are multiples of 32 and 64; without it every shape is right.
3. bitsandbytes sees modules only, so stacked experts stay unquantized; the loader turns them into modules first.
4. It warns of what is of no use to anybody; see `labkit.models.quiet`.
"""

from __future__ import annotations

from typing import Any

import bitsandbytes as bnb
import torch
from bitsandbytes.functional import dequantize_4bit
from jaxtyping import Float
from torch import Tensor, nn

from labkit.models.errors import LoadError
from labkit.models.quantized_costs import register_costs
from labkit.models.quantized_linear import QuantizedLinear
from labkit.models.schemes import SCHEMES, Scheme

INT8_OUTLIER_THRESHOLD = 6.0  # activations beyond it are multiplied in the model's own dtype (arXiv 2208.07339, 3.2)


class FourBitLinear(bnb.nn.Linear4bit):
    """A linear layer whose weight is held as 4-bit codes, two a byte, with a scale per 64 of them."""

    @property
    def support_avx512bf16_for_cpu(self) -> bool:
        return False

    @support_avx512bf16_for_cpu.setter
    def support_avx512bf16_for_cpu(self, _: bool) -> None:
        """bitsandbytes sets it from the processor; see trap 1."""

    def dequantize(self) -> Float[Tensor, "out in"]:
        """The weight that this layer multiplies by, in the dtype it was quantized from."""
        return dequantize_4bit(self.weight.data, self.weight.quant_state)


class Int8Linear(bnb.nn.Linear8bitLt):
    """A linear layer whose weight is held as int8 with a scale per row; activations are quantized on the fly."""

    def dequantize(self) -> Float[Tensor, "out in"]:
        """The weight as fp32; the layer itself rounds its input too, so its output is not quite the product."""
        scales = self.state.SCB if self.weight.SCB is None else self.weight.SCB
        return self.weight.data.float() * scales.float().unsqueeze(1) / 127


register_costs()


def quantized_linear(
    weight: Float[Tensor, "out in"], bias: Float[Tensor, " out"] | None, scheme: Scheme
) -> FourBitLinear | Int8Linear:
    """`weight` quantized on the device where it is."""
    rows, columns = weight.shape
    layer = _empty(rows, columns, bias is not None, scheme)
    if scheme.bits == 4:
        layer.weight = bnb.nn.Params4bit(weight.contiguous(), module=layer, **_params(scheme)).to(weight.device)
    else:
        codes, scales, _ = bnb.functional.int8_vectorwise_quant(weight.to(torch.float16))
        layer.weight = bnb.nn.Int8Params(codes, requires_grad=False, CB=codes, SCB=scales)
    if bias is not None:
        layer.bias = nn.Parameter(bias)
    return layer


def quantized_linear_from_state(
    state: dict[str, Tensor], shape: tuple[int, int], scheme: Scheme, device: torch.device
) -> FourBitLinear | Int8Linear:
    """A layer as it was saved: `state` holds `weight`, perhaps `bias`, and the statistics beside them."""
    layer = _empty(*shape, "bias" in state, scheme)
    if scheme.bits == 4:
        statistics = {k.removeprefix("weight."): v for k, v in state.items() if k.startswith("weight.")}
        layer.weight = bnb.nn.Params4bit.from_prequantized(state["weight"], statistics, device=device, module=layer)
        if tuple(layer.weight.quant_state.shape) != tuple(shape):
            held = tuple(layer.weight.quant_state.shape)
            raise LoadError(f"a quantized weight unpacks to {held} where config.json says {shape}")
    else:
        codes, scales = state["weight"].to(device), state["SCB"].to(device)
        layer.weight = bnb.nn.Int8Params(codes, requires_grad=False, CB=codes, SCB=scales)
    if "bias" in state:
        layer.bias = nn.Parameter(state["bias"].to(device))
    return layer


def scheme_of(module: nn.Module) -> Scheme | None:
    """The scheme a layer is quantized in, None for any other module."""
    if isinstance(module, Int8Linear):
        return SCHEMES["int8"]
    if isinstance(module, FourBitLinear):
        kind, double = module.weight.quant_type, module.weight.compress_statistics
        return next(s for s in SCHEMES.values() if (s.quant_type, s.double) == (kind, double))
    return None


def mark_quantized(model: nn.Module, scheme: Scheme) -> None:
    """Say what PEFT asks a model; without it LoRA would merge into packed bytes."""
    model.is_loaded_in_4bit, model.is_loaded_in_8bit = scheme.bits == 4, scheme.bits == 8


def dequantize(model: nn.Module, dtype: torch.dtype | None = None) -> nn.Module:
    """Replace every quantized layer of `model` by a plain one with the same weight, in place; returns the model."""
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if scheme_of(layer) is not None or isinstance(layer, QuantizedLinear):
                setattr(parent, name, _plain(layer, dtype or getattr(model, "dtype", torch.float32)))
    model.is_loaded_in_4bit = model.is_loaded_in_8bit = False
    return model


def _plain(layer: FourBitLinear | Int8Linear | QuantizedLinear, dtype: torch.dtype) -> nn.Linear:
    plain = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
    plain.weight = nn.Parameter(layer.dequantize().to(dtype))
    if layer.bias is not None:
        plain.bias = nn.Parameter(layer.bias.data.to(dtype))
    return plain.train(layer.training)


def _empty(rows: int, columns: int, bias: bool, scheme: Scheme) -> FourBitLinear | Int8Linear:
    if scheme.bits == 8:
        return Int8Linear(columns, rows, bias, has_fp16_weights=False, threshold=INT8_OUTLIER_THRESHOLD, device="meta")
    return FourBitLinear(
        columns, rows, bias, compress_statistics=scheme.double, quant_type=scheme.quant_type, device="meta"
    )


def _params(scheme: Scheme) -> dict[str, Any]:
    return {"requires_grad": False, "compress_statistics": scheme.double, "quant_type": scheme.quant_type}
