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
from labkit.measure.tracecost import unseen_seconds_per_call
from labkit.measure.traced import Trace


@contextmanager
def trace(*, cold: bool = False, ceilings: Ceilings | None = None) -> Iterator[Trace]:
    """Record every operator that runs inside the block, forward and backward, in modules or outside.

    The block is taken as one turn of a loop: an operand first used in it counts as last used one turn ago, so weights
    that fit a cache are charged to that cache. `cold=True` charges first uses to memory instead. `ceilings` defaults to
    this machine's, measured when a share of the roofline is first asked for.

    What `torch.compile` made runs uncompiled here, so that its operators can be seen; code that insists on compiling
    itself (`fullgraph=True`) for the first time in this process cannot be traced. Threads started inside the block are
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
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
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
    seen = (session.recording_ns + session.modules.spent_ns) * 1e-9
    calls = sum(call.thread == 0 for call in session.calls)
    result.recording_seconds = min(seen + calls * unseen_seconds_per_call(), result.wall_seconds)
    if session.modules.met_compiled:
        result.notes.append(
            "Modules compiled by torch.compile ran uncompiled here, so that their operators could be seen."
        )
    result.absorb(session.calls)


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
