"""Expert dispatch with room set aside: every expert gets a block of `capacity` rows, and one batched product does all.

The way of GShard and Switch (arXiv 2006.16668, 2101.03961): shapes that do not depend on the data, which accelerators
and compilers like. What does not fit is dropped (the token keeps only its residual stream), what is not filled is
multiplied all the same.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import silu

from labkit.kernels.expert_grouped import sorted_by_expert


def places(
    indices: Int[Tensor, "tokens chosen"], experts: int
) -> tuple[Int[Tensor, "tokens chosen"], Int[Tensor, " experts"]]:
    """Each choice's place in its expert's queue, from 0, and the length of each queue.

    First choices of all tokens queue before second ones (GShard, algorithm 1), each in the order of tokens.

    >>> queue, lengths = places(torch.tensor([[2, 0], [0, 2]]), experts=3)
    >>> queue.tolist(), lengths.tolist()
    ([[0, 1], [0, 1]], [2, 0, 2])
    """
    order, ends = sorted_by_expert(indices, experts)
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    by_choice = indices.T.flatten()
    queue = torch.empty_like(order)
    queue[order] = torch.arange(len(order), device=order.device) - starts[by_choice[order]]
    return queue.view(indices.T.shape).T, ends - starts


def kept(indices: Int[Tensor, "tokens chosen"], experts: int, capacity: int) -> Bool[Tensor, "tokens chosen"]:
    """Which choices find room where each expert takes `capacity` rows.

    >>> kept(torch.tensor([[0, 1], [0, 1], [1, 0]]), experts=2, capacity=2).tolist()
    [[True, True], [True, False], [True, False]]
    """
    return places(indices, experts)[0] < capacity


def expert_dispatch_padded(
    x: Float[Tensor, "tokens hidden"],
    indices: Int[Tensor, "tokens chosen"],
    weights: Float[Tensor, "tokens chosen"],
    gate_up: Float[Tensor, "experts two_inner hidden"],
    down: Float[Tensor, "experts hidden inner"],
    capacity: int | None = None,
) -> Float[Tensor, "tokens hidden"]:
    """Scatter to blocks, multiply all of them, gather. Without `capacity` it is the longest queue, so nothing is lost.

    Raises `ValueError` for a capacity below 1.
    """
    if capacity is not None and capacity < 1:
        raise ValueError(f"An expert's capacity is at least 1 row; got {capacity}.")
    experts, tokens = len(gate_up), len(x)
    queue, lengths = places(indices, experts)
    if capacity is None:
        capacity = max(int(lengths.max()), 1)
    fits = queue < capacity
    spare = experts * capacity  # one row at the end, for all that finds no room
    row = torch.where(fits, indices * capacity + queue, spare)
    token = torch.arange(tokens, device=x.device).repeat_interleave(indices.shape[1])
    blocks = x.new_zeros(spare + 1, x.shape[1]).index_copy(0, row.flatten(), x[token])
    gate, up = (blocks[:spare].view(experts, capacity, -1) @ gate_up.mT).chunk(2, dim=-1)
    out = ((silu(gate) * up) @ down.mT).flatten(0, 1)
    rows = out[row.clamp(max=spare - 1)]
    return (rows * (weights * fits).unsqueeze(-1)).sum(dim=1).to(x.dtype)
