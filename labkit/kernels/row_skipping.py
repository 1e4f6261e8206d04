"""A linear layer that reads the weights of active inputs alone: activation sparsity that saves bytes, hence time.

An input that is zero adds nothing, so its weights need not be fetched. They lie side by side for that: the weight is
stored transposed, one row an *input*, and skipping an input skips a stretch of memory.

With m rows, k inputs of which a are active in at least one row, n outputs and weights of e bytes, the rest in fp32:

| variant                         | bytes                                  | FLOPs   |                             |
|---------------------------------|----------------------------------------|---------|-----------------------------|
| `row_skipping_linear_reference` | 4 (3 m a + m n) + (3 e + 8) a n + 8 a  | 2 m a n | gathers, widens, then torch |
| `row_skipping_linear`           | 4 (m a + m n) + e a n + 8 a            | 2 m a n | widens in registers (C)     |

Wins where weights come from memory, so at few rows and with large matrices. Loses where the rows together need nearly
all inputs (m rows of density d need 1 - (1 - d)^m of them, if independent), where a whole weight lies in a near cache,
and where n is so small that a row is no stretch worth skipping.
"""

from __future__ import annotations

import ctypes

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.kernels.native.building import native, typed
from labkit.kernels.packed_linear import PANEL, pack, unpack
from labkit.measure.costs import Cost, Part, TensorSpec, register_cost

InputRows = Float[Tensor, "in panels 16"]


def pack_inputs(weight: Float[Tensor, "out in"], dtype: torch.dtype = torch.bfloat16) -> InputRows:
    """The weight with one row an input, as fp32 or bf16. Raises `ValueError` for another dtype.

    Outputs stand in groups of 16, the last one padded with zeros; in bf16 in the order that `packed_linear` explains.

    >>> pack_inputs(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.float32)[:, 0, :2]
    tensor([[1., 3.],
            [2., 4.]])
    """
    return pack(weight, dtype).transpose(0, 1).contiguous()


def unpack_inputs(packed: InputRows, out: int) -> Float[Tensor, "out in"]:
    """The weight in its own order and dtype."""
    return unpack(packed.transpose(0, 1), out)


def active_inputs(x: Float[Tensor, "*rows in"]) -> Int[Tensor, " active"]:
    """The inputs that are not zero in at least one row, in rising order.

    >>> active_inputs(torch.tensor([[0.0, 0.0, 3.0, 0.0], [2.0, 0.0, 0.0, 0.0]]))
    tensor([0, 2])
    """
    rows = x.reshape(-1, x.shape[-1])
    return (rows[0] if len(rows) == 1 else rows.ne(0).any(dim=0)).nonzero().squeeze(1)


def row_skipping_linear_reference(
    x: Float[Tensor, "*rows in"],
    active: Int[Tensor, " active"],
    packed: InputRows,
    out: int,
    bias: Float[Tensor, " out"] | None = None,
) -> Float[Tensor, "*rows out"]:
    """x W^T + b over the `active` inputs alone, in the dtype of x; exact where all others are zero.

    >>> packed = pack_inputs(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    >>> row_skipping_linear_reference(torch.tensor([[0.0, 10.0]]), torch.tensor([1]), packed, out=2)
    tensor([[20., 40.]])
    """
    if len(active) and not 0 <= int(active.min()) <= int(active.max()) < x.shape[-1]:
        raise _outside(active, x.shape[-1])
    weight = unpack_inputs(packed[active], out).to(x.dtype)
    return torch.nn.functional.linear(x[..., active], weight, bias)


def row_skipping_linear(
    x: Float[Tensor, "*rows in"],
    active: Int[Tensor, " active"],
    packed: InputRows,
    out: int,
    bias: Float[Tensor, " out"] | None = None,
) -> Float[Tensor, "*rows out"]:
    """The same by `torch.ops.labkit.row_skipping_linear`; x and bias fp32. No gradient.

    Raises `ValueError` for a weight of other inputs than x has, `IndexError` for an active input that is not there.
    """
    return torch.ops.labkit.row_skipping_linear(x, active, packed, out, bias)


def _on_cpu(x: Tensor, active: Tensor, packed: Tensor, out: int, bias: Tensor | None = None) -> Tensor:
    library = native("row_skipping") if x.dtype == torch.float32 else None
    if library is None:
        return row_skipping_linear_reference(x, active, packed, out, bias)
    x, active = x.contiguous(), active.contiguous()
    inner = x.shape[-1]
    if inner != len(packed):
        raise ValueError(f"x has {inner} inputs, the packed weight {len(packed)}.")
    padded = packed.shape[1] * PANEL
    y = x.new_zeros((*x.shape[:-1], padded))
    outside = typed(library.labkit_row_skipping, pointers=4, longs=4, ints=2, result=ctypes.c_int)(
        *(y.data_ptr(), x.data_ptr(), active.data_ptr(), packed.data_ptr()),
        *(x.numel() // inner, inner, len(active), packed.shape[1], packed.itemsize, torch.get_num_threads()),
    )
    if outside:
        raise _outside(active, inner)
    y = y if padded == out else y[..., :out].contiguous()
    return y if bias is None else y + bias


def _outside(active: Tensor, inner: int) -> IndexError:
    return IndexError(f"Active inputs go from 0 to {inner - 1}; got {int(active.min())} to {int(active.max())}.")


def _cost(
    x: TensorSpec,
    active: TensorSpec,
    packed: TensorSpec,
    out_features: int,
    *rest: object,
    out: TensorSpec,
    **__: object,
) -> Cost:
    """The active inputs and their rows of weights; the bias where there is one."""
    rows, inner = x.numel // x.shape[-1], x.shape[-1]
    read = Part(packed, active.numel * packed.nbytes // inner)
    bias = [t for t in rest if isinstance(t, TensorSpec)]
    reads = [Part(x, rows * active.numel * x.itemsize), active, read, *bias]
    return Cost(2 * rows * active.numel * out.shape[-1], reads=reads)


_LIBRARY = torch.library.Library("labkit", "FRAGMENT")
_LIBRARY.define("row_skipping_linear(Tensor x, Tensor active, Tensor packed, int out, Tensor? bias=None) -> Tensor")
_LIBRARY.impl("row_skipping_linear", _on_cpu, "CPU")
_LIBRARY.impl("row_skipping_linear", row_skipping_linear_reference, "CUDA")
_LIBRARY.impl(
    "row_skipping_linear", lambda x, active, packed, out, bias=None: x.new_empty((*x.shape[:-1], out)), "Meta"
)
register_cost("labkit::row_skipping_linear", _cost)
