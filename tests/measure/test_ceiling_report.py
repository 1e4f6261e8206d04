"""What a roofline asks of the ceilings: answers worked out by hand from a machine made up for it."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labkit.measure.ceiling_report import BandwidthPoint, Capacity, Ceilings, Peak


def point(threads, kib, read, update):
    return BandwidthPoint(threads, kib << 10, read=read, copy=1.0, triad=1.0, update=update)


MACHINE = Ceilings(
    device="cpu",
    name="Example",
    fingerprint="0",
    threads=4,
    points=(
        # At 64 KiB the start of four threads costs more than the work: the larger set is faster.
        *(point(1, 64, 100.0, 200.0), point(1, 1024, 50.0, 80.0), point(1, 16384, 10.0, 15.0)),
        *(point(4, 64, 90.0, 90.0), point(4, 1024, 180.0, 300.0), point(4, 16384, 20.0, 30.0)),
    ),
    peaks=(
        Peak("float32", 1, 70e9, (256, 256, 256), "mm"),
        Peak("float32", 4, 210e9, (512, 512, 512), "mm"),
        Peak("bfloat16", 1, 0.9e9, (128, 128, 128), "mm"),
    ),
    capacities=(
        *(Capacity(1, "L2", 128 << 10, 64 << 10), Capacity(1, "memory", 1 << 33, 16 << 20)),
        *(Capacity(4, "L2", 512 << 10, 64 << 10), Capacity(4, "memory", 1 << 33, 16 << 20)),
    ),
    quiet=True,
    quiet_note="Quiet.",
)


def test_measured_sizes_give_their_own_rate():
    assert MACHINE.bandwidth(1024 << 10, 1) == 80
    assert MACHINE.bandwidth(1024 << 10, 1, kind="read") == 50
    assert MACHINE.bandwidth(16384 << 10) == 30


def test_between_sizes_the_logarithm_decides():
    assert MACHINE.bandwidth(256 << 10, 1, kind="read") == pytest.approx(75)  # half way from 64 to 1024 KiB


def test_past_the_ends_the_ends_hold():
    assert MACHINE.bandwidth(0, 1) == MACHINE.bandwidth(1, 1) == 200
    assert MACHINE.bandwidth(1 << 50, 1) == 15


def test_the_start_of_an_operation_lowers_no_ceiling():
    assert MACHINE.bandwidth(64 << 10, 4) == 300


def test_some_threads_are_bound_by_both_ends():
    assert MACHINE.bandwidth(16384 << 10, 2) == 30  # twice one thread
    assert MACHINE.bandwidth(16384 << 10, 3) == 30  # all threads together have no more
    assert MACHINE.peak("float32", 2) == 140e9
    assert MACHINE.peak("float32", 64) == 210e9


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(1, 9), st.integers(1, 9))
def test_more_bytes_are_never_faster_and_more_threads_never_slower(a, b, few, many):
    (small, large), (few, many) = sorted((a, b)), sorted((few, many))
    assert MACHINE.bandwidth(small, few) >= MACHINE.bandwidth(large, few)
    assert MACHINE.bandwidth(small, few) <= MACHINE.bandwidth(small, many)


def test_peaks_take_torch_dtypes_and_know_what_was_not_measured():
    assert MACHINE.peak(torch.float32) == MACHINE.peak("float32", 4) == 210e9
    assert MACHINE.peak(torch.float32, 1) == 70e9
    assert MACHINE.peak(torch.float16) is None
    assert MACHINE.peak(torch.bfloat16, 1) == 0.9e9
    assert MACHINE.peak(torch.bfloat16) is None


def test_levels_belong_to_their_threads():
    assert [(level.name, level.capacity_bytes, level.bandwidth) for level in MACHINE.levels_at(1)] == [
        ("L2", 128 << 10, 200),
        ("memory", 1 << 33, 15),
    ]
    assert [level.bandwidth for level in MACHINE.levels_at(1, kind="read")] == [100, 10]
    assert [(level.name, level.bandwidth) for level in MACHINE.levels] == [("L2", 300), ("memory", 30)]


def test_a_gpu_has_no_thread_count():
    gpu = Ceilings(
        "cuda", "Example GPU", "0", 1, (point(1, 1024, 5.0, 7.0),), (), (Capacity(1, "memory", 1, 1),), True, ""
    )
    assert gpu.bandwidth(1, threads=16) == gpu.bandwidth(1) == 7
    assert "GPU" in gpu.table().columns


@pytest.mark.parametrize(("size", "threads"), [(-1, 1), (1, 0), (1, -2)])
def test_bad_questions(size, threads):
    with pytest.raises(ValueError, match=r"cannot have -1 bytes|threads must be 1 or more"):
        MACHINE.bandwidth(size, threads)


def test_table_and_json():
    assert json.loads(MACHINE.to_json())["points"][0]["update"] == 200
    text = str(MACHINE)
    assert "float32 matrix peak" in text
    assert "210 GFLOP/s" in text


def test_the_figure_tells_the_fall_in_words():
    assert "falls from 200 B/s to 15 B/s" in MACHINE.plot(threads=1).alt
    assert "on 4 threads" in MACHINE.plot().alt
    with pytest.raises(ValueError, match="got threads=3"):
        MACHINE.plot(threads=3)
