"""Muon: matrices move by the orthogonal matrix nearest to their momentum, everything else by AdamW.

A matrix's gradient mostly points along a few directions; made orthogonal it moves along all of them alike, so what is
rare in a batch (a name that is to be copied) is learned at the pace of what is frequent. Jordan et al., "Muon" (2024);
Liu et al., "Muon is Scalable for LLM Training" (2025, arXiv 2502.16982), whose scaling lets both parts share one rate.

`torch.optim.Muon` does the same in bf16, which processors without bf16 instructions do ten times slower, one matrix at
a time and without experts; here matrices of one shape go together, in the dtype they have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

STEPS = 5
_A, _B, _C = 3.4445, -4.7750, 2.0315
"""Jordan's quintic: the steepest at 0 that keeps every singular value below about 1.2."""
MOMENTUM = 0.95
RMS = 0.2
"""Root mean square of an entry of AdamW's usual update, which this one is scaled to (Liu et al., section 2.2)."""


def orthogonal(matrices: Float[Tensor, "many out in"]) -> Float[Tensor, "many out in"]:
    """Each matrix U S V^T as about U V^T, its singular values between 0.7 and 1.2, by Newton-Schulz.

    Singular values below a thousandth of the norm come out smaller; a matrix of zeros stays one.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return x.mT if tall else x


class Muon(torch.optim.AdamW):
    """AdamW, but the parameters of groups marked `orthogonal` move by Muon. Experts (experts, out, in) are matrices."""

    def step(self) -> None:
        """One update of all parameters."""
        for group in self.param_groups:
            if group["orthogonal"]:
                self._move(group)
        super().step()  # passes over those that were moved: their gradient is gone

    @torch.no_grad()
    def _move(self, group: dict) -> None:
        given = [p for p in group["params"] if p.grad is not None]
        for shape in {p.shape for p in given}:
            alike = [p for p in given if p.shape == shape]
            ahead = torch.stack([self._momentum(p) for p in alike])
            updates = orthogonal(ahead.flatten(0, -3)).view(ahead.shape)
            rate = group["lr"] * RMS * math.sqrt(max(shape[-2:]))
            for parameter, update in zip(alike, updates, strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=rate)
                parameter.grad = None

    def _momentum(self, parameter: nn.Parameter) -> Tensor:
        """The gradient with Nesterov's momentum; the step count is there because AdamW's state has one."""
        state = self.state[parameter]
        if not state:
            state["step"], state["momentum"] = torch.tensor(0.0), torch.zeros_like(parameter)
        state["step"] += 1
        state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
        return parameter.grad.lerp(state["momentum"], MOMENTUM)


def groups(named: Iterable[tuple[str, nn.Parameter]], decay: float) -> list[dict]:
    """The groups of a decoder: matrices of the blocks; embedding and head; gains and biases, which do not decay."""
    inside, tables, kept = [], [], []
    for name, parameter in named:
        if parameter.dim() < 2:
            kept.append(parameter)
        elif name.startswith(("embed_tokens", "lm_head")):
            tables.append(parameter)
        else:
            inside.append(parameter)
    return [
        {"params": inside, "weight_decay": decay, "orthogonal": True},
        {"params": tables, "weight_decay": decay, "orthogonal": False},
        {"params": kept, "weight_decay": 0.0, "orthogonal": False},
    ]
