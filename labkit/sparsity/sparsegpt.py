"""SparseGPT: what a dropped weight did is made up for by the weights that come after it (arXiv 2301.00774).

Column after column, from the first input to the last. Dropping weight w_j costs w_j^2 / [H^-1]_jj of squared error,
and the best answer of all later weights is a step along row j of H^-1, where H is the second moment of the inputs that
have not been passed yet. All those inverses are the rows of one matrix: the upper Cholesky factor of H^-1.

Work goes by blocks of columns: a block chooses its mask from the weights as they are when it begins, and later columns
hear of its errors in one matrix product. Not the authors' code: they prune down to a threshold in each block, here the
counts are exact.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.sparsity.masks import Mask, keep_largest, kept_count
from labkit.sparsity.scores import UNREACHED

BLOCK = 128
DAMPING = 0.01
"""Share of the mean diagonal that is added to it, as the authors do: it makes a singular second moment invertible."""


def sparsegpt(
    weight: Float[Tensor, "out in"],
    second_moment: Float[Tensor, "in in"],
    density: float = 0.5,
    n_of_m: tuple[int, int] | None = None,
    block: int = BLOCK,
    damping: float = DAMPING,
) -> tuple[Float[Tensor, "out in"], Mask]:
    """The pruned and compensated weight, in the dtype of `weight`, and what was kept. `n_of_m` overrides `density`.

    `second_moment` is the sum of x x^T over calibration tokens (`labkit.models.capture`); its scale does not matter.
    An input that is always zero has weights worth nothing: they go first. Raises `ValueError` for a layer that no token
    reached, a second moment that is singular even with the damping, and shapes that N:M or a block cannot divide.
    """
    _check(weight, second_moment, n_of_m, block)
    work = weight.detach().to(torch.promote_types(weight.dtype, second_moment.dtype)).clone()
    factor = inverse_factor(second_moment, damping)
    worth = torch.where(second_moment.diagonal() > 0, factor.diagonal() ** -2, 0.0)
    mask = torch.ones_like(work, dtype=torch.bool)
    for start in range(0, work.shape[1], block):
        columns = slice(start, min(start + block, work.shape[1]))
        if n_of_m is None:
            count = kept_count(work.shape[0] * columns.stop, density) - kept_count(work.shape[0] * start, density)
            scores = (work[:, columns] ** 2 * worth[columns]).flatten()
            mask[:, columns] = keep_largest(scores, count).view(len(work), -1)
        errors = _through_block(work[:, columns], mask[:, columns], factor[columns, columns], worth[columns], n_of_m)
        work[:, columns.stop :] -= errors @ factor[columns, columns.stop :]
    return (work * mask).to(weight.dtype), mask


def inverse_factor(second_moment: Float[Tensor, "in in"], damping: float) -> Float[Tensor, "in in"]:
    """Upper U with U^T U = (H + damping x mean diagonal)^-1; row j over U_jj is the first row of what remains at j.

    Calculated in float64, returned in the dtype it came in. Raises `ValueError` if H with its damping is singular.

    >>> inverse_factor(torch.tensor([[4.0, 0.0], [0.0, 16.0]]), damping=0.0).diagonal()
    tensor([0.5000, 0.2500])
    """
    H = second_moment.double().clone()
    diagonal = H.diagonal()  # a view
    lift = damping * diagonal.mean()
    diagonal[diagonal <= 0] = 1.0  # an input that is always zero: alone with itself
    diagonal += lift
    lower, failed = torch.linalg.cholesky_ex(H)
    smallest = lower.diagonal().min() ** 2
    if failed or not smallest > 10 * torch.finfo(second_moment.dtype).eps * diagonal.max():
        raise ValueError(
            f"The second moment of the inputs is singular at damping {damping}: some inputs repeat others. "
            "Raise the damping, or give more calibration tokens than the layer has inputs."
        )
    return torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True).to(second_moment.dtype)


def _through_block(work: Tensor, mask: Tensor, factor: Tensor, worth: Tensor, n_of_m: tuple[int, int] | None) -> Tensor:
    """Drop, column by column, and move the rest of the block; writes `work` and `mask`, returns errors over U_jj."""
    errors = torch.zeros_like(work)
    for j in range(work.shape[1]):
        if n_of_m is not None and j % n_of_m[1] == 0:
            group = slice(j, j + n_of_m[1])
            mask[:, group] = keep_largest(work[:, group] ** 2 * worth[group], n_of_m[0])
        errors[:, j] = torch.where(mask[:, j], 0.0, work[:, j]) / factor[j, j]
        work[:, j:] -= errors[:, j, None] * factor[j, j:]
    return errors


def _check(weight: Tensor, second_moment: Tensor, n_of_m: tuple[int, int] | None, block: int) -> None:
    inner = weight.shape[1]
    if second_moment.shape != (inner, inner):
        raise ValueError(f"Needed is a second moment of {inner} x {inner}; got {tuple(second_moment.shape)}.")
    if not second_moment.diagonal().any():
        raise ValueError(UNREACHED)
    if n_of_m is None:
        return
    n, m = n_of_m
    if m < 1 or not 0 <= n <= m or inner % m or block % m:
        raise ValueError(f"{n}:{m} needs n from 0 to m, and inputs ({inner}) and a block ({block}) that m divides.")
