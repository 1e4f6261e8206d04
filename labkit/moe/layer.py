"""The decoder's mixture of experts with everything that training may want: other scores, a bias, shared experts, drops.

It takes the place of `labkit.models.decoder.MoE` and is one, so what watches or balances routers finds it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.kernels.expert_padded import expert_dispatch_padded
from labkit.models.config import MoeConfig
from labkit.models.decoder import MLP, Hidden, MoE
from labkit.moe.load import capacity
from labkit.moe.routing import Score, route


class RoutedMLP(MoE):
    """Routed experts, plus `shared` inner features that every token passes through (DeepSeekMoE, arXiv 2401.06066).

    With a `capacity_factor` each expert takes at most that many even loads, and what is above is dropped: such a choice
    adds nothing, and the token goes on with its residual stream. `bias` is a buffer; `labkit.moe.bias` moves it.
    """

    def __init__(
        self,
        hidden: int,
        moe: MoeConfig,
        score: Score = "softmax",
        shared: int = 0,
        capacity_factor: float | None = None,
        scale: float = 1.0,
    ) -> None:
        super().__init__(hidden, moe)
        self.score, self.capacity_factor, self.scale = score, capacity_factor, scale
        self.shared = MLP(hidden, shared) if shared else None
        self.register_buffer("bias", torch.zeros(moe.num_experts))

    def choose(
        self, logits: Float[Tensor, "tokens experts"]
    ) -> tuple[Int[Tensor, "tokens chosen"], Float[Tensor, "tokens chosen"]]:
        """Experts and weights for these logits; see `labkit.moe.routing.route`."""
        moe = self.moe
        return route(logits, moe.num_experts_per_tok, self.score, self.bias, moe.norm_topk_prob, self.scale)

    def route(self, x: Float[Tensor, "tokens hidden"]) -> tuple[Tensor, Tensor]:
        indices, weights = self.choose(self.router(x))
        return indices, weights.to(x.dtype)

    def forward(self, x: Hidden) -> Hidden:
        flat = x.flatten(0, -2)
        indices, weights = self.route(flat)
        out = self._dispatch(flat, indices, weights).view_as(x)
        return out if self.shared is None else out + self.shared(x)

    def _dispatch(self, x: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
        if self.capacity_factor is None:
            return self.experts(x, indices, weights)
        rows = capacity(len(x), indices.shape[1], self.moe.num_experts, self.capacity_factor)
        return expert_dispatch_padded(x, indices, weights, self.experts.gate_up, self.experts.down, rows)
