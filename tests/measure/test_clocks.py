"""Clocks: what they see and what they do not, without asserting a time."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from labkit.measure.clocks import CudaClock, ThreadClock, WallClock, repeats_for, work_elsewhere
from labkit.measure.threads import all_threads, torch_threads
from tests.measure.virtual import VirtualClock


def test_each_clock_calls_as_often_as_told():
    for clock in (WallClock(), ThreadClock()):
        calls = []
        assert clock.time(lambda calls=calls: calls.append(1), 7) >= 0
        assert len(calls) == 7
        assert clock.resolution > 0


def test_thread_time_leaves_out_waiting():
    assert ThreadClock().time(lambda: time.sleep(0.05), 1) < 0.05 <= WallClock().time(lambda: time.sleep(0.05), 1)


def test_repeats_fill_the_sample():
    clock = VirtualClock()
    run = clock.work(3e-5)
    repeats = repeats_for(clock, run, 2e-3)
    assert 2e-3 <= clock.time(run, repeats) < 2e-2


def test_a_clock_that_stands_still_at_first_still_ends():
    class Coarse(VirtualClock):
        resolution = 0.015

        def time(self, run, repeats):
            return super().time(run, repeats) // 0.015 * 0.015

    clock = Coarse()
    assert repeats_for(clock, clock.work(1e-6), 2e-3) * 1e-6 >= 1.5 - 0.015


def test_work_in_other_threads_is_noticed():
    def hidden():
        thread = threading.Thread(target=sum, args=(range(300_000),))
        thread.start()
        thread.join()

    assert work_elsewhere(hidden, 0.05) > 0.5
    assert work_elsewhere(lambda: sum(range(300_000)), 0.05) < 0.5


@pytest.mark.skipif(torch.cuda.is_available(), reason="only without a GPU")
def test_a_cuda_clock_without_cuda_says_so():
    with pytest.raises(ValueError, match="torch sees none"):
        CudaClock()


def test_thread_count_is_put_back():
    before = torch.get_num_threads()

    def fail():
        with torch_threads(before + 1) as count:
            assert count == before + 1 == torch.get_num_threads()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.get_num_threads() == before
    assert all_threads() >= 1


def test_no_threads_are_refused():
    with pytest.raises(ValueError, match="threads must be 1 or more"), torch_threads(0):
        pass
