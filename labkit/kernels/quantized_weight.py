"""A quantized matrix while it is worked on: a byte a code, so that algorithms can look at it and change it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from labkit.kernels.normal_float import NF4_LEVELS
from labkit.kernels.weight_format import WeightFormat


@dataclass(frozen=True, eq=False)
class QuantizedWeight:
    """Codes, scales and zeros of a matrix; `zeros` is None in symmetric formats.

    Scales and zeros already have the dtype that is stored, so that packing changes nothing. Raises `ValueError` where
    codes, scales or zeros do not fit the format or each other.

    >>> codes, scales = torch.tensor([[0, 8, 15]], dtype=torch.uint8), torch.tensor([[0.5]], dtype=torch.float16)
    >>> QuantizedWeight(codes, scales, None, WeightFormat(bits=4)).dequantize()
    tensor([[-4.0000,  0.0000,  3.5000]])
    """

    codes: UInt8[Tensor, "out in"]
    scales: Float[Tensor, "out groups"]
    zeros: Float[Tensor, "out groups"] | None
    format: WeightFormat

    def __post_init__(self) -> None:
        check_scales(self.scales, self.zeros, self.format, *self.codes.shape)
        if self.codes.dtype != torch.uint8:
            raise ValueError(f"Codes are held as uint8, not {self.codes.dtype}.")
        if self.codes.numel() and int(self.codes.max()) >= self.format.levels:
            raise ValueError(f"Code {int(self.codes.max())} does not fit into {self.format.bits} bits.")

    def dequantize(self) -> Float[Tensor, "out in"]:
        """The weights that the codes stand for, in fp32."""
        grouped = self.codes.unflatten(1, (self.scales.shape[1], -1))
        zeros = None if self.zeros is None else self.zeros.float().unsqueeze(-1)
        return decode(grouped, self.scales.float().unsqueeze(-1), zeros, self.format).flatten(1)


def decode(
    codes: UInt8[Tensor, "*shape"],
    scales: Float[Tensor, "*#shape"],
    zeros: Float[Tensor, "*#shape"] | None,
    format: WeightFormat,  # noqa: A002  the noun of this file
) -> Float[Tensor, "*shape"]:
    """What codes stand for under scales and zeros that broadcast against them, in the dtype of the scales."""
    if format.code == "nf4":
        return NF4_LEVELS.to(scales)[codes.int()] * scales
    return (codes.to(scales.dtype) - (format.middle if zeros is None else zeros)) * scales


def check_scales(
    scales: Float[Tensor, "out groups"],
    zeros: Float[Tensor, "out groups"] | None,
    format: WeightFormat,  # noqa: A002  the noun of this file
    out_features: int,
    in_features: int,
) -> None:
    """Raise `ValueError` unless scales and zeros are what `format` wants for this shape, and finite."""
    if (zeros is None) != format.symmetric:
        raise ValueError("Symmetric formats store no zeros, and the others store them: format and zeros disagree.")
    shape = (out_features, format.groups(in_features))
    for name, numbers in (("Scales", scales), ("Zeros", zeros)):
        if numbers is None:
            continue
        if tuple(numbers.shape) != shape or numbers.dtype != format.scale_dtype:
            raise ValueError(
                f"{name} must be {shape} of {format.scale_dtype}; got {tuple(numbers.shape)} of {numbers.dtype}."
            )
        if not torch.isfinite(numbers).all():
            raise ValueError(
                f"{name} hold NaN or infinity: the weights do, or they are too large for {format.scale_dtype}."
            )
