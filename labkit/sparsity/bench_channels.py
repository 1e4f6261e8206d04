"""Half of the channels of a convolution network: arithmetic saved, time saved, and digits still read."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from labkit.measure.comparison import compare
from labkit.sparsity.bench_beside import ROUNDS
from labkit.sparsity.convnet import WIDTHS, ConvNet, best_channels, folded, keep_channels, multiplications
from labkit.sparsity.digits import Digits, accuracy, digits, train

EPOCHS, FINE_TUNING = 15, 8
BATCHES = (1, 16, 256)
"""Images at a time: with few of them every call costs more than its arithmetic, and half the channels save less."""
DENSITIES = (0.75, 0.5, 0.25)


def channels() -> list[dict[str, Any]]:
    """One row a density: multiplications and time of the whole network over those of the smaller one, and accuracy."""
    training, test = digits()
    torch.manual_seed(0)
    net = ConvNet(WIDTHS)
    train(net, training, EPOCHS)
    return [_row(net, density, training, test) for density in DENSITIES]


def _row(net: ConvNet, density: float, training: Digits, test: Digits) -> dict[str, Any]:
    smaller = keep_channels(net, best_channels(net, density))
    at_once = accuracy(smaller, test)
    train(smaller, training, FINE_TUNING)
    return {
        "density": density,
        "widths": list(smaller.widths),
        "multiplications saved": multiplications(net) / multiplications(smaller),
        "speed": [_speed(net, smaller, test.images[:batch]) for batch in BATCHES],
        "accuracy": {"whole": accuracy(net, test), "cut": at_once, "fine-tuned": accuracy(smaller, test)},
    }


def _speed(net: ConvNet, smaller: ConvNet, images: Tensor) -> dict[str, Any]:
    with torch.inference_mode():
        found = compare(folded(net), folded(smaller), images, check=None, rounds=ROUNDS, names=("whole", "pruned"))
    return {"images": len(images), "ratio": found.ratio, "interval": [found.low, found.high]}
