"""The matrix peak of a CPU in float32, bfloat16 and int8, as PyTorch's operators deliver it here.

Nothing is assumed of a dtype: without AVX512-bf16 or AMX a bfloat16 product can be fifty times slower than a float32
one, and then that is its peak. float16 is left out on CPUs, where it can be a thousand times slower and no lab uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch

from labkit.measure.bandwidth import best_time
from labkit.measure.ceiling_report import Peak
from labkit.measure.clocks import Clock
from labkit.measure.threads import torch_threads

Product = Callable[[int], Callable[[], object]]
SMALLEST, LARGEST_SIDE = 128, 8192


def mm(dtype: torch.dtype, device: str = "cpu", transposed: bool = False) -> Product:
    def product(n: int) -> Callable[[], object]:
        a, b = (torch.ones(n, n, dtype=dtype, device=device) for _ in range(2))
        right, out = b.t() if transposed else b, torch.empty_like(a)
        return lambda: torch.mm(a, right, out=out)

    return product


def qlinear(n: int) -> Callable[[], object]:
    """u8 activations times s8 weights packed by oneDNN: the fastest int8 product of PyTorch on x86."""
    activations = torch.ones(n, n, dtype=torch.uint8)
    weight = torch.ops.onednn.qlinear_prepack(torch.ones(n, n, dtype=torch.int8).t(), [n, n])
    scales, zeros = torch.ones(n), torch.zeros(n, dtype=torch.int64)
    arguments = (activations, 1.0, 0, weight, scales, zeros, None, 1.0, 0, torch.float32, "none", [], "")
    return lambda: torch.ops.onednn.qlinear_pointwise(*arguments)


def int_mm(n: int, device: str = "cpu") -> Callable[[], object]:
    a, b = (torch.ones(n, n, dtype=torch.int8, device=device) for _ in range(2))
    return lambda: torch._int_mm(a, b)


CPU_PRODUCTS: dict[str, dict[str, Product]] = {
    "float32": {"mm": mm(torch.float32), "mm, weight as in a linear": mm(torch.float32, transposed=True)},
    "bfloat16": {"mm": mm(torch.bfloat16), "mm, weight as in a linear": mm(torch.bfloat16, transposed=True)},
    "int8": {"onednn.qlinear_pointwise": qlinear, "_int_mm": int_mm},
}


def measure_peaks(
    products: dict[str, dict[str, Product]],
    thread_counts: Sequence[int],
    clock: Clock,
    *,
    seconds: float = 0.04,
    longest: float = 0.08,
    watch: Callable[[Iterable], Iterable] = iter,
) -> tuple[list[Peak], list[str]]:
    """The best of each dtype's operators and sizes, and a sentence for each dtype that none of them could compute."""
    peaks, blocked = [], []
    for dtype, threads in watch([(d, t) for d in products for t in thread_counts]):
        found, refusals = [], []
        with torch_threads(threads):
            for operator, product in products[dtype].items():
                try:
                    found += [Peak(dtype, threads, *r, operator) for r in _rates(product, clock, seconds, longest)]
                except (RuntimeError, NotImplementedError, AttributeError) as error:
                    refusals.append(f"{operator}: {str(error).strip().splitlines()[0]}")
        if found:
            peaks.append(max(found, key=lambda peak: peak.flops))
        else:
            blocked.append(f"The {dtype} peak is blocked: {'; '.join(refusals)}.")
    return peaks, list(dict.fromkeys(blocked))


def _rates(
    product: Product, clock: Clock, seconds: float, longest: float
) -> Iterator[tuple[float, tuple[int, int, int]]]:
    """FLOP/s and shape for sides that double, until the next call would take longer than `longest` seconds."""
    n = SMALLEST
    while n <= LARGEST_SIDE:
        best = best_time(product(n), clock, seconds)
        yield 2 * n**3 / best, (n, n, n)
        if 8 * best > longest:
            return
        n *= 2
