"""The number of threads PyTorch computes with, set for a while and put back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from labkit.measure.quota import processor_limit


@contextmanager
def torch_threads(count: int | None) -> Iterator[int]:
    """PyTorch on `count` threads (None: one a physical core), the number before restored whatever happens.

    Raises `ValueError` for a count below one.
    """
    import torch

    wanted = all_threads() if count is None else count
    if wanted < 1:
        raise ValueError(f"threads must be 1 or more, or None for all; got {count}.")
    before = torch.get_num_threads()
    torch.set_num_threads(wanted)
    try:
        yield wanted
    finally:
        torch.set_num_threads(before)


def all_threads() -> int:
    """One thread a physical core that this process may use: a second one on a core adds nothing to a matrix product."""
    import psutil

    usable = usable_processors()
    return max(1, min(usable, psutil.cpu_count(logical=False) or usable))


def usable_processors() -> int:
    """Logical processors this process may run on: fewer than the machine has under taskset, a batch system or a hub."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    allowed = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(allowed, processor_limit() or allowed)
