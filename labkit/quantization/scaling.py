"""Scales of channels for a whole model: chosen layer by layer on calibration text, and folded into its weights.

AWQ and SmoothQuant are the same rewriting with another rule for the scales. It costs nothing when the model runs, and
the function stays what it was; rounding comes afterwards, and has an easier task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.models.capture import capture
from labkit.models.decoder import Decoder
from labkit.models.feeds import Feed, rescale
from labkit.models.walk import weight_of

KEPT = 2048
"""Input rows a layer that the scales are chosen on; more text is read past them."""

Choose = Callable[[Sequence[Float[Tensor, "_ in"]], Float[Tensor, "tokens in"]], Float[Tensor, " in"]]


@torch.no_grad()
def scale_channels(
    model: Decoder, batches: Iterable[Int[Tensor, "batch seq"]], feeds: Sequence[Feed], choose: Choose
) -> None:
    """Rescale each feed by `choose(weights of its readers, their inputs)`, in place.

    `choose` is `lambda weights, x: awq_scales(weights, x, fmt)`, with `norm_feeds` and `linear_feeds`; or
    `lambda weights, x: smoothing_scales(x.abs().amax(dim=0), weights)`, with `norm_feeds`. An expert that no token of
    the text reached keeps its scales. Raises `ValueError` where `choose` or `rescale` does.
    """
    seen = capture(model, batches, [feed.readers[0] for feed in feeds], keep=KEPT)
    for feed in feeds:
        inputs = seen[feed.readers[0].path].kept()
        if len(inputs):
            rescale(model, feed, choose([weight_of(model, site).detach() for site in feed.readers], inputs))
