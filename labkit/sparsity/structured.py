"""Structured pruning of a decoder: whole heads, MLP channels or layers go, and what is left is a smaller dense model.

What must go together is the dependency group. An MLP channel is a row of gate, a row of up and a column of down. A head
of keys and values is its rows of k and v, the rows of all queries that share it, and their columns of o. No mask stays
behind: fewer bytes, fewer FLOPs, no special kernel. A config has one size for all layers, so every layer keeps as many.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder
from labkit.models.walk import linears

Kept = Int[Tensor, " kept"]


@torch.no_grad()
def keep_mlp_channels(model: Decoder, kept: Sequence[Kept]) -> Decoder:
    """A decoder whose MLP in layer n has only the inner channels `kept[n]`, as many in each.

    Raises `ValueError` for a mixture of experts, for layers that keep different numbers, and for channels that do not
    exist or come twice.
    """
    config = model.config
    if config.moe is not None:
        raise ValueError("Channels are pruned in dense MLPs; this model has experts: drop whole experts or layers.")
    width = _same_width(kept, config.num_layers, config.intermediate_size, "channels")
    rows, columns = {}, {}
    for site in linears(model, ("gate", "up", "down")):
        (columns if site.role == "down" else rows)[site.path] = kept[site.layer]
    return _shrunk(model, dataclasses.replace(config, intermediate_size=width), rows, columns)


@torch.no_grad()
def keep_heads(model: Decoder, kept: Sequence[Kept]) -> Decoder:
    """A decoder with only the heads `kept[n]` of keys and values in layer n, each with all queries that share it.

    The cache shrinks with them. Raises `ValueError` as `keep_mlp_channels` does, and for a model that normalises all
    heads at once, where the others would feel it.
    """
    config = model.config
    if config.qk_norm == "all":
        raise ValueError("This model normalises all heads together, so none can go alone; prune channels or layers.")
    count = _same_width(kept, config.num_layers, config.num_kv_heads, "heads of keys and values")
    sharing = config.num_heads // config.num_kv_heads
    rows, columns = {}, {}
    for site in linears(model, ("q", "k", "v", "o")):
        heads = kept[site.layer] if site.role in ("k", "v") else _spread(kept[site.layer], sharing)
        (columns if site.role == "o" else rows)[site.path] = _spread(heads, config.head_dim)
    return _shrunk(model, dataclasses.replace(config, num_heads=count * sharing, num_kv_heads=count), rows, columns)


@torch.no_grad()
def keep_layers(model: Decoder, kept: Sequence[int]) -> Decoder:
    """A decoder of these layers alone, in this order. Raises `ValueError` for a layer that is not there, or twice."""
    _check_places(torch.tensor(kept), model.config.num_layers, "layers")
    moe = model.config.moe
    if moe is not None:
        moe = dataclasses.replace(moe, layers=tuple(new for new, old in enumerate(kept) if old in moe.layers))
    state = {name: t for name, t in model.state_dict().items() if not name.startswith("layers.")}
    for new, old in enumerate(kept):
        state |= {f"layers.{new}.{name}": t for name, t in model.layers[old].state_dict().items()}
    return _filled(model, dataclasses.replace(model.config, num_layers=len(kept), moe=moe), state)


def _spread(blocks: Kept, size: int) -> Kept:
    """The places of whole blocks of `size`.

    >>> _spread(torch.tensor([0, 2]), 3).tolist()
    [0, 1, 2, 6, 7, 8]
    """
    return (blocks[:, None] * size + torch.arange(size, device=blocks.device)).flatten()


def _same_width(kept: Sequence[Kept], layers: int, available: int, what: str) -> int:
    if len(kept) != layers or len({len(k) for k in kept}) != 1:
        raise ValueError(f"Each of {layers} layers keeps the same number of {what}; got {[len(k) for k in kept]}.")
    for places in kept:
        _check_places(places, available, what)
    return len(kept[0])


def _check_places(places: Kept, available: int, what: str) -> None:
    if not len(places) or len(places.unique()) != len(places) or places.min() < 0 or places.max() >= available:
        raise ValueError(f"Kept are different {what} from 0 to {available - 1}, at least one; got {places.tolist()}.")


def _shrunk(model: Decoder, config: DecoderConfig, rows: Mapping[str, Kept], columns: Mapping[str, Kept]) -> Decoder:
    """Rows of some linear layers with their biases, columns of others, everything else as it is."""
    state = model.state_dict()
    for path, index in rows.items():
        for name in (f"{path}.weight", f"{path}.bias"):
            if name in state:
                state[name] = state[name][index]
    for path, index in columns.items():
        state[f"{path}.weight"] = state[f"{path}.weight"][:, index]
    return _filled(model, config, state)


def _filled(model: Decoder, config: DecoderConfig, state: Mapping[str, Tensor]) -> Decoder:
    if any(hasattr(module, "dequantize") for module in model.modules()):
        raise ValueError("Structured pruning takes plain weights: prune first, pack then.")
    smaller = Decoder(config).to(model.device, model.dtype).train(model.training)
    smaller.load_state_dict(state)
    return smaller
