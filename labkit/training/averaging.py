"""The mean of the weights along the way: what small batches threw to and fro comes to rest in it.

With few rows a batch, weights circle around a good place that none of them is in. Their running mean is nearer to it
(Polyak and Juditsky, 1992; Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018,
arXiv 1803.05407). It stands in the optimiser's state, so a checkpoint holds it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

DECAY = 0.998
"""Of the mean, kept in each step; so it speaks of about the last 500."""
_KEY = "average"


@torch.no_grad()
def average(optimiser: torch.optim.Optimizer) -> None:
    """Moves the mean of each parameter towards what it is after a step; the first one is taken as it is."""
    for parameter, state in optimiser.state.items():
        if _KEY in state:
            state[_KEY].lerp_(parameter, 1 - DECAY)
        else:
            state[_KEY] = parameter.detach().clone()


@contextmanager
def averaged(optimiser: torch.optim.Optimizer) -> Iterator[None]:
    """Inside the block the model's weights are their means, where there are some, and afterwards what they were."""
    _swap(optimiser)
    try:
        yield
    finally:
        _swap(optimiser)


def settle(optimiser: torch.optim.Optimizer) -> None:
    """Leaves the model with the means for weights, and forgets what they were."""
    _swap(optimiser)
    for state in optimiser.state.values():
        state.pop(_KEY, None)


@torch.no_grad()
def _swap(optimiser: torch.optim.Optimizer) -> None:
    for parameter, state in optimiser.state.items():
        if _KEY in state:
            own = parameter.clone()
            parameter.copy_(state[_KEY])
            state[_KEY].copy_(own)
