"""What tracing itself costs, as far as a recorder cannot see it: getting from PyTorch's dispatcher to Python and back.

Without it, the time between operators would be blamed on the learner's Python: on a small model it is half of a trace.
"""

from __future__ import annotations

from time import perf_counter_ns

import torch
from torch.utils._python_dispatch import _disable_current_modes

from labkit.measure.modulepath import ModulePath
from labkit.measure.recorder import Recorder, Session

_CALLS, _ROUNDS = 32, 5


def unseen_seconds_per_call() -> float:
    """Wall time of one recorded call that is neither in the operator nor in the recorder's own account; about 5 ms.

    The best of a few rounds of a trivial operator, outside all other modes.
    """
    with _disable_current_modes(), torch.no_grad():
        scalar = torch.zeros(())
        return max(min(_round(scalar) for _ in range(_ROUNDS)), 0.0)


def _round(scalar: torch.Tensor) -> float:
    session = Session(ModulePath(), on_cuda=False)
    with Recorder(session):
        began = perf_counter_ns()
        for _ in range(_CALLS):
            scalar.neg()
        wall = perf_counter_ns() - began
    seen = session.recording_ns * 1e-9 + sum(call.seconds for call in session.calls)
    return (wall * 1e-9 - seen) / _CALLS
