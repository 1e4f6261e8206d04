"""The bandwidth patterns touch what they say, and the best of many is taken: counted, never timed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.measure.bandwidth import Cell, best_time, measure_bandwidth, pattern, sliding_views, working_sets
from labkit.measure.ceiling_report import KINDS
from labkit.measure.peaks import CPU_PRODUCTS, measure_peaks


@given(elements=st.integers(1 << 14, 1 << 17), threads=st.integers(1, 5), arrays=st.sampled_from([1, 2, 3]))
@settings(max_examples=25, deadline=None)
def test_views_of_different_arrays_and_threads_share_no_element(elements, threads, arrays):
    views = sliding_views(torch.arange(elements, dtype=torch.float32), elements, threads, arrays)
    parts = [set(view[t].flatten().int().tolist()) for view in views for t in range(threads)]
    assert len(set().union(*parts)) == sum(len(part) for part in parts)
    assert sum(len(part) for part in parts) >= 0.9 * elements


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("kind", "reads", "writes"), [("read", 1, 0), ("copy", 1, 1), ("triad", 2, 1), ("update", 1, 1)]
)
def test_bytes_are_counted_once_an_array(kind, reads, writes, threads):
    buffer = torch.ones(1 << 15)
    run, moved = pattern(buffer, Cell(threads, 1 << 17, kind))
    out = run()
    if kind == "read":
        part = (1 << 15) // threads
        assert torch.equal(out, torch.full_like(out, part))  # every element summed in every pass
        assert moved == 4 * part * out.numel()
    else:
        assert moved == 4 * (reads + writes) * out.numel()


def test_triad_and_update_compute_what_they_name():
    buffer = torch.arange(1 << 15, dtype=torch.float32)
    a, b, c = (view.clone() for view in sliding_views(buffer, 1 << 15, 1, 3))
    run, _ = pattern(buffer, Cell(1, 1 << 17, "triad"))
    assert torch.equal(run(), b + 1.5 * c)
    assert not torch.equal(a, b + 1.5 * c)


class CountingClock:
    """The n-th call takes the n-th of the given times, the last for ever."""

    name, resolution = "counting", 1e-9

    def __init__(self, *times: float) -> None:
        self.times = list(times)

    def time(self, run, repeats):
        run()
        return self.times.pop(0) if len(self.times) > 1 else self.times[0]


def test_the_shortest_call_counts():
    assert best_time(lambda: None, CountingClock(5.0, 1.0, 3.0, 2.0), seconds=10.5) == 1.0


def test_a_disturbed_round_does_not_lower_the_curve():
    sizes, calls = [1 << 16], 2 * len(KINDS)  # two timed calls a cell
    quiet, _ = measure_bandwidth(sizes, [1], CountingClock(1e-3), seconds=0, rounds=3)
    noisy, spread = measure_bandwidth(sizes, [1], CountingClock(*[1e-2] * calls, 1e-3), seconds=0, rounds=3)
    assert noisy == quiet
    assert spread == 1.0
    _, spread = measure_bandwidth(sizes, [1], CountingClock(*[2e-3] * 2 * calls, 1e-3), seconds=0, rounds=3)
    assert spread == pytest.approx(2)


def test_rates_are_bytes_over_seconds():
    (point,), _ = measure_bandwidth([1 << 16], [1], CountingClock(1e-3), seconds=0)
    for kind in KINDS:
        _, moved = pattern(torch.ones(1 << 14), Cell(1, 1 << 16, kind))
        assert point.rate(kind) == pytest.approx(moved / 1e-3)
    assert point.rate("best") == max(point.rate(kind) for kind in KINDS)


@given(st.integers(1 << 27, 1 << 42), st.one_of(st.none(), st.integers(1 << 20, 1 << 31)))
def test_working_sets_pass_the_last_cache_and_leave_memory_alone(memory, cache):
    sizes = working_sets(memory, cache)
    assert sizes == sorted(sizes)
    assert sizes[-1] <= max(memory // 8, 1 << 20)
    if cache and 8 * cache <= min(4 << 30, memory // 8):
        assert sizes[-1] > 2 * cache


def test_peaks_take_the_best_operator_and_tell_what_is_blocked():
    def broken(n):
        raise RuntimeError("no kernel for this dtype\nwith a second line")

    products = {
        "float32": {"slow": lambda n: lambda: None, "broken": broken},
        "int8": {"broken": broken},
    }
    peaks, blocked = measure_peaks(products, [1], CountingClock(1e-2), seconds=0, longest=1e-2)
    (peak,) = peaks
    assert (peak.dtype, peak.operator, peak.flops) == ("float32", "slow", pytest.approx(2 * 128**3 / 1e-2))
    assert blocked == ["The int8 peak is blocked: broken: no kernel for this dtype."]


@pytest.mark.parametrize("dtype", CPU_PRODUCTS)
def test_one_operator_of_each_dtype_computes_the_product(dtype):
    n, computed = 128, []
    for product in CPU_PRODUCTS[dtype].values():
        try:
            computed.append(product(n)())
        except (RuntimeError, NotImplementedError):
            continue
    assert computed, f"no operator computes {dtype} products on this machine"
    for out in computed:
        assert torch.equal(out.double(), torch.full((n, n), float(n), dtype=torch.float64))
