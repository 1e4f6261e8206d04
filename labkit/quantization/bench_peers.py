"""Linear layers of few bits as torch, bitsandbytes and torchao have them, each made from the same fp32 weight.

A peer gets activations in the dtype it likes best and need not convert them: what is timed is its operator alone, with
the rounding of activations where it rounds them. Without VNNI, oneDNN's sums of unsigned times signed bytes run full at
16 bits (`linear_dynamic`, `qlinear_pointwise`); the error that stands beside its time then shows it.
"""

from __future__ import annotations

import copy
import importlib.metadata
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from labkit.kernels.packed_weight import pack
from labkit.models.packed_schemes import PACKED_SCHEMES
from labkit.models.quantized import quantized_linear
from labkit.models.quantized_linear import QuantizedLinear
from labkit.models.rounding import rounded
from labkit.models.schemes import SCHEMES

Layer = Callable[[Tensor], Tensor]
GROUP = 32


class Peer(NamedTuple):
    """`make` gives a layer from a weight (out, in), `again` another one with bytes of its own."""

    dtype: torch.dtype
    make: Callable[[Tensor], Layer]

    def copies(self, weight: Tensor, count: int) -> list[Layer]:
        """As many layers, so that the weights of one are not in a cache when its turn comes again."""
        first = self.make(weight)
        if isinstance(first, nn.Module):
            return [first, *(copy.deepcopy(first) for _ in range(count - 1))]
        return [first, *(self.make(weight) for _ in range(count - 1))]


def versions() -> dict[str, str]:
    """Of the libraries that are compared, or that they are not there."""
    found = {}
    for name in ("bitsandbytes", "torchao"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "blocked: not installed"
    return found


def ours(scheme: str) -> Peer:
    """A layer of ours as `load` makes it."""
    layer = PACKED_SCHEMES[scheme].layer
    return Peer(torch.float32, lambda weight: QuantizedLinear(pack(rounded(weight, layer.weight)), None, *layer[1:]))


def _plain(dtype: torch.dtype) -> Peer:
    def make(weight: Tensor) -> Layer:
        held = weight.to(dtype, copy=True)
        return lambda x: nn.functional.linear(x, held)

    return Peer(dtype, make)


def _int4(weight: Tensor) -> Layer:
    """`_weight_int4pack_mm_for_cpu`: w = scale * (code - 8) + zero, by groups."""
    grouped = weight.unflatten(1, (-1, GROUP))
    low, high = grouped.amin(-1), grouped.amax(-1)
    scales = ((high - low) / 15).clamp(min=1e-9)
    codes = ((grouped - low.unsqueeze(-1)) / scales.unsqueeze(-1)).round().clamp(0, 15).int().flatten(1)
    packed = torch._convert_weight_to_int4pack_for_cpu(codes, 2)
    numbers = torch.stack((scales, low + 8 * scales), dim=-1).transpose(0, 1).contiguous().bfloat16()
    return lambda x: torch._weight_int4pack_mm_for_cpu(x, packed, GROUP, numbers)


def _int8(dtype: torch.dtype) -> Callable[[Tensor], Layer]:
    def make(weight: Tensor) -> Layer:
        codes, scales = _by_row(weight)
        scales = scales.squeeze(1).to(dtype)
        return lambda x: torch._weight_int8pack_mm(x, codes, scales)

    return make


def _dynamic(weight: Tensor) -> Layer:
    """`quantized.linear_dynamic` of the engine that this build of torch has."""
    codes, scales = _by_row(weight)
    held = torch._make_per_channel_quantized_tensor(codes, scales.squeeze(1), torch.zeros(len(codes)).long(), 0)
    packed = torch.ops.quantized.linear_prepack(held, None)
    return lambda x: torch.ops.quantized.linear_dynamic(x, packed, False)


def _onednn(weight: Tensor) -> Layer:
    """`onednn.qlinear_pointwise`, activations as unsigned bytes with one scale."""
    codes, scales = _by_row(weight)
    packed, scales = torch.ops.onednn.qlinear_prepack(codes, None), scales.squeeze(1)
    zeros = torch.zeros(len(codes), dtype=torch.int64)

    def run(x: Tensor) -> Tensor:
        low, high = (bound.item() for bound in x.aminmax())
        scale = max((max(high, 0) - min(low, 0)) / 255, 1e-12)
        zero = round(-min(low, 0) / scale)
        narrow = torch.quantize_per_tensor(x, scale, zero, torch.quint8).int_repr()
        return torch.ops.onednn.qlinear_pointwise(
            narrow, scale, zero, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )

    return run


def _int_mm(weight: Tensor) -> Layer:
    """`torch._int_mm`, activations with a scale a row."""
    codes, scales = _by_row(weight)
    turned, scales = codes.T, scales.squeeze(1)

    def run(x: Tensor) -> Tensor:
        units = x.abs().amax(-1, keepdim=True).clamp(min=1e-12) / 127
        return torch._int_mm((x / units).round().to(torch.int8), turned) * units * scales

    return run


def _by_row(weight: Tensor) -> tuple[Tensor, Tensor]:
    scales = weight.abs().amax(1, keepdim=True) / 127
    return (weight / scales).round().to(torch.int8), scales


def _bitsandbytes(scheme: str) -> Peer:
    return Peer(torch.float32, lambda weight: quantized_linear(weight, None, SCHEMES[scheme]).eval())


def _torchao(config: str, **choices: Any) -> Peer:
    def make(weight: Tensor) -> Layer:
        from torchao import quantization

        if "granularity" in choices:
            choices["granularity"] = quantization.PerGroup(GROUP)
        layer = nn.Linear(*reversed(weight.shape), bias=False)
        layer.weight = nn.Parameter(weight.clone(), requires_grad=False)
        quantization.quantize_(layer, getattr(quantization, config)(**choices))
        return layer

    return Peer(torch.float32, make)


_PLAIN = {"torch fp32": _plain(torch.float32), "torch bf16": _plain(torch.bfloat16)}
_INT8_WEIGHT = {
    "torch int8pack, bf16": Peer(torch.bfloat16, _int8(torch.bfloat16)),
    "torch int8pack, fp32": Peer(torch.float32, _int8(torch.float32)),
    "torchao int8": _torchao("Int8WeightOnlyConfig"),
}
_INT8_BOTH = {
    "torch linear_dynamic": Peer(torch.float32, _dynamic),
    "torch qlinear_pointwise": Peer(torch.float32, _onednn),
    "torch _int_mm": Peer(torch.float32, _int_mm),
    "bitsandbytes int8": _bitsandbytes("int8"),
    "torchao int8, dynamic": _torchao("Int8DynamicActivationInt8WeightConfig"),
}
_INT4 = {
    "torch int4pack": Peer(torch.bfloat16, _int4),
    "bitsandbytes nf4": _bitsandbytes("nf4"),
    "torchao int4": _torchao("IntxWeightOnlyConfig", weight_dtype=torch.int4, granularity=GROUP),
}
PEERS = {
    "w4a16": _INT4 | _PLAIN,
    "w4a8": _INT4 | _PLAIN,
    "w8a16": _INT8_WEIGHT | _PLAIN,
    "w8a8": _INT8_WEIGHT | _INT8_BOTH | _PLAIN,
}
"""Of each scheme of ours those that round no more than it does; beside 4-bit weights nobody rounds activations."""
