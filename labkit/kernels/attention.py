"""Scaled dot-product attention with grouped queries (arXiv 1706.03762, 2305.13245).

Each key-value head serves heads/kv_heads query heads. With b rows, t queries, n keys, h heads of d elements of e bytes:

| variant               | bytes                                        | FLOPs     |
|-----------------------|----------------------------------------------|-----------|
| `attention_reference` | e b d (2 h t + 2 h n) + scores 4 b h t n x 6 | 4 b h t n d |
| `attention`           | e b d (2 h t + 2 kv_heads n), tiles on chip  | 4 b h t n d |

Causal masking does not lower the count: it is what the operator executes, and variants that skip tiles say so.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


def attention_reference(
    q: Float[Tensor, "batch heads seq head"],
    k: Float[Tensor, "batch kv_heads keys head"],
    v: Float[Tensor, "batch kv_heads keys head"],
    mask: Bool[Tensor, "batch 1 seq keys"] | None = None,
    causal: bool = False,
) -> Float[Tensor, "batch heads seq head"]:
    """softmax(q k^T / sqrt(head)) v, softmax in fp32. `mask` is True where a query may look.

    `causal` lets query i see keys 0..i and is for as many queries as keys; every query must see at least one key.

    >>> q, k = torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 2, 2)
    >>> attention_reference(q, k, v=torch.tensor([[[[1.0, 0.0], [3.0, 2.0]]]]))  # equal scores: the mean of the values
    tensor([[[[2., 1.]]]])
    """
    groups = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    scores = (q @ k.transpose(-1, -2)).float() / q.shape[-1] ** 0.5
    if causal:
        mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1).to(v.dtype) @ v


def attention(
    q: Float[Tensor, "batch heads seq head"],
    k: Float[Tensor, "batch kv_heads keys head"],
    v: Float[Tensor, "batch kv_heads keys head"],
    mask: Bool[Tensor, "batch 1 seq keys"] | None = None,
    causal: bool = False,
) -> Float[Tensor, "batch heads seq head"]:
    """The same by torch's fused operator."""
    grouped = q.shape[1] != k.shape[1]
    return scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=grouped)
