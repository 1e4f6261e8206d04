"""What a head, an MLP channel or a layer is worth, judged by what it adds to the residual stream on calibration text.

A channel with activation a_j adds a_j times column j of the matrix that writes to the stream. Over all tokens that is
the norm of its activation times the norm of its column: Wanda's score, summed over what goes together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cosine_similarity

from labkit.models.capture import Captured
from labkit.models.decoder import Decoder
from labkit.models.walk import linears, weight_of
from labkit.sparsity.masks import kept_count
from labkit.sparsity.scores import UNREACHED


def channel_scores(
    writer: Float[Tensor, "hidden in"], input_norm: Float[Tensor, " in"], group: int = 1
) -> Float[Tensor, " groups"]:
    """How much the inputs of a writing matrix add to the stream, `group` neighbours at a time (root of summed squares).

    Raises `ValueError` if no input was ever seen.

    >>> channel_scores(torch.tensor([[3.0, 1.0], [4.0, 0.0]]), torch.tensor([2.0, 3.0]))
    tensor([10.,  3.])
    """
    if not input_norm.any():
        raise ValueError(UNREACHED)
    each = writer.detach().norm(dim=0) * input_norm
    return each.unflatten(0, (-1, group)).norm(dim=1)


def mlp_channel_scores(model: Decoder, captured: Mapping[str, Captured]) -> list[Float[Tensor, " inner"]]:
    """For each layer, of its MLP's inner channels; `captured` holds the sites of role "down"."""
    return [channel_scores(weight_of(model, s), captured[s.path].input_norm) for s in linears(model, ("down",))]


def head_scores(model: Decoder, captured: Mapping[str, Captured]) -> list[Float[Tensor, " kv_heads"]]:
    """For each layer, of its heads of keys and values, queries that share one together; `captured` holds role "o"."""
    size = model.config.head_dim * model.config.num_heads // model.config.num_kv_heads
    return [channel_scores(weight_of(model, s), captured[s.path].input_norm, size) for s in linears(model, ("o",))]


def best_places(scores: Float[Tensor, " n"], density: float) -> Int[Tensor, " kept"]:
    """The places of the best, at least one, in rising order.

    >>> best_places(torch.tensor([5.0, 1.0, 7.0, 6.0]), density=0.5)
    tensor([2, 3])
    """
    count = max(kept_count(len(scores), density), 1)
    return scores.argsort(descending=True, stable=True)[:count].sort().values


@torch.no_grad()
def block_influence(model: Decoder, batches: Iterable[Int[Tensor, "batch seq"]]) -> Float[Tensor, " layers"]:
    """How far each layer turns its tokens: 1 - cosine of what goes in and what comes out, on average.

    A layer that hardly turns them can go (Block Influence of ShortGPT, arXiv 2403.03853, equation 1). Raises
    `ValueError` without any token.
    """
    sums, tokens = torch.zeros(len(model.layers)), 0

    def watch(n: int):
        def record(_: object, args: tuple[Tensor, ...], out: Tensor) -> None:
            sums[n] += (1 - cosine_similarity(args[0].float(), out.float(), dim=-1)).sum().cpu()

        return record

    hooks = [block.register_forward_hook(watch(n)) for n, block in enumerate(model.layers)]
    try:
        for batch in batches:
            model(batch.to(model.device))
            tokens += batch.numel()
    finally:
        for hook in hooks:
            hook.remove()
    if not tokens:
        raise ValueError("Without a token there is nothing to judge layers by.")
    return sums / tokens
