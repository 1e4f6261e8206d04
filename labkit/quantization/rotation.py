"""Turning the residual stream of a decoder: no channel of it stands out any more, and it computes the same.

RMSNorm without a gain divides by a length, and a rotation changes no length. So once each gain is folded into the
layers that read it, every writer to the stream can be turned by R and every reader turned back, for no cost at all
(SliceGPT, arXiv 2401.15024, theorem 1; QuaRot, arXiv 2404.00456). Outliers that lay in a channel, the gain's own
included, are spread over all of them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from labkit.models.decoder import Decoder
from labkit.models.feeds import multiply_readers, norm_feeds
from labkit.models.walk import linears, weight_of

READERS = ("q", "k", "v", "router", "gate", "up", "lm_head")
WRITERS = ("o", "down")


@torch.no_grad()
def fold_norm_gains(model: Decoder) -> None:
    """Multiply the gain of every norm of the stream into the layers that read it, and set it to 1, in place.

    A head that is tied to the embedding table is untied, since only one of them may be scaled: the model then holds
    that table twice.
    """
    untie(model)
    for feed in norm_feeds(model):
        (gain,) = feed.writers
        multiply_readers(model, feed, gain)
        gain.fill_(1)


@torch.no_grad()
def rotate(model: Decoder, rotation: Float[Tensor, "hidden hidden"]) -> None:
    """Turn the residual stream x to x R, in place; gains must be folded first.

    Raises `ValueError` for gains that are not 1, a matrix of another size, and one that is not orthogonal.
    """
    _check(rotation, model.config.hidden_size)
    if any((feed.writers[0] != 1).any() for feed in norm_feeds(model)):
        raise ValueError("A norm still has gains, and those do not turn: call `fold_norm_gains` first.")
    untie(model)
    turn = rotation.double().to(model.device)
    _set(model.embed_tokens.weight, model.embed_tokens.weight.double() @ turn)
    for site in linears(model, READERS):
        weight = weight_of(model, site)
        _set(weight, weight.double() @ turn)
    for site in linears(model, WRITERS):
        weight = weight_of(model, site)
        _set(weight, turn.T @ weight.double())
        bias = None if site.expert is not None else model.get_submodule(site.path).bias
        if bias is not None:
            _set(bias, bias.double() @ turn)


@torch.no_grad()
def rotate_values(model: Decoder, rotation: Float[Tensor, "head head"]) -> None:
    """Turn every head of values v to v R and turn it back in o, in place: what o reads has no outliers then either.

    Attention only mixes values of different tokens, channel by channel. Raises `ValueError` for a model that clips
    values, a matrix of another size, and one that is not orthogonal.
    """
    _check(rotation, model.config.head_dim)
    if model.config.clip_qkv is not None:
        raise ValueError("This model clips its values channel by channel, and a clip does not turn.")
    turn, head = rotation.double().to(model.device), model.config.head_dim
    for site in linears(model, ("v",)):
        layer = model.get_submodule(site.path)
        for tensor in (layer.weight, layer.bias):
            if tensor is not None:
                _set(tensor, (turn.T @ tensor.double().view(-1, head, tensor.numel() // layer.out_features)))
    for site in linears(model, ("o",)):
        weight = weight_of(model, site)
        _set(weight, weight.double().unflatten(1, (-1, head)) @ turn)


def untie(model: Decoder) -> None:
    """Give the head its own copy of the embedding table if it shares it."""
    if model.lm_head.weight is model.embed_tokens.weight:
        model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())


def _set(tensor: Tensor, value: Tensor) -> None:
    tensor.data.copy_(value.reshape(tensor.shape))


def _check(rotation: Tensor, size: int) -> None:
    if tuple(rotation.shape) != (size, size):
        raise ValueError(f"The rotation of this model is {size} x {size}; got {tuple(rotation.shape)}.")
    wide = rotation.double()
    if not torch.allclose(wide @ wide.T, torch.eye(size, dtype=wide.dtype, device=wide.device), atol=1e-4):
        raise ValueError("The matrix is not orthogonal, so it would change lengths: divide a Hadamard one by sqrt(n).")
