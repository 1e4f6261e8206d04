"""Sees every operator PyTorch executes, notes it in a few microseconds, and leaves the thinking for later.

Composite operators (which reach a dispatch mode whole under `inference_mode`) are taken apart into what really runs,
and tensor subclasses are asked to unwrap themselves first, so that the work inside them is seen.
"""

from __future__ import annotations

from functools import cache
from itertools import count
from time import perf_counter_ns
from types import CodeType
from typing import Any, NamedTuple

import torch
from torch._C import DispatchKey
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode

from labkit.measure.costs.registry import NEEDS_VALUES, name_of
from labkit.measure.modulepath import ModulePath
from labkit.measure.snapshot import Snapshots

_CPU = frozenset({"cpu"})


class Call(NamedTuple):
    """One executed operator.

    `seconds` is None where no clock here is right (meta, fake, other devices), two CUDA events until they are read.
    """

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
        self.threads = count()
        self.recording_ns = 0
        self.closed = False
        self._owner_of_node: dict[tuple[int, int], str] = {}

    def place(self, thread: int) -> tuple[str, bool]:
        """Module path and whether this is a backward pass, whose nodes carry the number their forward call drew."""
        module = self.modules.current()
        if torch._C._current_graph_task_id() == -1:
            if module and torch.is_grad_enabled():
                self._owner_of_node.setdefault((thread, torch.autograd._get_sequence_nr() - 1), module)
            return module, False
        if module:
            return module, True
        node = torch._C._current_autograd_node()
        key = (thread, node._sequence_nr()) if node is not None else None
        return self._owner_of_node.get(key, ""), True


class Recorder(TorchDispatchMode):
    """The dispatch mode of one thread; the one that traces is number 0."""

    supports_higher_order_operators = True

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session, self.thread = session, next(session.threads)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # The default wraps each call so that the compiler leaves it alone, at 100 µs a call and an import of the
        # compiler. Marking the code once (`_hide_from_compiler`) does the same for nothing.
        return False

    def __torch_dispatch__(self, func: Any, types: tuple, args: tuple = (), kwargs: dict | None = None) -> Any:
        began = perf_counter_ns()
        session, kwargs = self.session, kwargs or {}
        if session.closed:
            return func(*args, **kwargs)
        if types and any(map(_unwraps_itself, types)):
            return NotImplemented
        if _is_composite(func) and not any(isinstance(a, torch.Tensor) and a.is_nested for a in args):
            with self:
                return func._op_dk(DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        events = _cuda_events() if session.on_cuda else None
        started = perf_counter_ns()
        out = func(*args, **kwargs)
        ended = perf_counter_ns()
        if events:
            events[1].record()
        self._note(func, args, kwargs, out, (ended - started) * 1e-9, events)
        if self.thread == 0:
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
        module, backward = session.place(self.thread)
        session.calls.append(Call(func, given, named, made, time, module, backward, self.thread))


def _hide_from_compiler(code: CodeType) -> None:
    compiler = torch._C._dynamo.eval_frame
    skip = compiler._FrameAction.SKIP
    compiler.set_code_exec_strategy(code, compiler._FrameExecStrategy(skip, skip))


_hide_from_compiler(Recorder.__torch_dispatch__.__code__)


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
