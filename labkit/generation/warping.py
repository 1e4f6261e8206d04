"""Ways to reshape the distribution of the next token, one small function each: logits in, logits out.

A token that is ruled out gets -inf. Results equal those of transformers' logits processors of the same names.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Logits = Float[Tensor, "places vocab"]

OUT = float("-inf")


def temperature(logits: Logits, value: float) -> Logits:
    """Divide by `value`: below 1 the likely tokens gain, above 1 the unlikely ones (Ackley et al., 1985).

    >>> temperature(torch.tensor([[2.0, 0.0]]), 0.5)
    tensor([[4., 0.]])
    """
    return logits / value


def top_k(logits: Logits, k: int) -> Logits:
    """Keep the `k` best tokens (Fan et al., 2018, arXiv 1805.04833), and any that tie with the last of them.

    >>> top_k(torch.tensor([[3.0, 1.0, 2.0]]), 2)
    tensor([[3., -inf, 2.]])
    """
    last = logits.topk(min(k, logits.shape[-1]), dim=-1).values[:, -1:]
    return logits.masked_fill(logits < last, OUT)


def top_p(logits: Logits, p: float) -> Logits:
    """Keep the fewest best tokens whose probabilities reach `p` (nucleus sampling, arXiv 1904.09751).

    >>> top_p(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.6).exp()  # 0.5 is not enough, 0.5 + 0.3 is
    tensor([[0.5000, 0.3000, 0.0000]])
    """
    ordered, tokens = logits.sort(dim=-1)
    tail = ordered.softmax(dim=-1).cumsum(dim=-1)  # the mass of each token and all less likely ones
    dropped = tail <= 1 - p
    dropped[:, -1] = False
    return logits.masked_fill(dropped.scatter(1, tokens, dropped), OUT)


def min_p(logits: Logits, p: float) -> Logits:
    """Keep the tokens at least `p` times as probable as the best one (arXiv 2407.01082).

    >>> min_p(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.5).exp()
    tensor([[0.5000, 0.3000, 0.0000]])
    """
    probabilities = logits.softmax(dim=-1)
    return logits.masked_fill(probabilities < p * probabilities.amax(dim=-1, keepdim=True), OUT)


def repetition_penalty(logits: Logits, contexts: Sequence[Sequence[int]], penalty: float) -> Logits:
    """Make every token of its context less likely: positive logits divided by `penalty`, others multiplied.

    Keskar et al., 2019 (arXiv 1909.05858, section 4.1).

    >>> repetition_penalty(torch.tensor([[2.0, -1.0, 5.0]]), [[0, 1, 1]], 2.0)
    tensor([[ 1., -2.,  5.]])
    """
    logits = logits.clone()
    for row, context in zip(logits, contexts, strict=True):
        seen = torch.tensor(sorted(set(context)), dtype=torch.long, device=logits.device)
        row[seen] = torch.where(row[seen] < 0, row[seen] * penalty, row[seen] / penalty)
    return logits
