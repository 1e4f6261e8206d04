"""A small convolutional network, and what goes when its channels go.

With an output channel of a convolution go its gain, offset and statistics in the batch norm behind it, and the slice of
every next filter that reads it. Arithmetic falls with the product of channels in and out, so half of the channels leave
a quarter of it, all but in the first layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from labkit.sparsity.groups import keep_outputs
from labkit.sparsity.importance import best_places

Kept = Int[Tensor, " kept"]
WIDTHS = (64, 128, 128)
POOL_AFTER = 1
"""The convolution behind which the image is halved."""


class ConvNet(nn.Module):
    """Convolutions of 3 x 3 with batch norm, one pooling, the mean over places, and a linear layer."""

    def __init__(self, widths: Sequence[int] = WIDTHS, classes: int = 10) -> None:
        super().__init__()
        inputs = (1, *widths[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, 3, padding=1, bias=False) for i, o in zip(inputs, widths, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for o in widths)
        self.head = nn.Linear(widths[-1], classes)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each convolution."""
        return tuple(c.out_channels for c in self.convolutions)

    def forward(self, x: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch classes"]:
        for n, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = norm(convolution(x)).relu()
            if n == POOL_AFTER:
                x = nn.functional.max_pool2d(x, 2)
        return self.head(x.mean(dim=(2, 3)))


def filter_norms(net: ConvNet) -> list[Float[Tensor, " channels"]]:
    """The sum of absolute weights of each filter (Li et al., arXiv 1608.08710, section 3.1)."""
    return [c.weight.detach().abs().sum(dim=(1, 2, 3)) for c in net.convolutions]


def best_channels(net: ConvNet, density: float) -> list[Kept]:
    """The channels of each convolution with the largest filters."""
    return [best_places(scores, density) for scores in filter_norms(net)]


def keep_channels(net: ConvNet, kept: Sequence[Kept]) -> ConvNet:
    """A smaller network with only the channels `kept[n]` of convolution n; see `groups.keep_outputs`.

    Raises `ValueError` for a list of another length, or channels that are not there or come twice.

    >>> keep_channels(ConvNet((8, 8, 8)), [torch.arange(4)] * 3).widths
    (4, 4, 4)
    """
    if len(kept) != len(net.widths):
        raise ValueError(f"Needed are the kept channels of {len(net.widths)} convolutions; got {len(kept)}.")
    example = torch.zeros(1, 1, 8, 8, device=net.head.weight.device)
    return keep_outputs(net, example, {f"convolutions.{n}": places for n, places in enumerate(kept)})


def folded(net: ConvNet) -> ConvNet:
    """The network for inference: each norm folded into the convolution before it (arXiv 1712.05877, section 3.2).

    Channels lie side by side in memory, as convolutions and pooling on a CPU like it.
    """
    result = deepcopy(net).eval()
    for n, (convolution, norm) in enumerate(zip(result.convolutions, result.norms, strict=True)):
        result.convolutions[n], result.norms[n] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return result.to(memory_format=torch.channels_last)


def multiplications(net: ConvNet, side: int = 8) -> int:
    """Multiply-accumulates of one image of `side` x `side`, convolutions and head.

    >>> multiplications(ConvNet((2, 4, 4)), side=4)  # 16 x 9 x (1 x 2 + 2 x 4), then 4 x 9 x 4 x 4, then 4 x 10
    2056
    """
    places, count = side * side, 0
    for n, convolution in enumerate(net.convolutions):
        count += places * convolution.weight.numel()
        places = places // 4 if n == POOL_AFTER else places
    return count + net.head.weight.numel()
