"""The ceilings of a CUDA GPU: the same four patterns and the matrix peaks, timed by CUDA events.

The launch of a kernel costs a few microseconds, so what a GPU's cache could do for very small tensors does not show
here; nor would it in a program that launches kernels one at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from labkit.measure.ceiling_report import KINDS, BandwidthPoint, Capacity, Ceilings, Peak
from labkit.measure.clocks import Clock, CudaClock
from labkit.measure.machines import Machine
from labkit.measure.peaks import int_mm, mm
from labkit.measure.progress import progress

SIDES = (2048, 4096, 8192)
LAUNCHES = 20


def measure_cuda(card: Machine, clock: Clock | None = None) -> Ceilings:
    """Measure the current CUDA device. Raises `ValueError` where there is none."""
    if card.gpu is None:
        raise ValueError("torch sees no CUDA device, so its ceilings are blocked; ask for device='cpu'.")
    clock = clock or CudaClock()
    free = torch.cuda.mem_get_info()[0]
    sizes = [1 << power for power in range(21, min(free // 4, 4 << 30).bit_length())]
    points = [_point(size, clock) for size in progress(sizes, "GPU bandwidth")]
    peaks, blocked = [], []
    for dtype, product in progress(_products(card.gpu.compute_capability).items(), "GPU matrix peaks"):
        try:
            rates = [(2 * n**3 / _best(product(n), clock), (n, n, n)) for n in SIDES]
            peaks.append(Peak(dtype, 1, *max(rates), "mm"))
        except RuntimeError as error:
            blocked.append(f"The {dtype} peak of the GPU is blocked: {str(error).strip().splitlines()[0]}.")
    l2 = card.gpu.l2_bytes
    cache = (Capacity(1, "L2", l2, l2 // 2),) if l2 else ()
    return Ceilings(
        device="cuda",
        name=card.gpu.name,
        fingerprint=card.fingerprint,
        threads=1,
        points=tuple(points),
        peaks=tuple(peaks),
        capacities=(*cache, Capacity(1, "memory", card.gpu.memory_bytes, sizes[-1])),
        quiet=True,
        quiet_note="Whether other programs used the GPU is not known.",
        blocked=tuple(blocked),
    )


def _point(size: int, clock: Clock, device: str = "cuda") -> BandwidthPoint:
    x = torch.ones(size // 4, device=device)
    (a, b), (p, q, r) = x.chunk(2), x[: x.numel() // 3 * 3].chunk(3)
    runs: dict[str, tuple[Callable[[], object], int]] = {
        "read": (x.sum, 4 * x.numel()),
        "copy": (lambda: a.copy_(b), 8 * a.numel()),
        "triad": (lambda: torch.add(q, r, alpha=1.5, out=p), 12 * p.numel()),
        "update": (x.neg_, 8 * x.numel()),
    }
    return BandwidthPoint(1, size, **{kind: runs[kind][1] / _best(runs[kind][0], clock) for kind in KINDS})


def _products(compute_capability: str, device: str = "cuda") -> dict[str, Callable[[int], Callable[[], object]]]:
    """float32 is measured as PyTorch computes it by default, without TF32; bfloat16 from capability 8.0 on."""
    found = {"float32": mm(torch.float32, device), "float16": mm(torch.float16, device)}
    if float(compute_capability) >= 8:
        found["bfloat16"] = mm(torch.bfloat16, device)
    return found | {"int8": partial(int_mm, device=device)}


def _best(run: Callable[[], object], clock: Clock, samples: int = 5) -> float:
    run()
    return min(clock.time(run, LAUNCHES) for _ in range(samples)) / LAUNCHES
