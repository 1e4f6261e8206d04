"""Look-ups and scatters: only the selected elements move, not the table they stand in.

A row selected twice is counted twice, never more than the whole table: shapes do not tell which rows repeat. A boolean
mask counts the elements it selected where the result shows them, otherwise the whole table, an upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch

from labkit.measure.costs.cost import Cost, Rule
from labkit.measure.costs.spec import Part, TensorSpec


def lookup(table: TensorSpec, *rest: object, out: TensorSpec, **_: object) -> Cost:
    """`embedding`, `index`, `gather`, `index_select`, `take`: as many elements as the result has."""
    return Cost(0, reads=[Part(table, out.numel * table.itemsize), *_tensors(rest)])


def embedding_bag(table: TensorSpec, indices: TensorSpec, *rest: object, out: object, **_: object) -> Cost:
    """Rows are summed as they are read, so the indices and not the result tell how many."""
    rows = indices.numel * table.shape[-1] * table.itemsize
    return Cost(0, reads=[Part(table, rows), indices, *_tensors(rest)])


def put(
    table: TensorSpec,
    indices: Sequence[TensorSpec | None],
    values: TensorSpec,
    accumulate: bool = False,
    *_: object,
    **__: object,
) -> Cost:
    """`index_put_`: the selected elements are written, and read first if values accumulate."""
    selected = Part(table, _selected(table, indices) * table.itemsize)
    return Cost(0, reads=[values, *_tensors(indices), selected if accumulate else None], writes=[selected])


def scatter(table: TensorSpec, dim: int, index: TensorSpec, source: object = None, *_: object, **__: object) -> Cost:
    """`scatter_`: one element for each index."""
    written = Part(table, index.numel * table.itemsize)
    return Cost(0, reads=[index, _first(source, index)], writes=[written])


def scatter_reduce(
    table: TensorSpec, dim: int, index: TensorSpec, source: object = None, *_: object, **__: object
) -> Cost:
    """`scatter_add_`, `scatter_reduce_`: the old element is read as well."""
    changed = Part(table, index.numel * table.itemsize)
    return Cost(0, reads=[index, _first(source, index), changed], writes=[changed])


def rows(table: TensorSpec, dim: int, index: TensorSpec, source: object = None, *_: object, **__: object) -> Cost:
    """`index_copy_`, `index_fill_`: whole slices along `dim`."""
    written = Part(table, _rows(table, dim, index))
    return Cost(0, reads=[index, source if isinstance(source, TensorSpec) else None], writes=[written])


def rows_added(table: TensorSpec, dim: int, index: TensorSpec, source: TensorSpec, *_: object, **__: object) -> Cost:
    """`index_add_`: slices read, added to and written."""
    changed = Part(table, _rows(table, dim, index))
    return Cost(0, reads=[index, source, changed], writes=[changed])


def nll(scores: TensorSpec, target: TensorSpec, weight: TensorSpec | None = None, *_: object, **__: object) -> Cost:
    """`nll_loss_forward`: one score for each target."""
    return Cost(0, reads=[Part(scores, target.numel * scores.itemsize), target, weight])


def nll_backward(grad: TensorSpec, scores: TensorSpec, target: TensorSpec, *rest: object, **_: object) -> Cost:
    """The gradient is zero but for one element a target: scores are not read, the result is written whole."""
    return Cost(0, reads=[grad, target, *_tensors(rest)])


def _selected(table: TensorSpec, indices: Sequence[TensorSpec | None]) -> int:
    given = [i for i in indices if i is not None]
    if any(i.dtype in (torch.bool, torch.uint8) for i in given):
        return table.numel
    free = [n for d, n in enumerate(table.shape) if d >= len(indices) or indices[d] is None]
    return prod(torch.broadcast_shapes(*(i.shape for i in given))) * prod(free)


def _rows(table: TensorSpec, dim: int, index: TensorSpec) -> int:
    if not table.shape:
        return table.nbytes
    return table.numel // max(table.shape[dim], 1) * index.numel * table.itemsize


def _first(source: object, index: TensorSpec) -> Part | None:
    return Part(source, index.numel * source.itemsize) if isinstance(source, TensorSpec) else None


def _tensors(values: Sequence[object]) -> list:
    return [v for v in values if isinstance(v, TensorSpec | tuple | list)]


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        ("aten::embedding", "aten::index", "aten::_unsafe_index", "aten::gather", "aten::index_select", "aten::take"),
        lookup,
    ),
    **dict.fromkeys(("aten::_embedding_bag", "aten::_embedding_bag_forward_only"), embedding_bag),
    **dict.fromkeys(("aten::index_put_", "aten::_index_put_impl_"), put),
    "aten::scatter_": scatter,
    **dict.fromkeys(("aten::scatter_add_", "aten::scatter_reduce_"), scatter_reduce),
    **dict.fromkeys(("aten::index_copy_", "aten::index_fill_"), rows),
    "aten::index_add_": rows_added,
    **dict.fromkeys(("aten::nll_loss_forward", "aten::nll_loss2d_forward"), nll),
    **dict.fromkeys(("aten::nll_loss_backward", "aten::nll_loss2d_backward"), nll_backward),
}
