"""The linear layer of `kernels.quantized_linear` on a GPU: weights of 4 or 8 bits, unpacked in registers.

With m rows of k inputs of a bytes each, n outputs, weights of e bytes (scales and zeros counted):

| variant                      | bytes                           | FLOPs   |                                        |
|------------------------------|---------------------------------|---------|----------------------------------------|
| `quantized_linear_reference` | a m k + 4 m n + (e + 8) k n     | 2 m k n | writes the weight out as fp32          |
| W4A16, W8A16                 | a (m k + m n) + e k n           | 2 m k n | products in the dtype of x             |
| W4A8, W8A8                   | the same and (2 + 1 / 4) m k    | 2 m k n | x rounded first, products of int8      |

All four are one kernel. A program owns a tile of outputs and rows, walks along the inputs and asks of each strip the
product of codes, which tensor cores give, and then the scales: once a group, or once in all where a row has one. Sums
are fp32, products of int8 whole numbers. The weight is the left operand, so that few rows waste little of a tensor
core: its side of 64 takes outputs, and only the other, of 16, is filled up.

Activations of 16 bits are what they come as: fp16 and bf16 as they are, fp32 in full (slow: no tensor core does that).
Those of 8 bits get a scale for each 32 neighbours, which then ask for a correction every 32 inputs, or one a row.

With few rows there are few tiles, so inputs are split among programs too and their parts added up (arXiv 2402.00025,
which adds atomically; here a second pass adds, so that two runs agree). That writes and reads 8 m n bytes a split.

Wins where weights are what is read: few rows. With many rows the product in bf16 of an unpacked weight is the one to
beat, as every tile of rows unpacks the weight anew.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.kernels.quantized_panels import PanelLayout, PanelWeight
from labkit.kernels.rounded_activations import BLOCK
from labkit.kernels.triton.language import jit, tl
from labkit.kernels.triton.panel_tiles import codes_of, scaled
from labkit.kernels.triton.rounding import rounded_rows

DEEPEST = 128
"""Inputs of a strip at most."""
FEW_ROWS = 32
"""Up to here inputs are split among programs: what is added up is little beside the weights."""
PROGRAMS = 4
"""Programs that a multiprocessor should have, so that one computes while others wait for memory."""
_TENSOR_CORE_DTYPES = (torch.float16, torch.bfloat16, torch.float32)


class Tiling(NamedTuple):
    """What a launch fixes: panels, rows and inputs of a tile, how many programs share the inputs, and warps of each."""

    panels: int
    rows: int
    depth: int
    splits: int
    warps: int


def tiling(layout: PanelLayout, rows: int, processors: int, block_scales: bool = False) -> Tiling:
    """Tiles for `rows` rows of activations on a GPU of so many multiprocessors.

    A strip stays within a group, and within a block where activations have a scale for each.

    >>> layout = PanelLayout(out_features=4096, in_features=4096, bits=4, group_size=32, zeros=0, scale_type=0)
    >>> tiling(layout, rows=1, processors=132)  # 64 tiles of outputs for 132 multiprocessors: eight share the inputs
    Tiling(panels=4, rows=16, depth=32, splits=8, warps=4)
    >>> tiling(layout, rows=512, processors=132)
    Tiling(panels=8, rows=64, depth=32, splits=1, warps=8)
    """
    few = rows <= FEW_ROWS
    panels, wide = (4, 16 if rows <= 16 else 32) if few else (8, 64)
    group = layout.group_size or DEEPEST
    depth = BLOCK if block_scales else min(group & -group, DEEPEST)  # the largest power of two that divides it
    programs = -(-layout.shape[0] // panels) * -(-rows // wide)
    steps = -(-layout.in_features // depth)
    wanted = max(PROGRAMS * processors // programs, 1) if few else 1
    splits = min(_power_of_two_below(wanted), _power_of_two_below(steps))
    return Tiling(panels, wide, depth, splits, panels)


def quantized_linear(
    x: Float[Tensor, "*rows in"],
    weight: PanelWeight,
    bias: Float[Tensor, " out"] | None = None,
    activation_bits: int = 16,
    per_row: bool = False,
    processors: int | None = None,
) -> Float[Tensor, "*rows out"]:
    """x W^T + b where x is, in the dtype of x; `processors` are the multiprocessors to fill, None asks the GPU."""
    panels, layout = weight
    dtype = x.dtype if x.dtype in _TENSOR_CORE_DTYPES else torch.float32
    rows = x.reshape(-1, layout.in_features).to(dtype).contiguous()
    if not len(rows):
        return x.new_zeros((*x.shape[:-1], layout.out_features))
    with torch.cuda.device_of(x):  # Triton launches on the current GPU, torch on that of its tensors
        tiles = tiling(layout, len(rows), processors or _processors(x), activation_bits == 8 and not per_row)
        y = rows.new_empty(
            (tiles.splits, len(rows), layout.out_features), dtype=dtype if tiles.splits == 1 else torch.float32
        )
        held, scales = rounded_rows(rows, per_row) if activation_bits == 8 else (rows, None)
        arguments = (y, held, scales, panels.contiguous(), bias)
        linear_kernel[_grid(layout, len(rows), tiles)](
            *arguments,
            **sizes(layout, held),
            **constants(layout, tiles, activation_bits, per_row),
            num_warps=tiles.warps,
        )
    y = y[0] if tiles.splits == 1 else y.sum(dim=0)
    return y.to(x.dtype).view(*x.shape[:-1], layout.out_features)


def sizes(layout: PanelLayout, x: Tensor) -> dict[str, int]:
    """The whole numbers that `linear_kernel` takes; `x` are the rows as it gets them."""
    _, groups, group_bytes = layout.shape
    return {
        "rows": len(x),
        "inner": x.shape[1],
        "outs": layout.out_features,
        "panel_bytes": groups * group_bytes,
        "group_bytes": group_bytes,
    }


def constants(layout: PanelLayout, tiles: Tiling, activation_bits: int, per_row: bool) -> dict[str, Any]:
    """What `linear_kernel` is compiled for."""
    return {
        "BITS": layout.bits,
        "KIND": layout.scale_type,
        "ZEROS": bool(layout.zeros),
        "HEADER": layout.header_bytes,
        "STRIPS": layout.group_size // tiles.depth,
        "SCALES": "none" if activation_bits == 16 else "row" if per_row else "block",
        "PANELS": tiles.panels,
        "ROWS": tiles.rows,
        "DEPTH": tiles.depth,
        "SPLITS": tiles.splits,
    }


def _grid(layout: PanelLayout, rows: int, tiles: Tiling) -> tuple[int, int, int]:
    return -(-layout.shape[0] // tiles.panels), -(-rows // tiles.rows), tiles.splits


def _processors(x: Tensor) -> int:
    return torch.cuda.get_device_properties(x.device).multi_processor_count if x.is_cuda else 1


def _power_of_two_below(n: int) -> int:
    return 1 << (n.bit_length() - 1)


@jit
def linear_kernel(
    y,
    x,
    x_scales,
    panels,
    bias,
    rows,
    inner,
    outs,
    panel_bytes,
    group_bytes,
    BITS: tl.constexpr,
    KIND: tl.constexpr,
    ZEROS: tl.constexpr,
    HEADER: tl.constexpr,
    STRIPS: tl.constexpr,
    SCALES: tl.constexpr,
    PANELS: tl.constexpr,
    ROWS: tl.constexpr,
    DEPTH: tl.constexpr,
    SPLITS: tl.constexpr,
):
    """y[split, row, out] of a tile. STRIPS a group, 0 if it is a row; SCALES of x: a "block", a "row", or "none"."""
    panel = tl.program_id(0) * PANELS + tl.arange(0, PANELS)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    split = tl.program_id(2)
    first_group = tl.minimum(panel, tl.cdiv(outs, 16) - 1).to(tl.int64) * panel_bytes  # past the end the last, unused
    x += row.to(tl.int64)[None, :] * inner
    blocks = tl.cdiv(inner, 32)
    total = tl.zeros((PANELS * 16, ROWS), tl.float32)
    total_sums = tl.zeros((ROWS,), tl.float32)

    steps = tl.cdiv(inner, DEPTH)
    share = tl.cdiv(steps, SPLITS)
    for step in range(split * share, tl.minimum(split * share + share, steps)):
        group = step // STRIPS if STRIPS else 0
        strip = step % STRIPS if STRIPS else step
        starts = first_group + group * group_bytes
        first_byte = strip * (DEPTH * 2 * BITS)
        codes = codes_of(panels, starts + HEADER, first_byte, group_bytes - HEADER, BITS, PANELS, DEPTH)
        at = step * DEPTH + tl.arange(0, DEPTH)
        some = tl.load(x + at[:, None], mask=(at < inner)[:, None] & (row < rows)[None, :], other=0)
        if SCALES == "none":
            part = tl.dot(codes.to(some.dtype), some, input_precision="ieee")
        else:
            part = tl.dot(codes, some, out_dtype=tl.int32).to(tl.float32)
        sums = tl.sum(some.to(tl.float32), axis=0) if ZEROS else total_sums
        if SCALES == "block":
            units = tl.load(x_scales + row * blocks + step, mask=row < rows, other=0.0)
            part = part * units[None, :]
            sums = sums * units
        if STRIPS:
            total += scaled(part, sums, panels, starts, KIND, ZEROS, BITS, PANELS)
        else:
            total += part
            if ZEROS:
                total_sums += sums

    if not STRIPS:
        total = scaled(total, total_sums, panels, first_group, KIND, ZEROS, BITS, PANELS)
    if SCALES == "row":
        total = total * tl.load(x_scales + row * blocks, mask=row < rows, other=0.0)[None, :]
    out = tl.program_id(0) * (PANELS * 16) + tl.arange(0, PANELS * 16)
    if bias is not None:
        addend = tl.load(bias + out, mask=out < outs, other=0.0).to(tl.float32)
        total += tl.where(split == 0, addend, 0.0)[:, None]
    y += (split * rows + row).to(tl.int64)[None, :] * outs + out[:, None]
    tl.store(y, total.to(y.dtype.element_ty), mask=(row < rows)[None, :] & (out < outs)[:, None])
