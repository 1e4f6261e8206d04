"""The GPU's patterns, run on the CPU with a clock that does not run: bytes and products are counted, not timed."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from labkit.measure.ceiling_cuda import LAUNCHES, _point, _products, measure_cuda
from labkit.measure.machines import machine


class UnitClock:
    """Every call takes one second."""

    name, resolution = "unit", 1.0

    def time(self, run, repeats):
        run()
        return float(repeats)


def test_patterns_move_the_bytes_they_count():
    size = 3 << 14
    point = _point(size, UnitClock(), device="cpu")
    assert (point.read, point.copy, point.triad, point.update) == (size, size, size, 2 * size)
    assert LAUNCHES > 1


@pytest.mark.parametrize(("capability", "bfloat16"), [("7.5", False), ("8.0", True), ("12.0", True)])
def test_bfloat16_only_where_the_hardware_has_it(capability, bfloat16):
    assert ("bfloat16" in _products(capability, "cpu")) == bfloat16


def test_products_are_products():
    for dtype, product in _products("9.0", "cpu").items():
        out = product(32)()
        assert torch.equal(out.double(), torch.full((32, 32), 32.0, dtype=torch.float64)), dtype


def test_without_a_gpu_it_is_blocked():
    with pytest.raises(ValueError, match="blocked"):
        measure_cuda(dataclasses.replace(machine(), gpu=None))
