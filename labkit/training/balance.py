"""What keeps experts in use while a mixture of experts is trained: two losses on the router's logits.

    with balance(model, batch.segments >= 0) as routed:
        loss = predict(model, batch).loss
    (loss + routed.loss()).backward()

Not part of the model: the losses watch its routers from outside, so the forward that is trained is the one that serves.
A dense model has no routers and its loss is 0, so one step of training fits both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from labkit.models.decoder import MoE

BALANCE = 0.01
"""Weight of the load-balance loss in Switch Transformer (section 2.2) and OLMoE (arXiv 2409.02060, section 2)."""
CALM = 0.001
"""Weight of the router z-loss in ST-MoE (arXiv 2202.08906, section 3) and OLMoE."""


def load_balance_loss(logits: Float[Tensor, "tokens experts"], chosen: int) -> Float[Tensor, ""]:
    """E sum_i f_i P_i: f_i choices of expert i a token, P_i its mean probability; Switch (arXiv 2101.03961, eq. 4-6).

    As in Mixtral and OLMoE, f counts all `chosen` experts of a token. The loss is `chosen` where the load is even, and
    E where one set of experts has all of it. Only P has a gradient: busy experts become less probable.

    >>> load_balance_loss(torch.tensor([[9.0, 0.0], [0.0, 9.0]]), chosen=1)
    tensor(1.)
    """
    probabilities = logits.float().softmax(dim=-1)
    picked = probabilities.topk(chosen, dim=-1).indices
    load = torch.bincount(picked.flatten(), minlength=logits.shape[1]) / len(logits)
    return logits.shape[1] * (load * probabilities.mean(dim=0)).sum()


def router_z_loss(logits: Float[Tensor, "tokens experts"]) -> Float[Tensor, ""]:
    """The mean over tokens of logsumexp(logits)^2, which keeps logits small and so exact in bf16 (ST-MoE, equation 5).

    >>> router_z_loss(torch.zeros(5, 8))  # ln(8)^2
    tensor(4.3241)
    """
    return logits.float().logsumexp(dim=-1).square().mean()


@dataclass
class Routed:
    """What the routers said in the forwards under `balance`: a pair of logits and experts a token for each call."""

    real: Bool[Tensor, " tokens"] | None = None
    calls: list[tuple[Float[Tensor, "tokens experts"], int]] = field(default_factory=list)

    def loss(self, balance: float = BALANCE, calm: float = CALM) -> Float[Tensor, ""]:
        """The weighted losses, averaged over layers; 0 without any.

        Each layer is balanced for itself. transformers pools the tokens of all layers first, which lets the excess of
        one layer make up for the want of another.
        """
        if not self.calls:
            return torch.zeros(())
        return torch.stack([self._of(logits, chosen, balance, calm) for logits, chosen in self.calls]).mean()

    def _of(self, logits: Tensor, chosen: int, balance: float, calm: float) -> Tensor:
        seen = logits if self.real is None else logits[self.real]
        return balance * load_balance_loss(seen, chosen) + calm * router_z_loss(seen)


@contextmanager
def balance(model: nn.Module, real: Bool[Tensor, "batch seq"] | None = None) -> Iterator[Routed]:
    """Collects the logits of every router while the model runs; where `real` is False a token is padding and left out.

    Raises `ValueError` if `real` marks no token at all.
    """
    if real is not None and not real.any():
        raise ValueError("No token of this batch is real: nothing can be balanced.")
    routed = Routed(None if real is None else real.flatten())
    handles = [
        layer.router.register_forward_hook(
            lambda _module, _args, logits, chosen=layer.moe.num_experts_per_tok: routed.calls.append((logits, chosen))
        )
        for layer in model.modules()
        if isinstance(layer, MoE)
    ]
    try:
        yield routed
    finally:
        for handle in handles:
            handle.remove()
