"""From a router's logits to each token's experts and their weights: the variants in use, as one pure function.

| family               | scores  | weights                                       |
|----------------------|---------|-----------------------------------------------|
| Mixtral, Qwen3-MoE   | softmax | of the chosen, normalised to a sum of 1       |
| OLMoE, Switch        | softmax | of the chosen, as they are                    |
| DeepSeek-V3          | sigmoid | of the chosen, normalised, then times `scale` |

A `bias` takes part in the choice and not in the weights: that is how balancing without a loss steers the load
(`labkit.moe.bias`).
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Score = Literal["softmax", "sigmoid"]


def route(
    logits: Float[Tensor, "tokens experts"],
    chosen: int,
    score: Score = "softmax",
    bias: Float[Tensor, " experts"] | None = None,
    normalise: bool = True,
    scale: float = 1.0,
) -> tuple[Int[Tensor, "tokens chosen"], Float[Tensor, "tokens chosen"]]:
    """Each token's `chosen` best experts, best first, and their weights in fp32. Zero tokens give zero rows.

    Softmax: Mixtral (arXiv 2401.04088, section 2.1). Sigmoid with a bias: DeepSeek-V3 (arXiv 2412.19437, equations 13
    to 16). Raises `ValueError` for `chosen` outside 1 to experts, an unknown score, and logits that are not numbers:
    a token with NaN would go to some experts all the same, and nobody would notice.

    >>> route(torch.tensor([[0.0, 2.0, 1.0]]), chosen=2)
    (tensor([[1, 2]]), tensor([[0.7311, 0.2689]]))
    """
    experts = logits.shape[-1]
    if not 1 <= chosen <= experts:
        raise ValueError(f"A token goes to 1 to {experts} of {experts} experts; got {chosen}.")
    if torch.isnan(logits).any():
        raise ValueError("The router's logits hold NaN: the activations before it, or its weights, are broken.")
    scores = _scores(logits.float(), score)
    indices = (scores if bias is None else scores + bias).topk(chosen, dim=-1).indices
    weights = scores.gather(-1, indices)
    if normalise:
        weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    return indices, weights * scale


def _scores(logits: Tensor, score: str) -> Tensor:
    if score == "softmax":
        return logits.softmax(dim=-1)
    if score == "sigmoid":
        return logits.sigmoid()
    raise ValueError(f"A router scores by 'softmax' or 'sigmoid'; got {score!r}.")
