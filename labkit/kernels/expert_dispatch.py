"""Sending tokens to their experts and summing what comes back: the forward of a mixture of experts after routing.

With T tokens, k experts a token, E experts of 3 matrices hidden x inner of e bytes; `hit` is the number of experts with
at least one token, at most min(E, k T):

| variant                | weight bytes           | FLOPs              |
|------------------------|------------------------|--------------------|
| `expert_dispatch_loop` | 3 e hidden inner x hit | 6 k T hidden inner |

Bytes follow the experts that are hit and FLOPs the tokens: that gap is the batching cliff.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Expert = Callable[[int, Float[Tensor, "some hidden"]], Float[Tensor, "some hidden"]]


def expert_dispatch_loop(
    x: Float[Tensor, "tokens hidden"],
    indices: Int[Tensor, "tokens chosen"],
    weights: Float[Tensor, "tokens chosen"],
    expert: Expert,
) -> Float[Tensor, "tokens hidden"]:
    """Sum over its chosen experts of weight times expert(token), one expert after another; experts not hit are not run.

    `expert(e, rows)` applies expert e to its rows, so plain, packed and quantized experts go through the same loop.

    >>> x, indices = torch.tensor([[1.0], [10.0]]), torch.tensor([[0, 2], [2, 1]])
    >>> weights = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    >>> expert_dispatch_loop(x, indices, weights, lambda e, rows: rows * e)
    tensor([[ 1.],
            [20.]])
    """
    out = torch.zeros_like(x)
    for e in indices.unique().tolist():
        token, slot = torch.where(indices == e)
        out.index_add_(0, token, (expert(e, x[token]) * weights[token, slot, None]).to(out.dtype))
    return out


def swiglu_expert(
    x: Float[Tensor, "some hidden"],
    gate_up: Float[Tensor, "two_inner hidden"],
    down: Float[Tensor, "hidden inner"],
) -> Float[Tensor, "some hidden"]:
    """One expert, a SwiGLU MLP (arXiv 2002.05202): down(silu(gate x) * up x), gate and up stacked in one matrix."""
    gate, up = torch.nn.functional.linear(x, gate_up).chunk(2, dim=-1)
    return torch.nn.functional.linear(torch.nn.functional.silu(gate) * up, down)
