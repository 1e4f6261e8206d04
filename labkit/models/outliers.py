"""Outlier channels on request: the model computes the same, and its activations become hard to quantize.

Large models have a few channels of the residual stream whose normalised activations are tens of times larger than the
rest (arXiv 2208.07339); a small model trained for minutes has none. Scaling a channel of a norm up and the matching
input columns of its consumers down puts them there without changing the function. Say so wherever it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from labkit.models.decoder import Decoder
from labkit.models.walk import Site, linears, weight_of

_READS_ATTENTION_NORM = ("q", "k", "v")
_READS_MLP_NORM = ("gate", "up", "router")


@dataclass
class Outliers:
    """Injected outliers; `undo()` puts the very same bits back."""

    channels: tuple[int, ...]
    factor: float
    _before: list[tuple[Tensor, Tensor]]

    @torch.no_grad()
    def undo(self) -> None:
        """Restore every touched weight, bit for bit. A second call does nothing."""
        for weight, columns in self._before:
            weight[..., list(self.channels)] = columns
        self._before = []


@torch.no_grad()
def inject_outliers(model: Decoder, channels: Sequence[int], factor: float = 30.0) -> Outliers:
    """Make `channels` of what every attention and MLP reads `factor` times larger, and their weights as much smaller.

    Raises `ValueError` for a channel out of range or twice, a factor that is not positive, and a model with packed
    weights (inject first, quantize then).
    """
    _check(model, channels, factor)
    index, before = list(channels), []
    for n, block in enumerate(model.layers):
        mlp_readers = [s for s in linears(model, _READS_MLP_NORM) if s.layer == n]
        attention_readers = [s for s in linears(model, _READS_ATTENTION_NORM) if s.layer == n]
        for norm, readers in ((block.attention_norm, attention_readers), (block.mlp_norm, mlp_readers)):
            touched = [(norm.weight, factor), *((_weight(model, site), 1 / factor) for site in readers)]
            for weight, scale in touched:
                before.append((weight, weight[..., index].clone()))
                weight[..., index] *= scale
    return Outliers(tuple(channels), factor, before)


def _weight(model: Decoder, site: Site) -> Tensor:
    """A view that shares memory with the model, detached so that columns can be written."""
    return weight_of(model, site).detach()


def _check(model: Decoder, channels: Sequence[int], factor: float) -> None:
    hidden = model.config.hidden_size
    if len(set(channels)) != len(channels) or any(not 0 <= c < hidden for c in channels):
        raise ValueError(f"Channels must be different numbers from 0 to {hidden - 1}; got {list(channels)}.")
    if not factor > 0:
        raise ValueError(f"The factor must be positive; got {factor}.")
    packed = [m for m in model.modules() if hasattr(m, "dequantize")]
    if packed:
        raise ValueError("Outliers go into plain weights: inject first, quantize then.")
