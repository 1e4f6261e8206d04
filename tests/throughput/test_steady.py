"""MSER-5 against its definition written out, on runs whose warm-up is known, and on runs that never settle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.throughput.arrivals import fixed_arrivals
from labkit.throughput.record import Record, Run
from labkit.throughput.steady import grows, mser5, steady_window
from tests.throughput.truth import asked, served


def written_out(values):
    batches = [np.mean(values[i : i + 5]) for i in range(0, len(values) - 4, 5)]
    errors = [np.var(batches[d:]) / (len(batches) - d) for d in range(len(batches) // 2 + 1)]
    return 5 * int(np.argmin(errors))


@given(values=st.lists(st.integers(0, 50), min_size=20, max_size=200), head=st.integers(0, 60))
def test_the_cut_is_where_the_standard_error_is_least(values, head):
    values = [100.0] * head + [float(v) + 0.001 * i for i, v in enumerate(values)]
    assert mser5(values) == written_out(values)


@pytest.mark.parametrize("seed", range(10))
def test_a_warm_up_is_cut_and_noise_is_not(seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(1.0, 0.1, 500)
    assert mser5(noise) <= 150
    warm = noise + 5 * np.exp(-np.arange(500) / 20)  # three per cent of it is left after 70
    assert 60 <= mser5(warm) <= 200
    assert not grows(warm)
    assert grows(noise + np.arange(500) / 500)


def test_equal_values_have_nothing_to_cut_and_few_never_settle():
    for values in ([0.1] * 100, [0.1] * 9, []):
        assert mser5(values) == 0
    assert not grows([0.1] * 30)
    assert grows([0.1] * 29)


def test_a_server_that_cannot_keep_up_never_settles():
    run = served(asked(fixed_arrivals(10.0, 400)), [0.12] * 400)
    window = steady_window(run)
    assert (window.start, window.end, window.steady) == (run.records[200].scheduled, 40.0, False)


def test_a_server_that_keeps_up_is_steady_from_the_start_to_the_last_arrival():
    window = steady_window(served(asked(fixed_arrivals(10.0, 400)), [0.05] * 400))
    assert (window.start, window.end, window.steady) == (0.0, 40.0, True)
    assert 0.0 in window
    assert 40.0 not in window
    assert window.seconds == 40.0


def test_a_slow_start_is_left_out():
    services = [1.0] * 20 + [0.01] * 580  # a server that is cold for twenty requests
    run = served(asked(fixed_arrivals(10.0, 600)), services)
    window = steady_window(run)
    backlog_ends = next(r.scheduled for r in run.records[20:] if r.times[0] - r.scheduled < 0.011)
    assert window.steady
    assert backlog_ends - 2 <= window.start <= backlog_ends + 5


def test_all_at_once_counts_whole_and_nothing_completed_is_told():
    run = served(asked([0.0] * 30), [0.5] * 30)
    assert steady_window(run) == type(steady_window(run))(0.0, 15.0, False)
    failed = Run("open", (Record(0.0, 1, 1, outcome="failed", error="No server."),), 1.0)
    with pytest.raises(ValueError, match=r"Not one of 1 requests was completed\. The first error: No server\."):
        steady_window(failed)
