"""Which device and which dtype a model gets: what the machine has and what it is fast at."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import psutil
import torch

from labkit.models.errors import LoadError

_DTYPES = {
    "float32": torch.float32,
    "fp32": torch.float32,
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
    "float16": torch.float16,
    "fp16": torch.float16,
}


def choose_device(device: str | torch.device) -> torch.device:
    """ "auto" is the GPU with the most free memory, else the CPU. Raises `LoadError` for a device that is not there."""
    if str(device) == "auto":
        return _freest_gpu() if torch.cuda.is_available() else torch.device("cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise LoadError(f"device={device!r} is no device; say 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.") from None
    if chosen.type == "cpu":
        return torch.device("cpu")
    if chosen.type == "cuda":
        return _checked_gpu(chosen)
    if chosen.type == "mps" and torch.backends.mps.is_available():
        return chosen
    why = "it holds shapes but no weights" if chosen.type == "meta" else "this machine does not have it"
    raise LoadError(f"device={str(device)!r} cannot hold a model: {why}.")


def _freest_gpu() -> torch.device:
    free = [torch.cuda.mem_get_info(n)[0] for n in range(torch.cuda.device_count())]
    return torch.device("cuda", free.index(max(free)))


def _checked_gpu(device: torch.device) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (device.index or 0) >= count:
        have = f"{count} CUDA GPU{'s' * (count != 1)}" if count else "no CUDA GPU that torch can use"
        raise LoadError(f"device={str(device)!r} is not there: this machine has {have}. device='cpu' always works.")
    return torch.device("cuda", device.index or 0)


def choose_dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    """ "auto" is bf16 where the hardware has it and is fast at it, fp16 on older GPUs, fp32 elsewhere.

    Raises `LoadError` for an unknown name and for fp16 on a CPU.
    """
    if dtype == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
        return torch.bfloat16 if device.type == "cpu" and bf16_is_fast() else torch.float32
    chosen = dtype if isinstance(dtype, torch.dtype) else _DTYPES.get(str(dtype).removeprefix("torch."))
    if chosen not in _DTYPES.values():
        raise LoadError(f"dtype={dtype!r} is unknown; say 'auto', 'float32', 'bfloat16' or 'float16'.")
    if chosen == torch.float16 and device.type == "cpu":
        raise LoadError("dtype='float16' on a CPU can be a thousand times slower than 'float32'; say 'auto'.")
    return chosen


@cache
def bf16_is_fast() -> bool:
    """Whether a bf16 matrix product beats an fp32 one on this CPU: it has the instructions, and a trial says so."""
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    return _seconds(torch.bfloat16) < _seconds(torch.float32)


def _seconds(dtype: torch.dtype) -> float:
    a, b = torch.ones(64, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
    best = float("inf")
    for _ in range(5):  # the first is the warm-up; the best of the rest is the one least disturbed
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return best


def available_bytes(device: torch.device) -> int:
    """Memory a model may take on `device` now: free and reclaimable, within the limit of a container."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min([psutil.virtual_memory().available, *_container_bytes()])


def _container_bytes(group: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """What a Linux control group (version 2) leaves of its limit; nothing without one."""
    try:
        limit, used = (group / "memory.max").read_text().strip(), int((group / "memory.current").read_text())
        counts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return [] if limit == "max" else [max(int(limit) - used + int(counts["inactive_file"]), 0)]
    except (OSError, ValueError, KeyError):
        return []
