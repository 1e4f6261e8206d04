"""A quantized matrix as it stands in memory and on disk: packed codes, scales and zeros, the same bytes in both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from labkit.kernels.bit_packing import pack_bits, unpack_bits
from labkit.kernels.quantized_weight import QuantizedWeight, check_scales
from labkit.kernels.weight_format import WeightFormat


@dataclass(frozen=True, eq=False)
class PackedWeight:
    """`codes` are packed as in `bit_packing`; `in_features` is how many of them each row has.

    Raises `ValueError` where the tensors do not have the shapes and dtypes that the format wants.
    """

    codes: UInt8[Tensor, "out row_bytes"]
    scales: Float[Tensor, "out groups"]
    zeros: Float[Tensor, "out groups"] | None
    format: WeightFormat
    in_features: int

    def __post_init__(self) -> None:
        expected = self.format.row_bytes(self.in_features)
        if self.codes.dtype != torch.uint8 or self.codes.dim() != 2 or self.codes.shape[1] != expected:
            raise ValueError(
                f"Packed codes of {self.in_features} inputs are {expected} bytes a row of uint8; "
                f"got {tuple(self.codes.shape)} of {self.codes.dtype}."
            )
        check_scales(self.scales, self.zeros, self.format, len(self.codes), self.in_features)

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs of the matrix."""
        return len(self.codes), self.in_features

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors that are held."""
        return sum(tensor.nbytes for tensor in self.to_tensors("").values())

    def dequantize(self) -> Float[Tensor, "out in"]:
        """The weights, in fp32."""
        return unpack(self).dequantize()

    def to_tensors(self, prefix: str) -> dict[str, Tensor]:
        """The tensors by the names under which safetensors keeps them: `prefix` and codes, scales, zeros."""
        parts = {"codes": self.codes, "scales": self.scales, "zeros": self.zeros}
        return {prefix + name: tensor for name, tensor in parts.items() if tensor is not None}

    @classmethod
    def from_tensors(
        cls,
        tensors: Mapping[str, Tensor],
        prefix: str,
        format: WeightFormat,  # noqa: A002  the noun of this file
        in_features: int,
    ) -> PackedWeight:
        """What `to_tensors` gave. Raises `ValueError` for a tensor that is missing or does not fit the format."""
        names = ["codes", "scales"] if format.symmetric else ["codes", "scales", "zeros"]
        missing = [prefix + name for name in names if prefix + name not in tensors]
        if missing:
            raise ValueError(f"A weight in this format needs the tensors {', '.join(missing)}, which are not there.")
        codes, scales, zeros = (*(tensors[prefix + name] for name in names), None)[:3]
        return cls(codes, scales, zeros, format, in_features)


def pack(weight: QuantizedWeight) -> PackedWeight:
    """The stored form; `unpack` gives the same codes, scales and zeros back.

    >>> codes, scales = torch.tensor([[7, 0, 5]], dtype=torch.uint8), torch.ones(1, 1, dtype=torch.float16)
    >>> packed = pack(QuantizedWeight(codes, scales, None, WeightFormat(bits=3)))
    >>> packed.codes, packed.nbytes, packed.dequantize()  # 7 + 64 * 1 (the low bits of 5), then its high bit
    (tensor([[71,  1]], dtype=torch.uint8), 4, tensor([[ 3., -4.,  1.]]))
    """
    codes = pack_bits(weight.codes, weight.format.bits)
    return PackedWeight(codes, weight.scales, weight.zeros, weight.format, weight.codes.shape[1])


def unpack(packed: PackedWeight) -> QuantizedWeight:
    """The form to work on, a byte a code."""
    codes = unpack_bits(packed.codes, packed.format.bits, packed.in_features)
    return QuantizedWeight(codes, packed.scales, packed.zeros, packed.format)
