"""Handwritten digits that come with scikit-learn, and the training of a small network on them.

1,797 images of 8 x 8 in 16 shades of grey (Alpaydin and Kaynak, 1998, UCI repository). Nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

BATCH = 64
TEST_SHARE = 5
"""One image in five is for the test, drawn at random by a fixed seed."""


@dataclass(frozen=True)
class Digits:
    """Images from 0 to 1, and what they show."""

    images: Float[Tensor, "count 1 8 8"]
    labels: Int[Tensor, " count"]

    def __len__(self) -> int:
        return len(self.labels)


def digits() -> tuple[Digits, Digits]:
    """Images to train on and images to test on. Raises `ImportError` where scikit-learn is not installed."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError("The digits come with scikit-learn, which is not installed: install it first.") from None
    loaded = load_digits()
    images = torch.from_numpy(loaded.images).float().unsqueeze(1) / 16
    labels = torch.from_numpy(loaded.target).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    parts = order[len(labels) // TEST_SHARE :], order[: len(labels) // TEST_SHARE]
    return tuple(Digits(images[part], labels[part]) for part in parts)


def train(net: nn.Module, data: Digits, epochs: int, learning_rate: float = 1e-3, seed: int = 0) -> list[float]:
    """Adam on the cross-entropy; trains `net` in place and returns the loss of every step, in nats."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(net.parameters(), lr=learning_rate)
    net.train()
    curve = []
    for _ in range(epochs):
        for batch in torch.randperm(len(data), generator=generator).split(BATCH):
            loss = nn.functional.cross_entropy(net(data.images[batch]), data.labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            curve.append(loss.item())
    net.eval()
    return curve


@torch.no_grad()
def accuracy(net: nn.Module, data: Digits) -> float:
    """The share of images that are read right; leaves the network in evaluation mode."""
    return float((net.eval()(data.images).argmax(dim=1) == data.labels).float().mean())
