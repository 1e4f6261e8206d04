"""Peak memory: nested readers keep their own peaks, whoever sets the mark back."""

from __future__ import annotations

import mmap
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.measure import memory, peak_memory
from labkit.measure.highwater import HighWater, Sampler

MIB = 1 << 20


def touched(size):
    """Pages straight from the kernel: an allocator may hand out again what the process already holds."""
    pages = mmap.mmap(-1, size)
    pages[:: mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)
    return pages


class Level:
    """A level that moves, and the mark a kernel would keep of it."""

    def __init__(self):
        self.now = self.mark = 0

    def move(self, to):
        self.now, self.mark = to, max(self.mark, to)

    def reset(self):
        self.mark = self.now


@given(st.lists(st.one_of(st.integers(0, 1000), st.sampled_from(["open", "close"])), max_size=40))
def test_every_reader_gets_its_own_peak(steps):
    level = Level()
    mark = HighWater(lambda: level.mark, level.reset)
    readers = []  # token and the peak it should see
    for step in steps:
        if step == "open":
            readers.append([mark.open(), level.now])
        elif step == "close" and readers:
            token, expected = readers.pop(len(readers) // 2)
            assert mark.close(token) == expected
        elif isinstance(step, int):
            level.move(step)
            readers = [[token, max(peak, step)] for token, peak in readers]


def test_a_peak_that_is_gone_is_still_told():
    with peak_memory() as peak:
        block = touched(96 * MIB)
        del block
    assert peak.source in (memory.KERNEL, memory.SAMPLED)
    if peak.source == memory.KERNEL:
        assert 90 * MIB <= peak.increase_bytes <= 160 * MIB


def test_nested_blocks():
    with peak_memory() as outer:
        first = touched(96 * MIB)
        del first
        with peak_memory() as inner:
            second = touched(32 * MIB)
            del second
    if outer.source == memory.KERNEL:
        assert outer.increase_bytes >= 90 * MIB
        assert 28 * MIB <= inner.increase_bytes <= 80 * MIB


def test_where_the_kernel_refuses_a_thread_looks(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "SELF", tmp_path)
    with peak_memory() as peak:
        block = touched(64 * MIB)
    assert peak.source == memory.SAMPLED
    assert peak.peak_bytes >= peak.before_bytes + 60 * MIB
    assert len(block) == 64 * MIB


def test_the_sampler_sees_the_highest_look():
    looks, seen = iter([5, 9]), threading.Event()

    def look():
        value = next(looks, None)
        if value is None:
            seen.set()
        return value or 3

    sampler = Sampler(look, period=0.001)
    assert seen.wait(10)
    assert sampler.close() == 9


def failing_block():
    with peak_memory() as peak:
        failing_block.peak = peak
        raise KeyError


def test_an_exception_passes_through_and_the_result_is_filled():
    with pytest.raises(KeyError):
        failing_block()
    assert failing_block.peak.peak_bytes >= failing_block.peak.before_bytes > 0
    assert "process at the peak" in str(failing_block.peak)
