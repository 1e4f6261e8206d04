"""What remains of a tensor once it has been recorded: shape, strides, dtype and the addresses it covers.

Not a tensor and not a reference to one: a trace must not keep alive what it looks at. Bytes are counted from here, by
one convention: **each distinct element once**. An expanded dimension (stride 0) counts once, two views of the same
memory count once, a packed weight counts what it really stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from math import prod
from typing import Any, NamedTuple

import torch

# A tensor without memory of its own (meta, fake, packed object) gets a place beyond every real address.
_NOWHERE = 64


class TensorSpec(NamedTuple):
    """Strides are in elements, `address` and `real_bytes` in bytes; `values` are kept for few small index tensors.

    `real_bytes` is set where strides do not tell the storage (weights packed by oneDNN); `understood` is false for
    layouts whose work cannot be read off a shape: sparse and nested.

    >>> rows = TensorSpec((3, 4), (4, 1), torch.float32, 4, 0)
    >>> rows.nbytes, rows._replace(stride=(0, 1)).nbytes
    (48, 16)
    """

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    itemsize: int
    address: int
    device: str = "cpu"
    real_bytes: int | None = None
    understood: bool = True
    values: tuple[int, ...] | None = None

    @property
    def numel(self) -> int:
        return prod(self.shape)

    @property
    def span(self) -> int:
        """Bytes from the first element to the end of the last."""
        return _extent(self.shape, self.stride).span * self.itemsize if self.real_bytes is None else self.real_bytes

    @property
    def nbytes(self) -> int:
        """Bytes of the distinct elements: stride 0 counts once, overlapping windows never exceed their span."""
        return _extent(self.shape, self.stride).distinct * self.itemsize if self.real_bytes is None else self.real_bytes


class Part(NamedTuple):
    """Some of the elements of a tensor, spread anywhere in it: the rows an embedding looks up."""

    spec: TensorSpec
    nbytes: int


class Packed(NamedTuple):
    """A weight inside an opaque object (`quantized::linear_dynamic`), as its own unpacking describes it."""

    type_name: str
    tensors: tuple[TensorSpec, ...]


class Region(NamedTuple):
    """Addresses touched by one operand: `nbytes` of the `span` bytes from `address` on; `scattered` for a `Part`."""

    address: int
    span: int
    nbytes: int
    scattered: bool = False


def spec_of(tensor: torch.Tensor, has_memory: bool = True) -> TensorSpec:
    """The spec of any tensor; never touches its data. `has_memory=False` for fake tensors."""
    dtype, itemsize = tensor.dtype, tensor.itemsize
    device = "cpu" if tensor.is_cpu else tensor.device.type
    if tensor.is_nested:
        return TensorSpec((), (), dtype, itemsize, 0, device, understood=False)
    shape = tensor.shape
    if tensor.layout is not torch.strided:
        return _spec_of_opaque(tensor, shape, dtype, itemsize, device)
    if has_memory and device != "meta":
        return TensorSpec(shape, tensor.stride(), dtype, itemsize, tensor.data_ptr(), device)
    address = (tensor.untyped_storage()._cdata << _NOWHERE) + tensor.storage_offset() * itemsize
    return TensorSpec(shape, tensor.stride(), dtype, itemsize, address, device)


@cache
def dtype_name(dtype: torch.dtype) -> str:
    """The name without its module, as in "float32"."""
    return str(dtype).removeprefix("torch.")


def nowhere(spec: TensorSpec, identity: int) -> TensorSpec:
    """The spec moved to addresses that only `identity` has."""
    return spec._replace(address=identity << _NOWHERE)


def specs_in(value: Any) -> list[TensorSpec]:
    """Every spec inside nested sequences, packed objects and parts included."""
    if isinstance(value, TensorSpec):
        return [value]
    if isinstance(value, Packed):
        return list(value.tensors)
    if isinstance(value, Part):
        return [value.spec]
    if isinstance(value, tuple | list):
        return [spec for item in value for spec in specs_in(item)]
    return []


def touched(operands: Sequence[TensorSpec | Part]) -> list[Region]:
    """The regions that operands of one operation touch, views of the same memory merged.

    Exact for equal, nested, transposed and side-by-side views; where views overlap only in part, an upper bound: never
    more than the sum of both, never more than the memory they span.
    """
    if not operands:
        return []
    parts = [o for o in operands if isinstance(o, Part)]
    wholes = {_canonical(o): o for o in operands if isinstance(o, TensorSpec) and o.nbytes}
    regions = [Region(p.spec.address, p.spec.span, min(p.nbytes, p.spec.nbytes), True) for p in dict.fromkeys(parts)]
    merged: list[Region] = []
    for spec in sorted(wholes.values(), key=lambda s: s.address):
        last = merged[-1] if merged else None
        if last and spec.address < last.address + last.span:
            span = max(last.span, spec.address + spec.span - last.address)
            merged[-1] = Region(last.address, span, min(last.nbytes + spec.nbytes, span))
        else:
            merged.append(Region(spec.address, spec.span, spec.nbytes))
    return merged + [r for r in regions if r.nbytes]


class _Extent(NamedTuple):
    """In elements: first to last, the distinct ones, and the (stride, size) pairs that walk them, in no order."""

    span: int
    distinct: int
    walks: tuple[tuple[int, int], ...]


@lru_cache(maxsize=4096)  # a model has few shapes and many calls
def _extent(shape: tuple[int, ...], stride: tuple[int, ...]) -> _Extent:
    if 0 in shape:
        return _Extent(0, 0, ())
    walks = tuple(sorted((s, n) for n, s in zip(shape, stride, strict=True) if s and n > 1))
    span = 1 + sum((n - 1) * s for s, n in walks)
    return _Extent(span, min(prod(n for _, n in walks), span), walks)


def _canonical(spec: TensorSpec) -> tuple:
    return spec.address, spec.itemsize, spec.real_bytes, _extent(spec.shape, spec.stride).walks


def _spec_of_opaque(tensor: torch.Tensor, shape: tuple, dtype: torch.dtype, itemsize: int, device: str) -> TensorSpec:
    stride = (0,) * len(shape)
    if tensor.layout is torch._mkldnn:
        address, real = torch.ops.mkldnn.data_ptr(tensor), torch.ops.mkldnn._nbytes(tensor)
        return TensorSpec(shape, stride, dtype, itemsize, address, device, real)
    return TensorSpec(shape, stride, dtype, itemsize, 0, device, understood=False)
