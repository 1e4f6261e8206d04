"""Activations rounded to 8 bits on a GPU: `rounded_activations`, read once and written once.

With m rows of k inputs of a bytes each:

| variant             | bytes               | FLOPs  |                                                  |
|---------------------|---------------------|--------|--------------------------------------------------|
| `round_activations` | about 40 m k        | 4 m k  | one torch operator after another                 |
| `rounded_rows`      | (a + 1 + 1 / 8) m k | 4 m k  | a row, or some blocks of it, a program (Triton); |
|                     |                     |        | a scale for a whole row reads it twice           |
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from labkit.kernels.rounded_activations import BLOCK
from labkit.kernels.triton.language import jit, tl

BLOCKS = 16
"""Blocks of 32 a program takes at once."""


class RoundedRows(NamedTuple):
    """Codes of -127 to 127, filled up to whole blocks with zeros, and a scale for each block."""

    codes: Int8[Tensor, "rows padded_in"]
    scales: Float[Tensor, "rows blocks"]


def rounded_rows(x: Float[Tensor, "rows in"], per_row: bool = False) -> RoundedRows:
    """`round_activations(x, 8, per_row)` where x is; x contiguous."""
    rows, inner = x.shape
    blocks = -(-inner // BLOCK)
    codes = torch.empty(rows, blocks * BLOCK, dtype=torch.int8, device=x.device)
    scales = torch.empty(rows, blocks, dtype=torch.float32, device=x.device)
    # Without fusing, a product is rounded before a half of a step is looked at, as everywhere else.
    round_kernel[(rows, 1 if per_row else -(-blocks // BLOCKS))](
        codes, scales, x, inner, blocks, PER_ROW=per_row, BLOCKS=BLOCKS, num_warps=4, enable_fp_fusion=False
    )
    return RoundedRows(codes, scales)


@jit
def round_kernel(codes, scales, x, inner, blocks, PER_ROW: tl.constexpr, BLOCKS: tl.constexpr):
    """One row, or BLOCKS blocks of it."""
    row = tl.program_id(0).to(tl.int64)
    x += row * inner
    codes += row * blocks * 32
    scales += row * blocks
    if PER_ROW:
        largest = tl.zeros((BLOCKS,), tl.int32)
        for first in range(0, blocks, BLOCKS):
            largest = tl.maximum(largest, magnitudes(blocks_of(x, first, inner, BLOCKS)))
        whole = tl.max(largest, axis=0)
        for first in range(0, blocks, BLOCKS):
            some = blocks_of(x, first, inner, BLOCKS)
            store_rounded(codes, scales, some, tl.zeros((BLOCKS,), tl.int32) + whole, first, blocks, BLOCKS)
    else:
        first = tl.program_id(1) * BLOCKS
        some = blocks_of(x, first, inner, BLOCKS)
        store_rounded(codes, scales, some, magnitudes(some), first, blocks, BLOCKS)


@jit
def blocks_of(x, first, inner, BLOCKS: tl.constexpr):
    """(BLOCKS, 32) numbers of a row in fp32, zeros beyond its end."""
    at = (first + tl.arange(0, BLOCKS))[:, None] * 32 + tl.arange(0, 32)[None, :]
    return tl.load(x + at, mask=at < inner, other=0.0).to(tl.float32)


@jit
def magnitudes(some):
    """(BLOCKS,) bits of the largest magnitude: they order as the numbers do, infinity and NaN last."""
    return tl.max(some.to(tl.int32, bitcast=True) & 0x7FFFFFFF, axis=1)


@jit
def store_rounded(codes, scales, some, largest, first, blocks, BLOCKS: tl.constexpr):
    """Rounds blocks by the bits of a magnitude each."""
    peaks = largest.to(tl.float32, bitcast=True)
    finite = largest < 0x7F800000
    units = tl.div_rn(peaks, tl.full((BLOCKS,), 127.0, tl.float32))
    inverses = tl.div_rn(tl.full((BLOCKS,), 127.0, tl.float32), peaks)
    something = finite & (units > 0) & (inverses <= 3e38)  # else zero, or too small to be told from it
    steps = tl.where(something[:, None], some, 0.0) * tl.where(something, inverses, 0.0)[:, None]
    rounded = (steps + 12582912.0) - 12582912.0  # 1.5 * 2 ** 23: above it fp32 has whole numbers only, ties to even
    block = first + tl.arange(0, BLOCKS)
    at = block[:, None] * 32 + tl.arange(0, 32)[None, :]
    tl.store(codes + at, rounded.to(tl.int8), mask=(block < blocks)[:, None])
    tl.store(scales + block, tl.where(finite, tl.where(something, units, 0.0), float("nan")), mask=block < blocks)
