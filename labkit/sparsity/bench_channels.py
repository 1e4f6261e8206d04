"""Half of the channels of a convolution network: arithmetic saved, time saved, and digits still read."""

from __future__ import annotations

from typing import Any

import torch

from labkit.measure.comparison import compare
from labkit.sparsity.bench_beside import ROUNDS
from labkit.sparsity.convnet import WIDTHS, ConvNet, best_channels, folded, keep_channels, multiplications
from labkit.sparsity.digits import Digits, accuracy, digits, train

EPOCHS, FINE_TUNING = 15, 8
BATCH = 64
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
    whole, fast, images = folded(net), folded(smaller), test.images[:BATCH]
    with torch.inference_mode():
        found = compare(whole, fast, images, check=None, rounds=ROUNDS, names=("whole", "pruned"))
    return {
        "density": density,
        "widths": list(smaller.widths),
        "multiplications saved": multiplications(net) / multiplications(smaller),
        "speed": {"ratio": found.ratio, "interval": [found.low, found.high]},
        "accuracy": {"whole": accuracy(net, test), "cut": at_once, "fine-tuned": accuracy(smaller, test)},
    }
