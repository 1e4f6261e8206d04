"""Sees every operator PyTorch executes, notes it in a few microseconds, and leaves the thinking for later.

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
from labkit.measure.modulepath import ModulePath
from labkit.measure.snapshot import Snapshots

_CPU = frozenset({"cpu"})


class Call(NamedTuple):
    """One executed operator; `seconds` is None where no clock is right (meta, fake), two CUDA events until read."""

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
        self.snapshots = Snapshots()
        self.calls: list[Call] = []
        self.thread = get_ident()
        self.recording_ns = 0
        self.closed = False
        self._owner_of_node: dict[tuple[int, int], str] = {}

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
        if types and any(map(_unwraps_itself, types)):
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
        self._note(func, args, kwargs, out, (ended - started) * 1e-9, events)
        if get_ident() == session.thread:
            session.recording_ns += started - began + perf_counter_ns() - ended
        return out

    def _note(self, func: Any, args: tuple, kwargs: dict, out: Any, seconds: float, events: tuple | None) -> None:
        session, devices = self.session, set()
        take, keep = session.snapshots.take, name_of(func) in NEEDS_VALUES
        given = take(args, devices, keep)
        named = {k: take(v, devices, keep) for k, v in kwargs.items()} if kwargs else kwargs
        made = take(out, devices)
        time: Any = seconds if devices <= _CPU else None
        if events and "cuda" in devices and "fake" not in devices:
            time = events
        module, backward = session.place()
        session.calls.append(Call(func, given, named, made, time, module, backward, get_ident()))


def _unwraps_itself(kind: type) -> bool:
    return kind is not torch.Tensor and not issubclass(kind, FakeTensor | torch.nn.Parameter)


@cache
def _is_composite(func: Any) -> bool:
    if not isinstance(func, torch._ops.OpOverload):
        return False
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")


def _cuda_events() -> tuple[Any, Any]:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    return start, end
