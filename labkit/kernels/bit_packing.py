"""Codes of 2, 3, 4 or 8 bits side by side in bytes, and back.

A row is one stream of bits, first code in the lowest bits: 4-bit codes two a byte (the even one in the low half),
2-bit codes four a byte, 3-bit codes eight in three bytes. A row begins on a whole byte; bits left over are zero.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn.functional import pad


def pack_bits(codes: UInt8[Tensor, "rows in"], bits: int) -> UInt8[Tensor, "rows bytes"]:
    """The codes, each below 2 ** bits, in ceil(in * bits / 8) bytes a row.

    >>> pack_bits(torch.tensor([[1, 2, 15]], dtype=torch.uint8), bits=4)  # 1 + 16 * 2, then 15 alone
    tensor([[33, 15]], dtype=torch.uint8)
    """
    count, size = _block(bits)
    rows, width = codes.shape
    blocks = pad(codes, (0, -width % count)).view(rows, -1, count).int()
    words = (blocks << (bits * torch.arange(count, device=codes.device))).sum(dim=-1, dtype=torch.int32)
    parts = (words.unsqueeze(-1) >> (8 * torch.arange(size, device=codes.device))) & 255
    return parts.to(torch.uint8).flatten(1)[:, : -(-width * bits // 8)].contiguous()


def unpack_bits(packed: UInt8[Tensor, "rows bytes"], bits: int, width: int) -> UInt8[Tensor, "rows width"]:
    """The first `width` codes of each row.

    >>> unpack_bits(torch.tensor([[33, 15]], dtype=torch.uint8), bits=4, width=3)
    tensor([[ 1,  2, 15]], dtype=torch.uint8)
    """
    count, size = _block(bits)
    rows, held = packed.shape
    parts = pad(packed, (0, -held % size)).view(rows, -1, size).int()
    words = (parts << (8 * torch.arange(size, device=packed.device))).sum(dim=-1, dtype=torch.int32)
    codes = (words.unsqueeze(-1) >> (bits * torch.arange(count, device=packed.device))) & (2**bits - 1)
    return codes.to(torch.uint8).flatten(1)[:, :width].contiguous()


def _block(bits: int) -> tuple[int, int]:
    """The fewest codes that fill whole bytes, and how many bytes those are."""
    shared = math.gcd(bits, 8)
    return 8 // shared, bits // shared
