"""Expert dispatch by sorting: all rows of an expert side by side, then one grouped matrix product for all experts.

The way of MegaBlocks (Gale et al., 2022, arXiv 2211.15841): groups may have any size, so nothing is padded or dropped.
`torch.nn.functional.grouped_mm` runs on CPUs too, and backward; it wants rows to begin at multiples of 16 bytes.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import grouped_mm, silu

ALIGNMENT = 16
"""Bytes between the beginnings of two rows must be a multiple of it."""


def sorted_by_expert(
    indices: Int[Tensor, "tokens chosen"], experts: int
) -> tuple[Int[Tensor, " rows"], Int[Tensor, " experts"]]:
    """The choices (tokens x chosen of them) ordered by expert, and where each expert's end.

    Choice n is the (n // tokens)-th of token n % tokens. An expert's own stay in that order: the first choices of all
    tokens, then the second ones, so whoever must drop some drops the least wanted.

    >>> order, ends = sorted_by_expert(torch.tensor([[2, 0], [0, 2]]), experts=3)
    >>> order.tolist(), ends.tolist()  # expert 0 is first of token 1, second of token 0; nobody wants expert 1
    ([1, 2, 0, 3], [2, 2, 4])
    """
    chosen, order = indices.T.flatten().sort(stable=True)
    every = torch.arange(experts, device=indices.device)
    return order, torch.searchsorted(chosen, every, right=True, out_int32=True)


def expert_dispatch_grouped(
    x: Float[Tensor, "tokens hidden"],
    indices: Int[Tensor, "tokens chosen"],
    weights: Float[Tensor, "tokens chosen"],
    gate_up: Float[Tensor, "experts two_inner hidden"],
    down: Float[Tensor, "experts hidden inner"],
) -> Float[Tensor, "tokens hidden"]:
    """Sort, multiply group by group, add each row back to its token. A row is weighted where it is narrow, inside."""
    order, ends = sorted_by_expert(indices, len(gate_up))
    token, dtype = order % len(x), _product_dtype(x)
    gate_up, down = gate_up.to(dtype), down.to(dtype)
    gate, up = grouped_mm(x[token].to(dtype), gate_up.mT, offs=ends).chunk(2, dim=-1)
    inner = silu(gate) * up * weights.T.flatten()[order, None]
    rows = grouped_mm(inner.to(dtype), down.mT, offs=ends)
    return torch.zeros_like(x).index_add_(0, token, rows.to(x.dtype))


def grouped_takes(x: Tensor, *weights: Tensor) -> bool:
    """Whether the operator takes these operands: dtype, device and alignment; zero tokens it does not."""
    dtype = _product_dtype(x)
    aligned = all(w.shape[-1] * dtype.itemsize % ALIGNMENT == 0 for w in weights)
    known = dtype in (torch.float32, torch.bfloat16, torch.float16) and x.device.type in ("cpu", "cuda")
    return len(x) > 0 and known and aligned


def _product_dtype(x: Tensor) -> torch.dtype:
    """That of autocast, which does not know this operator, or else the operand's own."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
