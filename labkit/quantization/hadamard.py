"""Rotations that spread an outlier evenly over all channels, and change no length and no product.

A Hadamard matrix has only 1 and -1 and orthogonal rows. Divided by sqrt(n) it is a rotation that sends one large
channel to n channels of 1/sqrt(n) of its size, which is as flat as it can get. Random signs make sure that no
structure of the weights happens to line up with it (QuIP#, arXiv 2402.04396; QuaRot, arXiv 2404.00456).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def hadamard(n: int) -> Float[Tensor, "n n"]:
    """A Hadamard matrix of order n: doubled (Sylvester) from one of order 1, or of order p + 1 (Paley).

    Paley's needs a prime p that leaves 3 when divided by 4: orders 4, 8, 12, 20, 24, 32, 44, ... times powers of two.
    Raises `ValueError` for an order that this does not reach.

    >>> hadamard(2)
    tensor([[ 1.,  1.],
            [ 1., -1.]])
    """
    if n == 1:
        return torch.ones(1, 1)
    if n > 0 and n % 2 == 0:
        if n & (n - 1) and _prime(n - 1) and n % 4 == 0:
            return _paley(n - 1)
        half = hadamard(n // 2)
        return torch.cat((torch.cat((half, half), dim=1), torch.cat((half, -half), dim=1)))
    raise ValueError(f"No Hadamard matrix of an order that comes down to {n}: use `random_rotation` of that size.")


def random_hadamard(n: int, generator: torch.Generator) -> Float[Tensor, "n n"]:
    """A rotation: Hadamard / sqrt(n) with a random sign for each input. Raises `ValueError` as `hadamard` does."""
    signs = torch.randint(0, 2, (n, 1), generator=generator) * 2.0 - 1
    return signs * hadamard(n) / n**0.5


def random_rotation(n: int, generator: torch.Generator) -> Float[Tensor, "n n"]:
    """A rotation drawn evenly from all of them, for sizes without a Hadamard matrix."""
    q, r = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    return (q * r.diagonal().sign()).float()


def _paley(p: int) -> Float[Tensor, "n n"]:
    """Order p + 1 from the squares modulo p: H = I + S, with S skew and bordered by ones."""
    squares = {x * x % p for x in range(1, p)}
    row = torch.tensor([0.0] + [1.0 if x in squares else -1.0 for x in range(1, p)])
    inner = torch.stack([row.roll(shift) for shift in range(p)])
    ones = torch.ones(1, p)
    skew = torch.cat((torch.cat((torch.zeros(1, 1), ones), dim=1), torch.cat((-ones.T, inner), dim=1)))
    return torch.eye(p + 1) + skew


def _prime(n: int) -> bool:
    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))
