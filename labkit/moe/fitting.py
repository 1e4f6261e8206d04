"""Training one layer on the planted task: the same loop for dense layers and mixtures, balanced in any way or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from labkit.moe.bias import moved_bias
from labkit.moe.layer import RoutedMLP
from labkit.moe.planted import Planted
from labkit.training.balance import balance, load_balance_loss

BalanceLoss = Callable[[Float[Tensor, "tokens experts"], int], Float[Tensor, ""]]
BATCH, EXAM = 128, 2048


@dataclass(frozen=True)
class Fit:
    """`error` is the mean square over that of answering 0, on inputs never seen; 1 has learned nothing.

    `by_cluster` is the same for each cluster. `indices` are the choices for these inputs, None for a dense layer;
    `curve` has the training error of every step, `layer` is what was trained.
    """

    error: float
    by_cluster: Float[Tensor, " clusters"]
    cluster: Int[Tensor, " tokens"]
    indices: Int[Tensor, "tokens chosen"] | None
    curve: tuple[float, ...]
    layer: nn.Module


def fit(
    layer: nn.Module,
    task: Planted,
    steps: int = 300,
    seed: int = 0,
    balance_weight: float = 0.0,
    balance_loss: BalanceLoss = load_balance_loss,
    bias_rate: float = 0.0,
    learning_rate: float = 5e-3,
) -> Fit:
    """Adam on the square error plus `balance_weight` times `balance_loss`; `bias_rate` moves a mixture's bias.

    Inputs of `seed` are the same for every layer, in the same order.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(layer.parameters(), lr=learning_rate)
    curve = []
    for _ in range(steps):
        x, y, _ = task.draw(BATCH, generator)
        with balance(layer) as routed:
            loss = nn.functional.mse_loss(layer(x), y)
        balanced = sum(balance_weight * balance_loss(logits, chosen) for logits, chosen in routed.calls)
        optimiser.zero_grad()
        (loss + balanced).backward()
        optimiser.step()
        if bias_rate and isinstance(layer, RoutedMLP):
            layer.bias = moved_bias(layer.bias, layer.choose(routed.calls[0][0].detach())[0], bias_rate)
        curve.append(float(loss.detach() / y.square().mean()))
    return _examined(layer, task, tuple(curve))


@torch.no_grad()
def _examined(layer: nn.Module, task: Planted, curve: tuple[float, ...]) -> Fit:
    x, y, cluster = task.draw(EXAM, torch.Generator().manual_seed(10_000))
    wrong, size = (layer(x) - y).square().mean(dim=1), y.square().mean(dim=1)
    each = torch.stack([wrong[cluster == c].mean() / size[cluster == c].mean() for c in range(len(task.shares))])
    indices = layer.route(x)[0] if isinstance(layer, RoutedMLP) else None
    return Fit(float(wrong.mean() / size.mean()), each, cluster, indices, curve, layer)
