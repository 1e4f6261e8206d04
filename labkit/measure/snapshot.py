"""The arguments of a call as they were, without the tensors: shapes, strides, addresses and plain values.

An argument may be changed or freed as soon as its operator has run, so a trace looks at once and keeps no reference.
"""

from __future__ import annotations

from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

from labkit.measure.costs.spec import Packed, nowhere, spec_of

_MANY_VALUES = 4096
_PLAIN = frozenset({type(None), bool, int, float, complex, str, torch.dtype, torch.device})


class Snapshots:
    """Takes snapshots, and remembers what it unpacked: reading an opaque packed weight copies it, so once is enough."""

    def __init__(self) -> None:
        self._packed: dict[int, Packed] = {}

    def take(self, value: Any, devices: set[str], keep_values: bool = False) -> Any:
        """`value` with every tensor replaced by its spec; adds the devices met to `devices` ("fake" for fake tensors).

        `keep_values` keeps the content of small index vectors on the CPU.
        """
        if type(value) in _PLAIN:
            return value
        if isinstance(value, torch.Tensor):
            return self._take_tensor(value, devices, keep_values)
        if isinstance(value, list | tuple):
            return tuple([self.take(v, devices, keep_values) for v in value])
        if isinstance(value, torch.ScriptObject):
            return self._unpack(value)
        return type(value).__name__

    def _take_tensor(self, tensor: torch.Tensor, devices: set[str], keep_values: bool) -> Any:
        fake = isinstance(tensor, FakeTensor)
        spec = spec_of(tensor, has_memory=not fake)
        devices.add("fake" if fake else spec.device)
        readable = not fake and spec.device == "cpu" and tensor.ndim == 1 and not tensor.dtype.is_floating_point
        if keep_values and readable and tensor.numel() <= _MANY_VALUES:
            return spec._replace(values=tuple(tensor.tolist()))
        return spec

    def _unpack(self, packed: torch.ScriptObject) -> Packed:
        identity = hash(packed)
        if identity not in self._packed:
            inside = packed.unpack() if packed._has_method("unpack") else ()
            tensors = [t for t in (inside if isinstance(inside, tuple) else (inside,)) if isinstance(t, torch.Tensor)]
            specs = [nowhere(spec_of(t), 2 * identity + i) for i, t in enumerate(tensors)]
            self._packed[identity] = Packed(str(packed._type()), tuple(specs))
        return self._packed[identity]
