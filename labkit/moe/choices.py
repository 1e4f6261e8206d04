"""Which experts a model's tokens went to, layer by layer, seen from outside."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from labkit.training.balance import balance


@torch.no_grad()
def choices(
    model: nn.Module, tokens: Int[Tensor, "batch seq"], real: Bool[Tensor, "batch seq"] | None = None
) -> list[Int[Tensor, "tokens chosen"]]:
    """Each layer's choices for the real tokens, row after row. Raises `ValueError` for a model without routers.

    For routers whose choice is the order of their logits (softmax without a bias), as all of `labkit.models` are.
    """
    with balance(model) as routed:
        model(tokens)
    if not routed.calls:
        raise ValueError("This model has no router: every token goes through all of it.")
    keep = torch.ones_like(tokens, dtype=torch.bool) if real is None else real
    return [logits[keep.flatten()].topk(chosen).indices for logits, chosen in routed.calls]
