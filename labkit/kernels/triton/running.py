"""Whether kernels in Triton can run in this process."""

from __future__ import annotations

import sys
from functools import cache

OLDEST = 80
"""Compute capability 8.0 (Ampere): older GPUs have neither bf16 nor what Triton compiles for."""


@cache
def triton_runs() -> bool:
    """True with a GPU that Triton knows, or in its interpreter. If not, one line on stderr says why, the first time."""
    try:
        import triton

        if triton.knobs.runtime.interpret:
            return True
        # Starts the driver, for which Triton compiles a little C: what can be missing is missed here and not later.
        target = triton.runtime.driver.active.get_current_target()
    except Exception as error:  # whatever it is, the same is computed without
        return _refused(str(error).strip().partition("\n")[0] or type(error).__name__)
    if target.backend == "cuda" and target.arch < OLDEST:
        return _refused(f"this GPU has compute capability {target.arch / 10}, Triton needs {OLDEST / 10}.")
    return True


def _refused(reason: str) -> bool:
    print(f"labkit: kernels in Triton run as plain torch, which is slower: {reason}", file=sys.stderr)
    return False
