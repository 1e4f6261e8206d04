"""Sending tokens to their experts and summing what comes back: the forward of a mixture of experts after routing.

With T tokens, k experts a token, E experts of 3 matrices hidden x inner of e bytes; `hit` is the number of experts with
at least one token, at most min(E, k T); C is the capacity, the rows that are set aside for each expert:

| variant                   | weight bytes           | FLOPs              |
|---------------------------|------------------------|--------------------|
| `expert_dispatch_loop`    | 3 e hidden inner x hit | 6 k T hidden inner |
| `expert_dispatch_single`  | 3 e hidden inner x k   | 6 k hidden inner   |
| `expert_dispatch_grouped` | 3 e hidden inner x hit | 6 k T hidden inner |
| `expert_dispatch_padded`  | 3 e hidden inner x E   | 6 E C hidden inner |

Bytes follow the experts that are hit and FLOPs the tokens: that gap is the batching cliff. Activations come on top,
about e k T (4 hidden + 4 inner) for the sorted variants: each row is copied to its expert and back.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import linear, silu

from labkit.kernels.expert_grouped import expert_dispatch_grouped, grouped_takes

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
    gate, up = linear(x, gate_up).chunk(2, dim=-1)
    return linear(silu(gate) * up, down)


def expert_dispatch_single(
    x: Float[Tensor, "1 hidden"],
    indices: Int[Tensor, "1 chosen"],
    weights: Float[Tensor, "1 chosen"],
    gate_up: Float[Tensor, "experts two_inner hidden"],
    down: Float[Tensor, "experts hidden inner"],
) -> Float[Tensor, "1 hidden"]:
    """One token, as in decoding: nothing to sort, its experts' weights go past once."""
    rows = [swiglu_expert(x, gate_up[e], down[e]) for e in indices[0].tolist()]
    return (weights.T * torch.cat(rows)).sum(dim=0, keepdim=True).to(x.dtype)


def expert_dispatch(
    x: Float[Tensor, "tokens hidden"],
    indices: Int[Tensor, "tokens chosen"],
    weights: Float[Tensor, "tokens chosen"],
    gate_up: Float[Tensor, "experts two_inner hidden"],
    down: Float[Tensor, "experts hidden inner"],
) -> Float[Tensor, "tokens hidden"]:
    """The fastest variant for these operands; all give the same sum over chosen experts of weight times expert(token).

    Grouped where the operator takes them; on a CPU a token that comes alone goes straight to its experts, unless they
    learn. The loop for the rest, over experts taken apart at once: cut out one by one, each would get a gradient as
    large as all together.
    """
    learning = torch.is_grad_enabled() and (gate_up.requires_grad or down.requires_grad)
    if len(x) == 1 and x.device.type == "cpu" and not learning:
        return expert_dispatch_single(x, indices, weights, gate_up, down)
    if grouped_takes(x, gate_up, down):
        return expert_dispatch_grouped(x, indices, weights, gate_up, down)
    ups, downs = gate_up.unbind(), down.unbind()
    return expert_dispatch_loop(x, indices, weights, lambda e, rows: swiglu_expert(rows, ups[e], downs[e]))
