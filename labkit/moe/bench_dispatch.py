"""Our default dispatch beside every expert backend of transformers, on the same weights, one thread of CPU time.

Routings change from call to call, so that the experts of a single token come from memory and not from a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import torch
from torch import Tensor, nn

from labkit.kernels.expert_dispatch import expert_dispatch
from labkit.measure.ceiling import ceilings
from labkit.measure.comparison import compare
from labkit.measure.progress import progress

BACKENDS = ("eager", "batched_mm", "grouped_mm")
SHAPES = {"8 experts, top 2": (8, 2, 1024), "64 experts, top 8": (64, 8, 256)}
"""Experts, chosen, inner; hidden is `HIDDEN`. 100 and 201 MB in fp32: larger than most last caches."""
HIDDEN, TOKENS, ROUTINGS = 1024, (1, 16, 128, 1024), 16
MOST_GATHERED = 4 << 30
"""`batched_mm` copies a matrix for every choice: past this many bytes it is not run."""

Operands = tuple[Tensor, Tensor, Tensor]


def beside_transformers(rounds: int = 9) -> list[dict[str, Any]]:
    """One row a shape, token count and direction; a ratio above 1 means that ours is faster."""
    cells = [(name, tokens, way) for name in SHAPES for tokens in TOKENS for way in ("forward", "forward and backward")]
    return [_row(*cell, rounds) for cell in progress(cells, "dispatch beside transformers")]


def _row(name: str, tokens: int, way: str, rounds: int) -> dict[str, Any]:
    experts, chosen, inner = SHAPES[name]
    layer, routings = transformers_experts(experts, chosen, inner), routed(experts, chosen, tokens)
    row: dict[str, Any] = {"shape": name, "tokens": tokens, "way": way, "against": {}}
    weights = (layer.gate_up_proj, layer.down_proj)
    seconds = []
    for backend in BACKENDS:
        gathered = 4 * tokens * chosen * 2 * inner * HIDDEN
        if backend == "batched_mm" and gathered > MOST_GATHERED:
            row["against"][backend] = {"blocked": f"it would copy {gathered / 1e9:.0f} GB of weights"}
            continue
        theirs = _calls(_with(layer, backend), weights, routings, way)
        ours = _calls(lambda x, i, w: expert_dispatch(x, i, w, *weights), weights, routings, way)
        found = compare(theirs, ours, check=_close, rounds=rounds, names=(backend, "labkit"))
        row["against"][backend] = {"ratio": found.ratio, "interval": [found.low, found.high]}
        seconds.append(found.candidate_seconds)
    row["ms"] = 1e3 * min(seconds)
    if tokens == 1 and way == "forward":
        active = 4 * 3 * HIDDEN * inner * chosen
        rate = active / min(seconds)
        row["share of bandwidth"] = rate / ceilings("cpu").bandwidth(4 * 3 * HIDDEN * inner * experts, 1, kind="read")
    return row


def transformers_experts(experts: int, chosen: int, inner: int) -> nn.Module:
    """Mixtral's experts with random weights."""
    from transformers.models.mixtral.modeling_mixtral import MixtralConfig, MixtralExperts

    config = MixtralConfig(
        hidden_size=HIDDEN, intermediate_size=inner, num_local_experts=experts, num_experts_per_tok=chosen
    )
    layer = MixtralExperts(config)
    torch.manual_seed(0)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.03)
    return layer


def routed(experts: int, chosen: int, tokens: int) -> list[Operands]:
    """Random tokens sent to random experts, several times over."""
    generator = torch.Generator().manual_seed(0)

    def draw() -> Operands:
        indices = torch.rand(tokens, experts, generator=generator).topk(chosen).indices
        return torch.randn(tokens, HIDDEN, generator=generator), indices, torch.full((tokens, chosen), 1 / chosen)

    return [draw() for _ in range(ROUTINGS)]


def _with(layer: nn.Module, backend: str) -> Callable[..., Tensor]:
    def run(*operands: Tensor) -> Tensor:
        layer.config._experts_implementation = backend
        return layer(*operands)

    return run


def _calls(
    run: Callable[..., Tensor], weights: tuple[Tensor, ...], routings: list[Operands], way: str
) -> Callable[[], Tensor | tuple[Tensor, ...]]:
    following: Iterator[Operands] = cycle(routings)

    @torch.no_grad()
    def forward() -> Tensor:
        return run(*next(following))

    def both() -> tuple[Tensor, ...]:
        x, indices, mixing = next(following)
        x = x.clone().requires_grad_()
        return torch.autograd.grad(run(x, indices, mixing).sum(), (x, *weights))

    return forward if way == "forward" else both


def _close(theirs: Any, ours: Any) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
