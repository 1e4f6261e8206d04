"""A linear layer whose weight is held in compressed sparse rows (CSR): only the weights that are not zero, and where.

With m rows, k inputs, n outputs, z weights that are not zero of e bytes each, and indices of 4 bytes:

| variant                | bytes                                           | FLOPs   |                              |
|------------------------|-------------------------------------------------|---------|------------------------------|
| `csr_linear_reference` | e (m k + m n) + (e + 4) z + 4 (n + 1) + 2 e k n | 2 m k n | unpacks the weight, then torch |
| `csr_linear`           | e (m k + m n) + (e + 4) z + 4 (n + 1)           | 2 m z   | torch's own sparse product   |

An index is as large as an fp32 weight. So in fp32 the bytes are fewer than those of the dense weight below a density of
one half, in bf16 below one third; and because an input is fetched from wherever the index says, time follows later than
bytes do.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.measure.costs import Cost, TensorSpec, register_cost

INDEX = torch.int32
SUPPORTED = (torch.float32, torch.float64)
"""What torch's sparse product on a CPU multiplies; other dtypes go through the reference."""


class Csr(NamedTuple):
    """Row r has the weights `values[starts[r]:starts[r + 1]]`, which stand in `columns` of the same places."""

    starts: Int[Tensor, " out_and_one"]
    columns: Int[Tensor, " nonzero"]
    values: Float[Tensor, " nonzero"]

    @property
    def nbytes(self) -> int:
        return sum(t.nbytes for t in self)


def pack_csr(weight: Float[Tensor, "out in"]) -> Csr:
    """The weights that are not zero, row after row; rows without any are allowed.

    >>> pack_csr(torch.tensor([[0.0, 5.0, 0.0], [0.0, 0.0, 0.0], [7.0, 0.0, 8.0]])).columns
    tensor([1, 0, 2], dtype=torch.int32)
    """
    weight = weight.detach()
    rows, columns = weight.nonzero(as_tuple=True)
    starts = weight.new_zeros(len(weight) + 1, dtype=INDEX)
    starts[1:] = (weight != 0).sum(dim=1).cumsum(dim=0)
    return Csr(starts, columns.to(INDEX), weight[rows, columns])


def unpack_csr(packed: Csr, inner: int) -> Float[Tensor, "out in"]:
    """The dense weight with `inner` inputs."""
    counts = packed.starts.diff().long()
    rows = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    dense = packed.values.new_zeros(len(counts), inner)
    dense[rows, packed.columns.long()] = packed.values
    return dense


def check_csr(packed: Csr, inner: int) -> None:
    """Raises `ValueError` for rows or columns that are not there or out of order: the product trusts them unseen."""
    try:
        torch.sparse_csr_tensor(*packed, (len(packed.starts) - 1, inner), check_invariants=True)
    except RuntimeError as error:
        raise ValueError(f"These are no compressed rows of {inner} inputs: {error}") from None


def csr_linear_reference(
    x: Float[Tensor, "*rows in"],
    starts: Int[Tensor, " out_and_one"],
    columns: Int[Tensor, " nonzero"],
    values: Float[Tensor, " nonzero"],
    bias: Float[Tensor, " out"] | None = None,
) -> Float[Tensor, "*rows out"]:
    """x W^T + b, in the dtype of x.

    >>> csr_linear_reference(torch.tensor([[2.0, 3.0]]), *pack_csr(torch.tensor([[0.0, 5.0], [7.0, 0.0]])))
    tensor([[15., 14.]])
    """
    weight = unpack_csr(Csr(starts, columns, values), x.shape[-1])
    return torch.nn.functional.linear(x, weight.to(x.dtype), bias)


def csr_linear(
    x: Float[Tensor, "*rows in"], packed: Csr, bias: Float[Tensor, " out"] | None = None
) -> Float[Tensor, "*rows out"]:
    """The same by `torch.ops.labkit.csr_linear`. No gradient."""
    return torch.ops.labkit.csr_linear(x, *packed, bias)


def _on_cpu(x: Tensor, starts: Tensor, columns: Tensor, values: Tensor, bias: Tensor | None = None) -> Tensor:
    if x.dtype not in SUPPORTED or values.dtype != x.dtype or not x.numel():
        return csr_linear_reference(x, starts, columns, values, bias)
    weight = torch.sparse_csr_tensor(starts, columns, values, (len(starts) - 1, x.shape[-1]), check_invariants=False)
    rows = x.reshape(-1, x.shape[-1])
    y = (weight @ rows[0])[None] if len(rows) == 1 else (weight @ rows.T).T
    return (y if bias is None else y + bias).contiguous().view(*x.shape[:-1], -1)


def _cost(
    x: TensorSpec,
    starts: TensorSpec,
    columns: TensorSpec,
    values: TensorSpec,
    *_: object,
    out: TensorSpec,
    **__: object,
) -> Cost:
    return Cost(2 * (x.numel // x.shape[-1]) * values.numel)


with warnings.catch_warnings():  # torch says once a process that this layout is in beta: here, where nobody listens
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor([0, 1], [0], [1.0], (1, 1), check_invariants=False)

_LIBRARY = torch.library.Library("labkit", "FRAGMENT")
_LIBRARY.define("csr_linear(Tensor x, Tensor starts, Tensor columns, Tensor values, Tensor? bias=None) -> Tensor")
_LIBRARY.impl("csr_linear", _on_cpu, "CPU")
_LIBRARY.impl("csr_linear", csr_linear_reference, "CUDA")
_LIBRARY.impl(
    "csr_linear",
    lambda x, starts, columns, values, bias=None: x.new_empty((*x.shape[:-1], len(starts) - 1)),
    "Meta",
)
register_cost("labkit::csr_linear", _cost)
