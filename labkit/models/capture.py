"""What goes into the linear layers of a model: inputs and their second moments, gathered while it runs.

A second moment is the sum over tokens of x x^T: GPTQ's Hessian is 2 x it / tokens (arXiv 2210.17323), Wanda's input
norm the root of its diagonal (arXiv 2306.11695). It is summed in fp32 batch by batch; inputs are kept only on request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from labkit.models.decoder import Decoder, MoE, StackedExperts
from labkit.models.walk import Site, experts_as_modules, linears


@dataclass
class Captured:
    """Inputs of one linear layer, over all tokens that reached it (an expert sees its own share)."""

    second_moment: Float[Tensor, "in in"]
    tokens: int = 0
    inputs: list[Float[Tensor, "some in"]] = field(default_factory=list)

    @property
    def input_norm(self) -> Float[Tensor, " in"]:
        """Euclidean norm of each input feature over all tokens."""
        return self.second_moment.diagonal().clamp(min=0).sqrt()

    def kept(self) -> Float[Tensor, "some in"]:
        """The inputs that were kept, the first of them first."""
        if not self.inputs:
            return self.second_moment.new_zeros(0, self.second_moment.shape[0])
        return torch.cat(self.inputs)

    def add(self, x: Float[Tensor, "*rows in"], keep: int) -> None:
        rows = x.detach().flatten(0, -2)
        wide = rows.float()
        self.second_moment.addmm_(wide.T, wide)
        self.tokens += rows.shape[0]
        room = keep - sum(len(part) for part in self.inputs)
        if room > 0 and len(rows):
            self.inputs.append(rows[:room].clone())


@torch.no_grad()
def capture(
    model: Decoder,
    batches: Iterable[Int[Tensor, "batch seq"]],
    sites: list[Site] | None = None,
    keep: int = 0,
) -> dict[str, Captured]:
    """Run `batches` of unpadded tokens through `model` and return what each site saw, by its path.

    Sites that read the same input (q, k and v; gate and up) share one `Captured`. `keep` is the number of input rows to
    keep as they are, from the first on. The model is unchanged afterwards, stacked experts included.
    """
    chosen = linears(model) if sites is None else sites
    with _experts_within_reach(model):
        seen = {path: _empty(model.get_submodule(path)) for path in {site.input_of for site in chosen}}
        hooks = [
            model.get_submodule(path).register_forward_pre_hook(_recorder(captured, keep))
            for path, captured in seen.items()
        ]
        try:
            for tokens in batches:
                model(tokens.to(model.device))
        finally:
            for hook in hooks:
                hook.remove()
    return {site.path: seen[site.input_of] for site in chosen}


def _recorder(captured: Captured, keep: int):
    def record(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        captured.add(args[0], keep)

    return record


def _empty(module: nn.Module) -> Captured:
    size, device = module.in_features, next(module.parameters()).device
    return Captured(torch.zeros(size, size, device=device))


@contextmanager
def _experts_within_reach(model: Decoder) -> Iterator[None]:
    """Stacked experts as modules for a while, so that hooks can reach each; same memory, put back afterwards."""
    stacked: list[tuple[MoE, StackedExperts]] = [
        (block.mlp, block.mlp.experts)
        for block in model.layers
        if isinstance(block.mlp, MoE) and isinstance(block.mlp.experts, StackedExperts)
    ]
    for moe, experts in stacked:
        moe.experts = experts_as_modules(experts).train(experts.training)
    try:
        yield
    finally:
        for moe, experts in stacked:
            moe.experts = experts
