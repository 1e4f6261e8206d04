"""`trace()`: what a piece of PyTorch code executes, operator by operator, and what each of them costs here.

Not a profiler of Python and not a simulator: every operator really runs, is timed around the real call, and its FLOPs
and bytes come from its shapes (`labkit.measure.costs`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter_ns
from typing import Any

import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from labkit.measure.ceiling_report import Ceilings
from labkit.measure.modulepath import ModulePath
from labkit.measure.recorder import Recorder, Session
from labkit.measure.traced import Trace


@contextmanager
def trace(*, cold: bool = False, ceilings: Ceilings | None = None) -> Iterator[Trace]:
    """Record every operator that runs inside the block, forward and backward, in modules or outside.

    The block is taken as one turn of a loop: an operand first used in it counts as last used one turn ago, so weights
    that fit a cache are charged to that cache. `cold=True` charges first uses to memory instead. `ceilings` defaults to
    this machine's, measured when a share of the roofline is first asked for.

    Operators inside `torch.compile` run eagerly here, so that they can be seen. Threads started inside the block are
    recorded; threads that ran before it, such as those of a pool, cannot be seen. The trace is complete when the block
    has ended; if it ended by an exception, the trace holds what ran until then and says so.

    Raises `RuntimeError` inside another trace.

    >>> import torch
    >>> with trace() as t:
    ...     _ = torch.ones(2, 3) @ torch.ones(3, 4)
    >>> t.flops, [op.name for op in t.ops]
    (48, ['aten::ones', 'aten::ones', 'aten::mm'])
    """
    if any(isinstance(mode, Recorder) for mode in _get_current_dispatch_mode_stack()):
        raise RuntimeError("A trace is already recording here; end it before starting another.")
    on_cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    session = Session(ModulePath(), on_cuda)
    result = Trace(cold=cold, threads=torch.get_num_threads(), ceilings=ceilings)
    with ExitStack() as stack:
        stack.callback(_finish, session, result)
        result.notes.extend(_stay_eager(stack))
        stack.enter_context(session.modules)
        stack.enter_context(_new_threads(session))
        if on_cuda:
            torch.cuda.synchronize()
        stack.enter_context(Recorder(session))
        began = perf_counter_ns()
        try:
            yield result
        except BaseException as error:
            result.interrupted = f"{type(error).__name__}: {error}"
            raise
        finally:
            session.closed = True
            if on_cuda:
                torch.cuda.synchronize()
            result.wall_seconds = (perf_counter_ns() - began) * 1e-9


def _finish(session: Session, result: Trace) -> None:
    result.recording_seconds = (session.recording_ns + session.modules.spent_ns) * 1e-9
    result.absorb(session.calls, main_thread=session.thread)


def _stay_eager(stack: ExitStack) -> list[str]:
    """Compiled code shows a dispatch mode nothing, so it runs uncompiled while a trace looks on."""
    if "torch._dynamo" not in sys.modules:
        return []
    stack.enter_context(torch.compiler.set_stance("force_eager"))
    return ["What torch.compile had compiled ran uncompiled."]


@contextmanager
def _new_threads(session: Session) -> Iterator[None]:
    """Threads started from now on record too: a thread's first profile event pushes a recorder of its own."""
    before = threading.getprofile()

    def join(*_: Any) -> None:
        sys.setprofile(before)
        if not session.closed:
            Recorder(session).__enter__()

    threading.setprofile(join)
    try:
        yield
    finally:
        threading.setprofile(before)
