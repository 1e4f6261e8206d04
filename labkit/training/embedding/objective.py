"""InfoNCE: among the documents of a contrast, those that answer a question must be the most similar to it.

van den Oord et al., 2018 (arXiv 1807.03748, equation 4), with the other documents of the batch as negatives (Karpukhin
et al., 2020, arXiv 2004.04906, section 3.2) and the mean over several positives (Khosla et al., 2020, arXiv 2004.11362,
equation 2).
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def info_nce(
    similarity: Float[Tensor, "questions documents"],
    answered: Bool[Tensor, "questions documents"],
    temperature: float,
) -> Float[Tensor, ""]:
    """The loss in nats a question. Raises `ValueError` if a question has no document that answers it.

    >>> import torch
    >>> right = torch.tensor([[True, False]])
    >>> round(info_nce(torch.tensor([[1.0, 0.0]]), right, temperature=1.0).item(), 3)  # log(1 + 1/e)
    0.313
    """
    positives = answered.sum(dim=1)
    if not (positives > 0).all():
        raise ValueError("A question without an answer among the documents cannot be learned from.")
    log_share = (similarity / temperature).log_softmax(dim=1)
    return -(log_share.masked_fill(~answered, 0).sum(dim=1) / positives).mean()


def top_one(similarity: Float[Tensor, "questions documents"], answered: Bool[Tensor, "questions documents"]) -> float:
    """The share of questions whose most similar document answers them."""
    return answered.gather(1, similarity.argmax(dim=1, keepdim=True)).float().mean().item()
