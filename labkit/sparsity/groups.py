"""Dependency groups: all that must lose a channel together, found by torch-pruning in any network.

A channel that goes takes along whatever is tied to it: the norm behind it, the slices of all layers that read it, the
same channel of a layer that is added to it. Which these are follows from the graph of a forward pass (DepGraph, arXiv
2301.12900).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, TypeVar

import torch
from jaxtyping import Int
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def dependency_group(net: nn.Module, example: Tensor, path: str) -> list[str]:
    """What loses a channel when the layer at `path` loses an output, as "path: how"; an output first, then inputs.

    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3))
    >>> dependency_group(net, torch.zeros(1, 1, 8, 8), "0")
    ['0: out_channels', '1: out_channels', '2: in_channels']
    """
    names = {module: name for name, module in net.named_modules()}
    members = [(item.dep.target.module, item.dep.handler) for item in _group(net, example, path, [0])]
    return [f"{names[m]}: {how.__name__.removeprefix('prune_')}" for m, how in members if m in names]


def keep_outputs(net: Network, example: Tensor, kept: Mapping[str, Int[Tensor, " kept"]]) -> Network:
    """A smaller copy of `net`: each layer named keeps only these of its outputs, and all that depends on them shrinks.

    `example` is an input for one forward pass. Raises `ValueError` for outputs that are not there or come twice,
    `ImportError` where torch-pruning is not installed.

    >>> net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> [tuple(p.shape) for p in keep_outputs(net, torch.zeros(1, 3), {"0": torch.tensor([1, 5])}).parameters()]
    [(2, 3), (2,), (2, 2), (2,)]
    """
    smaller = deepcopy(net)
    for path, places in kept.items():
        size = len(net.get_submodule(path).weight)
        if not len(places) or len(places.unique()) != len(places) or places.min() < 0 or places.max() >= size:
            raise ValueError(f"Kept are different channels from 0 to {size - 1}, at least one; got {places.tolist()}.")
        gone = sorted(set(range(size)) - set(places.tolist()))
        if gone:
            _group(smaller, example, path, gone).prune()
    return smaller


def _group(net: nn.Module, example: Tensor, path: str, gone: list[int]) -> Any:
    """torch-pruning's group for some outputs of a layer. It follows gradients, so they are switched on here."""
    try:
        import torch_pruning
    except ImportError:
        raise ImportError("Dependency groups are found by torch-pruning, which is not installed here.") from None
    layer = net.get_submodule(path)
    cut = (
        torch_pruning.prune_conv_out_channels
        if isinstance(layer, nn.Conv2d)
        else torch_pruning.prune_linear_out_channels
    )
    with torch.enable_grad():
        graph = torch_pruning.DependencyGraph().build_dependency(net, example, verbose=False)
    return graph.get_pruning_group(layer, cut, gone)
