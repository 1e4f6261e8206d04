"""Who writes the channels that a linear layer reads, where nothing but products lies between the two.

Such a channel may be divided where it is written and multiplied where it is read, and the model computes the same: that
is how AWQ and SmoothQuant move scales, and how a norm's gain goes into the layers after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.models.decoder import Decoder, MoE
from labkit.models.walk import Site, linears, weight_of


@dataclass(frozen=True, eq=False)
class Feed:
    """`writers` are tensors whose first dimension is the channel (a gain; a weight and its bias), `readers` sites.

    All readers see the same inputs, those of `readers[0]`.
    """

    writers: tuple[Tensor, ...]
    readers: tuple[Site, ...]


def norm_feeds(model: Decoder) -> list[Feed]:
    """Each norm of the residual stream with the layers that read it, the last norm with the head."""
    feeds = []
    for n, block in enumerate(model.layers):
        sites = [site for site in linears(model) if site.layer == n]
        feeds.append(_of_norm(block.attention_norm, sites, ("q", "k", "v")))
        feeds.append(_of_norm(block.mlp_norm, sites, ("router", "gate", "up")))
    return [*feeds, _of_norm(model.norm, linears(model), ("lm_head",))]


def linear_feeds(model: Decoder) -> list[Feed]:
    """Each up projection with its down projection, and each v with its o where a head of values has one reader.

    Left out are values that several heads of queries share or that are clipped on the way.
    """
    feeds = [_of_linear(model, up, down) for up, down in _pairs(model, "up", "down")]
    if model.config.num_heads == model.config.num_kv_heads and model.config.clip_qkv is None:
        feeds += [_of_linear(model, v, o) for v, o in _pairs(model, "v", "o")]
    return feeds


@torch.no_grad()
def rescale(model: Decoder, feed: Feed, scales: Float[Tensor, " channels"]) -> None:
    """Divide the channels by `scales` where they are written, multiply where they are read; the function stays.

    Raises `ValueError` for scales that are 0 or not finite, and for a head that is tied to the embedding table.
    """
    if not (torch.isfinite(scales).all() and (scales != 0).all()):
        raise ValueError("A scale of a channel is 0, NaN or infinite, and nothing can be divided by that.")
    multiply_readers(model, feed, scales)
    for tensor in feed.writers:
        tensor.data.copy_(tensor.double() / scales.double().view(-1, *[1] * (tensor.dim() - 1)))


@torch.no_grad()
def multiply_readers(model: Decoder, feed: Feed, scales: Float[Tensor, " channels"]) -> None:
    """Multiply the columns of every reader; raises `ValueError` for a head that is tied to the embedding table."""
    if any(weight_of(model, site) is model.embed_tokens.weight for site in feed.readers):
        raise ValueError("The head is tied to the embedding table, which would change too: untie it first.")
    for site in feed.readers:
        weight = weight_of(model, site).data
        weight.copy_(weight.double() * scales.double())


def _of_norm(norm: torch.nn.Module, sites: list[Site], roles: tuple[str, ...]) -> Feed:
    return Feed((norm.weight,), tuple(site for site in sites if site.role in roles))


def _of_linear(model: Decoder, writer: Site, reader: Site) -> Feed:
    return Feed(tuple(t for t in (weight_of(model, writer), _bias_of(model, writer)) if t is not None), (reader,))


def _bias_of(model: Decoder, site: Site) -> Tensor | None:
    """Experts have none."""
    stacked = site.expert is not None and isinstance(model.layers[site.layer].mlp, MoE)
    return None if stacked else model.get_submodule(site.path).bias


def _pairs(model: Decoder, first: str, second: str) -> Iterator[tuple[Site, Site]]:
    return zip(linears(model, (first,)), linears(model, (second,)), strict=True)
