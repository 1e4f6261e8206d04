"""Activations in int8, a scale for each token, and the product of two int8 matrices.

Weights are quantized once, activations while the model runs: the largest |x| of a token is found on the fly. The sum of
products is exact in int32; only the two roundings cost anything. Fast versions live in `labkit.kernels`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int8, Int32
from torch import Tensor

from labkit.kernels.quantized_weight import QuantizedWeight


def quantize_tokens(
    x: Float[Tensor, "*rows in"], bits: int = 8
) -> tuple[Int8[Tensor, "*rows in"], Float[Tensor, "*rows 1"]]:
    """Codes from -(2^(bits-1) - 1) to 2^(bits-1) - 1 and each token's scale, in fp32; x is about codes * scale.

    Fewer than 8 bits are for looking at their error: the codes still take a byte each. Raises `ValueError` for bits
    outside 2 to 8 and values that are not finite.

    >>> quantize_tokens(torch.tensor([[0.5, -1.0, 127.0]]))
    (tensor([[  0,  -1, 127]], dtype=torch.int8), tensor([[1.]]))
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"Activations are quantized to 2 to 8 bits, not {bits}.")
    if not torch.isfinite(x).all():
        raise ValueError("The activations hold NaN or infinity, and no scale spans those.")
    top = 2 ** (bits - 1) - 1
    scales = x.float().abs().amax(dim=-1, keepdim=True) / top
    codes = (x.float() / torch.where(scales == 0, 1, scales)).round().clamp(-top, top)
    return codes.to(torch.int8), scales


def int8_product(a: Int8[Tensor, "m k"], b: Int8[Tensor, "n k"]) -> Int32[Tensor, "m n"]:
    """a b^T, exact: the sums of int8 products are made in int32 (in float64 where a device has no integer product).

    >>> int8_product(torch.tensor([[100, -100]], dtype=torch.int8), torch.tensor([[100, 100]], dtype=torch.int8))
    tensor([[0]], dtype=torch.int32)
    """
    if a.device.type == "cpu":
        return torch._int_mm(a, b.T.contiguous())
    return (a.double() @ b.double().T).int()


def w8a8_linear(x: Float[Tensor, "*rows in"], weight: QuantizedWeight) -> Float[Tensor, "*rows out"]:
    """x W^T from int8 tokens and int8 weights, in fp32; the reference of the fast ones.

    Raises `ValueError` unless the weight has 8 bits, symmetric, one scale a row: only then do scales stand outside the
    sums (SmoothQuant, arXiv 2211.10438, equation 2).

    >>> from labkit.kernels.weight_format import WeightFormat
    >>> from labkit.quantization.rounding import round_to_nearest
    >>> weight = round_to_nearest(torch.tensor([[127.0, 10.3]]), WeightFormat(8))  # 127 and 10
    >>> w8a8_linear(torch.tensor([[0.0, 12.7]]), weight)  # codes 0 and 127, scale 0.1
    tensor([[127.]])
    """
    check_w8a8(weight)
    codes, scales = quantize_tokens(x)
    sums = int8_product(codes.flatten(0, -2), signed_codes(weight)).unflatten(0, x.shape[:-1])
    return sums * scales * weight.scales.float().T


def signed_codes(weight: QuantizedWeight) -> Int8[Tensor, "out in"]:
    """The codes of a symmetric weight around 0 instead of around the middle."""
    return (weight.codes.short() - weight.format.middle).to(torch.int8)


def check_w8a8(weight: QuantizedWeight) -> None:
    """Raise `ValueError` unless an int8 product can use this weight."""
    fmt = weight.format
    if (fmt.bits, fmt.symmetric, fmt.code) != (8, True, "integer") or weight.scales.shape[1] != 1:
        raise ValueError(f"An int8 product needs 8-bit symmetric weights with one scale a row; this one is {fmt}.")
