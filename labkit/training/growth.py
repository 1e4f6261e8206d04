"""A trained small model as the beginning of a larger one that computes the same function.

Copying from a passage is learned many times faster by a model of a fraction of the cost, so the larger ones start from
it (Net2Net, Chen et al., 2015, arXiv 1511.05641; bert2BERT, Chen et al., 2021, arXiv 2110.07143). Every feature of the
stream, every head and every unit of the MLP is there twice; a matrix that reads something twice takes half of each,
plus a random part that cancels: [W/2 + N, W/2 - N]. So nothing changes at first, and yet no two copies get the same
gradient. A layer more is a copy of the one before that adds nothing to the stream yet (block expansion, Wu et al.,
2024, arXiv 2401.02415). Experts begin as copies of the MLP and a router that knows nothing (sparse upcycling,
Komatsuzaki et al., 2022, arXiv 2212.05055). Experts with half as many units as the MLP are its halves; a half and its
other half get the same row of the router, so that they are chosen together (virtual groups, He et al., 2024, arXiv
2410.07524).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from labkit.models.config import DecoderConfig
from labkit.models.decoder import MLP, Block, Decoder, MoE

ROUTER_STD = 0.02


@torch.no_grad()
def grow(small: Decoder, config: DecoderConfig, seed: int) -> Decoder:
    """A decoder of shape `config` with the logits of `small`, up to rounding.

    `config` is as wide as `small` or twice as wide, its layers at most twice as many less one, and its experts have as
    many units as the MLP of `small`, or as a shard of it if all shards can be chosen at once. Raises `ValueError` for
    other shapes.
    """
    times = config.hidden_size // small.config.hidden_size
    _require_shape(small.config, config, times)
    generator = torch.Generator().manual_seed(seed)
    grown = Decoder(config)
    grown.embed_tokens.weight.copy_(small.embed_tokens.weight.repeat(1, times))
    added = config.num_layers - small.config.num_layers
    sources = _sources(small.config.num_layers, added)
    for place, (new, source) in enumerate(zip(grown.layers, sources, strict=True)):
        _block(new, small.layers[source], times, generator)
        if place and sources[place - 1] == source:
            _silence(new)
    grown.norm.weight.copy_(small.norm.weight.repeat(times) / times)  # the tied head reads every feature that often
    return grown


def _require_shape(small: DecoderConfig, large: DecoderConfig, times: int) -> None:
    wanted = (small.hidden_size * times, small.num_heads * times, small.num_kv_heads * times)
    given = (large.hidden_size, large.num_heads, large.num_kv_heads)
    if large.moe:
        shards, rest = divmod(small.intermediate_size, large.moe.intermediate_size)
        fits = not rest and large.moe.num_experts_per_tok % shards == 0 == large.moe.num_experts % shards
    else:
        fits = large.intermediate_size == small.intermediate_size * times
    deep = small.num_layers <= large.num_layers < 2 * small.num_layers
    if times not in (1, 2) or given != wanted or not fits or not deep or not small.tie_word_embeddings:
        raise ValueError(f"{large} cannot grow from {small}.")


def _sources(layers: int, added: int) -> list[int]:
    """For each layer of the grown model the one it comes from; those added stand between the last ones.

    >>> _sources(layers=4, added=2)
    [0, 1, 1, 2, 2, 3]
    """
    doubled = range(layers - 1 - added, layers - 1)
    return [n for n in range(layers) for _ in range(2 if n in doubled else 1)]


def _block(new: Block, old: Block, times: int, generator: torch.Generator) -> None:
    new.attention_norm.weight.copy_(old.attention_norm.weight.repeat(times))
    new.mlp_norm.weight.copy_(old.mlp_norm.weight.repeat(times))
    new.attention.q_norm.weight.copy_(old.attention.q_norm.weight)
    new.attention.k_norm.weight.copy_(old.attention.k_norm.weight)
    for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
        _linear(getattr(new.attention, name), getattr(old.attention, name), times, generator)
    if isinstance(new.mlp, MoE):
        _experts(new.mlp, old.mlp, times, generator)
    else:
        for name in ("gate_proj", "up_proj", "down_proj"):
            _linear(getattr(new.mlp, name), getattr(old.mlp, name), times, generator)


def _silence(block: Block) -> None:
    """Nothing is written into the stream; what would be written is learned again."""
    block.attention.o_proj.weight.zero_()
    block.attention.o_proj.bias.zero_()
    (block.mlp.experts.down if isinstance(block.mlp, MoE) else block.mlp.down_proj.weight).zero_()


def _linear(new: nn.Linear, old: nn.Linear, times: int, generator: torch.Generator) -> None:
    new.weight.copy_(_reading_copies(old.weight.repeat(times, 1), times, generator))
    if old.bias is not None:
        new.bias.copy_(old.bias.repeat(times))


def _experts(new: MoE, old: MLP, times: int, generator: torch.Generator) -> None:
    shards = old.gate_proj.out_features // new.moe.intermediate_size
    rows = torch.randn(new.moe.num_experts // shards, new.router.in_features, generator=generator) * ROUTER_STD
    new.router.weight.copy_(rows.repeat_interleave(shards, dim=0))
    parts = zip(*(w.chunk(shards) for w in (old.gate_proj.weight, old.up_proj.weight)), strict=True)
    gate_up = [torch.cat(part) for part in parts]
    down = (old.down_proj.weight * shards).chunk(shards, dim=1)  # the shards of one group share its weight
    for expert in range(new.moe.num_experts):
        new.experts.gate_up[expert] = _reading_copies(gate_up[expert % shards], times, generator)
        new.experts.down[expert] = down[expert % shards].repeat(times, 1)


def _reading_copies(
    weight: Float[Tensor, "out inner"], times: int, generator: torch.Generator
) -> Float[Tensor, "out wide"]:
    """The same matrix for an input whose features stand there `times` times."""
    if times == 1:
        return weight
    noise = torch.randn(weight.shape, generator=generator) * weight.std() / 2
    return torch.cat([weight / 2 + noise, weight / 2 - noise], dim=1)
