"""Sees every operator PyTorch executes, notes it in a few microseconds, and leaves the thinking for later.

Keeps no tensor alive: shapes, strides and addresses are taken at once, costs are worked out when the trace has ended.
Composite operators (which reach a dispatch mode whole under `inference_mode`) are taken apart into what really runs,
and tensor subclasses are asked to unwrap themselves first, so that the work inside them is seen.
"""

from __future__ import annotations

from functools import cache
from threading import get_ident
from time import perf_counter_ns
from typing import Any, NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode

from labkit.measure.costs.registry import NEEDS_VALUES, name_of
from labkit.measure.costs.spec import Packed, TensorSpec, nowhere, spec_of
from labkit.measure.modulepath import ModulePath

_MANY_VALUES = 4096
_PLAIN = frozenset({type(None), bool, int, float, complex, str, torch.dtype, torch.device})


class Call(NamedTuple):
    """One executed operator: `seconds` is None where no clock is right (meta, fake); a pair of CUDA events until read."""

    op: Any
    args: tuple
    kwargs: dict[str, Any]
    out: Any
    seconds: Any
    module: str
    backward: bool
    thread: int


class Session:
    """What all recorders of one trace share: the calls, the module path, the way from backward to forward."""

    def __init__(self, modules: ModulePath, on_cuda: bool) -> None:
        self.modules, self.on_cuda = modules, on_cuda
        self.calls: list[Call] = []
        self.thread = get_ident()
        self.recording_ns = 0
        self.closed = False
        self._owner_of_node: dict[tuple[int, int], str] = {}
        self._packed: dict[int, Packed] = {}

    def place(self) -> tuple[str, bool]:
        """Module path and whether this is a backward pass, whose nodes carry the number their forward call drew."""
        module = self.modules.current()
        if torch._C._current_graph_task_id() == -1:
            if module and torch.is_grad_enabled():
                self._owner_of_node.setdefault((get_ident(), torch.autograd._get_sequence_nr() - 1), module)
            return module, False
        if module:
            return module, True
        node = torch._C._current_autograd_node()
        key = (self.thread, node._sequence_nr()) if node is not None else None
        return self._owner_of_node.get(key, ""), True

    def freeze(self, value: Any, has_memory: bool, keep_values: bool = False) -> Any:
        """`value` with every tensor replaced by its spec."""
        if isinstance(value, torch.Tensor):
            spec = spec_of(value, has_memory)
            if keep_values and value.ndim == 1 and _readable(value, spec, has_memory):
                spec = spec._replace(values=tuple(value.tolist()))
            return spec
        if isinstance(value, list | tuple):
            return tuple([self.freeze(v, has_memory, keep_values) for v in value])
        if isinstance(value, torch.ScriptObject):
            return self._unpack(value)
        return (
            value if value is None or isinstance(value, int | float | complex | str | torch.dtype) else str(type(value))
        )

    def _unpack(self, packed: torch.ScriptObject) -> Packed:
        """Unpacks once a trace: it copies the weight."""
        identity = hash(packed)
        if identity not in self._packed:
            kind = packed._type().qualified_name() if hasattr(packed._type(), "qualified_name") else str(packed._type())
            inside = packed.unpack() if packed._has_method("unpack") else ()
            tensors = [t for t in (inside if isinstance(inside, tuple) else (inside,)) if isinstance(t, torch.Tensor)]
            specs = [nowhere(spec_of(t), 2 * identity + i) for i, t in enumerate(tensors)]
            self._packed[identity] = Packed(kind, tuple(specs))
        return self._packed[identity]


class Recorder(TorchDispatchMode):
    """The dispatch mode of one thread."""

    supports_higher_order_operators = True

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # The default wraps each call so that a compiler leaves it alone, at 100 µs a call and the import of the
        # compiler. A trace asks for eager execution instead.
        return False

    def __torch_dispatch__(self, func: Any, types: tuple, args: tuple = (), kwargs: dict | None = None) -> Any:
        began = perf_counter_ns()
        session, kwargs = self.session, kwargs or {}
        if session.closed:
            return func(*args, **kwargs)
        fake = any(issubclass(t, FakeTensor) for t in types)
        if types and any(t is not torch.Tensor and not issubclass(t, FakeTensor | torch.nn.Parameter) for t in types):
            return NotImplemented
        if _is_composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        events = _cuda_events() if session.on_cuda else None
        started = perf_counter_ns()
        out = func(*args, **kwargs)
        ended = perf_counter_ns()
        if events:
            events[1].record()
        self._note(func, args, kwargs, out, (ended - started) * 1e-9, events, fake)
        if get_ident() == session.thread:
            session.recording_ns += started - began + perf_counter_ns() - ended
        return out

    def _note(
        self, func: Any, args: tuple, kwargs: dict, out: Any, seconds: float, events: tuple | None, fake: bool
    ) -> None:
        session = self.session
        keep = name_of(func) in NEEDS_VALUES
        frozen_args = session.freeze(args, not fake, keep)
        frozen_kwargs = {k: session.freeze(v, not fake, keep) for k, v in kwargs.items()} if kwargs else kwargs
        frozen_out = session.freeze(out, not fake or not isinstance(out, FakeTensor))
        devices = _devices((frozen_args, tuple(frozen_kwargs.values()), frozen_out))
        time: Any = seconds if not fake and devices <= {"cpu"} else None
        if events and "cuda" in devices and not fake:
            time = events
        module, backward = session.place()
        session.calls.append(Call(func, frozen_args, frozen_kwargs, frozen_out, time, module, backward, get_ident()))


@cache
def _is_composite(func: Any) -> bool:
    if not isinstance(func, torch._ops.OpOverload):
        return False
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")


def _readable(tensor: torch.Tensor, spec: TensorSpec, has_memory: bool) -> bool:
    return has_memory and spec.device == "cpu" and spec.numel <= _MANY_VALUES and not tensor.dtype.is_floating_point


def _devices(frozen: Any) -> set[str]:
    if isinstance(frozen, TensorSpec):
        return {frozen.device}
    if isinstance(frozen, tuple) and not isinstance(frozen, Packed):
        return set().union(*map(_devices, frozen)) if frozen else set()
    return set()


def _cuda_events() -> tuple[Any, Any]:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    return start, end
