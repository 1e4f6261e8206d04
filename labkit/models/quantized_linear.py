"""A linear layer of a decoder that holds its weight in few bits and computes from them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from labkit.kernels.packed_weight import PackedWeight, pack
from labkit.kernels.quantized_linear import quantized_linear, quantized_linear_reference
from labkit.kernels.quantized_panels import PanelWeight, fits_panels, from_panels, to_panels
from labkit.kernels.quantized_weight import QuantizedWeight
from labkit.kernels.weight_format import WeightFormat


class LayerFormat(NamedTuple):
    """How a layer computes: the format of its weight, and the bits its activations are rounded to, 8 or 16.

    `per_row` gives a whole row of activations one scale instead of one for 32 neighbours.
    """

    weight: WeightFormat
    activation_bits: int = 16
    per_row: bool = False


class QuantizedLinear(nn.Module):
    """x W^T + b from packed weights; only the bias is a parameter.

    Formats that have an order in panels (`fits_panels`) are held in it, on a GPU as on a CPU, and run in C or Triton;
    others are held as their tensors' bytes and unpacked at each call. Bytes are the same: only they and what fills the
    last panel are in memory.
    `state_dict` gives the tensors of `PackedWeight`, as they stand in a file.
    """

    def __init__(
        self, weight: PackedWeight, bias: Tensor | None = None, activation_bits: int = 16, per_row: bool = False
    ) -> None:
        super().__init__()
        self.format = LayerFormat(weight.format, activation_bits, per_row)
        self.out_features, self.in_features = weight.shape
        if fits_panels(weight.format):
            packed, self.layout = to_panels(weight)
        else:
            # Bytes and not numbers, so that moving the model to another dtype leaves the scales alone.
            packed, self.layout = torch.cat([t.view(torch.uint8) for t in weight.to_tensors("").values()], dim=-1), None
        self._hold(packed, bias)

    @classmethod
    def of(
        cls, weight: QuantizedWeight, bias: Tensor | None = None, activation_bits: int = 16, per_row: bool = False
    ) -> QuantizedLinear:
        """From what an algorithm chose."""
        return cls(pack(weight), bias, activation_bits, per_row)

    @classmethod
    def from_panels(cls, weight: PanelWeight, layer: LayerFormat, bias: Tensor | None = None) -> QuantizedLinear:
        """Over panels that are there already, which may be some of a larger matrix: nothing is copied."""
        self = cls.__new__(cls)
        nn.Module.__init__(self)
        self.format, self.layout = layer, weight.layout
        self.out_features, self.in_features = weight.layout[:2]
        self._hold(weight.panels, bias)
        return self

    def _hold(self, packed: Tensor, bias: Tensor | None) -> None:
        self.register_buffer("packed", packed.contiguous())
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)

    def packed_weight(self) -> PackedWeight:
        """The weight as it is stored in a file."""
        if self.layout is not None:
            return from_panels(PanelWeight(self.packed, self.layout))
        fmt = self.format.weight
        numbers = fmt.groups(self.in_features) * fmt.scale_dtype.itemsize
        codes, *rest = self.packed.split([fmt.row_bytes(self.in_features), *[numbers] * (1 + (not fmt.symmetric))], -1)
        scales, zeros = (*(part.contiguous().view(fmt.scale_dtype) for part in rest), None)[:2]
        return PackedWeight(codes.contiguous(), scales, zeros, fmt, self.in_features)

    def dequantize(self) -> Float[Tensor, "out in"]:
        """The weight that this layer multiplies by, in fp32."""
        return self.packed_weight().dequantize()

    def forward(self, x: Float[Tensor, "*rows in"]) -> Float[Tensor, "*rows out"]:
        _, bits, per_row = self.format
        if self.layout is not None:
            return quantized_linear(x, PanelWeight(self.packed, self.layout), self.bias, bits, per_row)
        return quantized_linear_reference(x, self.packed_weight(), self.bias, bits, per_row)

    def _save_to_state_dict(self, destination: dict[str, Tensor], prefix: str, keep_vars: bool) -> None:
        destination.update(self.packed_weight().to_tensors(prefix))
        if self.bias is not None:
            destination[prefix + "bias"] = self.bias if keep_vars else self.bias.detach()

    def extra_repr(self) -> str:
        fmt, bits, _ = self.format
        groups = f"groups of {fmt.group_size}" if fmt.group_size else "a scale a row"
        kind = f"{self.in_features} -> {self.out_features}, {fmt.bits} bits, {groups}, activations of {bits} bits"
        return kind + ("" if self.bias is None else ", bias")
