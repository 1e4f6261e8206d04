"""`ceilings()`: what this machine can do at best, measured once and then remembered.

A share of a ceiling means nothing when the ceiling was copied from a data sheet. These are reached by PyTorch on the
machine in front of the learner, best of many, by working-set size: a small model lives in a cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from labkit.measure import ceiling_cache
from labkit.measure.ceiling_report import Ceilings
from labkit.measure.machines import Machine, machine

Measure = Callable[[Machine], Ceilings]


def ceilings(
    device: Literal["cpu", "cuda"] | None = None, *, refresh: bool = False, measure: Measure | None = None
) -> Ceilings:
    """The ceilings of "cpu" or "cuda" (None: the GPU where torch sees one), from the cache or measured in about 10 s.

    `refresh` measures even if a result is cached; `measure` replaces the instrument. Raises `ValueError` for a device
    of another name or one that is not here.
    """
    if device not in ("cpu", "cuda", None):
        raise ValueError(f"ceilings() knows the devices 'cpu' and 'cuda'; got {device!r}.")
    card = machine()
    chosen = device or ("cuda" if card.gpu else "cpu")
    path = ceiling_cache.cache_file(ceiling_cache.cache_folder(), card.fingerprint, chosen)
    if not refresh and (known := ceiling_cache.load(path)) is not None:
        return known
    found = (measure or _instrument(chosen))(card)
    ceiling_cache.save(path, found)
    return found


def _instrument(device: str) -> Measure:
    if device == "cuda":
        from labkit.measure.ceiling_cuda import measure_cuda

        return measure_cuda
    from labkit.measure.ceiling_cpu import measure_cpu

    return measure_cpu
