"""Attention that starts out able to copy: heads that look a few places back, heads that find what stood there before.

To answer from a passage a model must find the place where the words of the question stand and carry on from there. Two
layers do it together: one tells each token what stood before it, the next looks for a token that was preceded by the
present one (induction heads, Olsson et al., 2022, arXiv 2209.11895). Left to chance they appear after a plateau that a
small machine cannot wait for; here they are written into the first weights, as Trockman and Kolter do for other heads
(arXiv 2305.09828), and training goes on from there. No weight is held fixed.

Measured on 1.3 M parameters with a rate of 2e-3, the same batches, one run each: after 1.1 M tokens of passages with
up to four facts 73 % of held-out answers were right, and 21 % from weights drawn at random. Surer heads, though much
better at copying before the first step, learned more slowly.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from labkit.models.decoder import Attention, Decoder

MATCHING_LAYERS = (1, 2)
"""Layers whose heads look for what stood before; layer 0 tells it to them."""
FAR = 256
"""Tokens: pairs of dimensions that turn by more than a radian over so many places say where, the others say what."""
TOLD, COPIED = 0.03, 0.05
"""How strongly the heads of layer 0 and the matching heads write into the stream, beside embeddings of 0.02."""


@torch.no_grad()
def able_to_copy(model: Decoder, generator: torch.Generator) -> None:
    """Writes the two kinds of heads over the attention weights of `model`; needs biases of queries and keys.

    The first head of key-value group k looks k + 1 places back, its next one further by the number of groups.
    """
    frequencies = model.rotary.frequencies.cpu()
    turning = frequencies * FAR > 1
    first = model.layers[0].attention
    _look_back(first, frequencies, turning, generator)
    for layer in MATCHING_LAYERS:
        if layer < len(model.layers):
            _match(model.layers[layer].attention, first, ~turning, generator)


def _look_back(
    attention: Attention, frequencies: Float[Tensor, " pairs"], turning: Bool[Tensor, " pairs"], generator
) -> None:
    """Queries and keys whose biases agree, after rotation, where the key stands so many places before the query."""
    groups, heads = _counts(attention)
    attention.q_proj.weight.mul_(0.5)
    attention.k_proj.weight.mul_(0.5)
    for group in range(groups):
        rows = _rows(attention, group)
        attention.k_proj.bias[rows] = torch.cat([turning.float(), torch.zeros(len(turning))])
        attention.v_proj.weight[rows] = _orthonormal(attention, generator)
        for nth in range(heads // groups):
            back = 1 + group + nth * groups
            rows = _rows(attention, group * (heads // groups) + nth)
            angle = -back * frequencies
            attention.q_proj.bias[rows] = torch.cat([angle.cos() * turning, angle.sin() * turning])
            attention.o_proj.weight[:, rows] = TOLD * _orthonormal(attention, generator).T


def _match(attention: Attention, first: Attention, still: Bool[Tensor, " pairs"], generator: torch.Generator) -> None:
    """Keys read what layer 0 wrote about the token before, queries what stands here; equal tokens agree.

    Only pairs that hardly turn over a passage take part, so that the distance does not matter. Values pass on what
    stands at the place that was found.
    """
    groups, heads = _counts(attention)
    attention.q_proj.bias.mul_(0.05)
    attention.k_proj.bias.mul_(0.05)
    kept = torch.cat([still, still]).float()[:, None]
    before = _rows(first, 0)  # the head of layer 0 that looks one place back
    for group in range(groups):
        rows = _rows(attention, group)
        attention.k_proj.weight[rows] = _scaled(first.o_proj.weight[:, before].T * kept)
        value = _orthonormal(attention, generator)
        attention.v_proj.weight[rows] = value
        for head in range(group * (heads // groups), (group + 1) * (heads // groups)):
            attention.q_proj.weight[_rows(attention, head)] = _scaled(first.v_proj.weight[before] * kept)
            attention.o_proj.weight[:, _rows(attention, head)] = COPIED * value.T


def _counts(attention: Attention) -> tuple[int, int]:
    """Key-value groups and query heads."""
    return attention.k_proj.out_features // attention.head_dim, attention.q_proj.out_features // attention.head_dim


def _rows(attention: Attention, head: int) -> slice:
    return slice(head * attention.head_dim, (head + 1) * attention.head_dim)


def _orthonormal(attention: Attention, generator: torch.Generator) -> Float[Tensor, "head hidden"]:
    """Random directions at right angles: a projection that keeps equal things equal and others apart."""
    drawn = torch.randn(attention.q_proj.in_features, attention.head_dim, generator=generator)
    return torch.linalg.qr(drawn)[0].T


def _scaled(weight: Tensor) -> Tensor:
    return weight * (0.06 / weight.std())
