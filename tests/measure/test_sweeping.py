"""`sweep` on a clock of known truth: the crossover it finds is the one that was put in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.measure import sweep
from labkit.measure.agreement import OutputsDiffer
from labkit.measure.comparison_report import Comparison
from labkit.measure.sweeping import find_crossovers
from tests.measure.virtual import VirtualClock


def linear_against_overhead(clock, crossing):
    """Baseline costs n, candidate a fixed cost that equals it at `crossing`."""
    return lambda n: (clock.work(n * 1e-4), clock.work(crossing * 1e-4))


@given(crossing=st.floats(1.5, 60), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_the_crossover_is_found_and_bracketed(crossing, seed):
    clock = VirtualClock(noise=0.01, seed=seed)
    found = sweep("batch (rows)", [1, 2, 4, 8, 16, 32, 64], linear_against_overhead(clock, crossing), clock=clock)
    assert found.crossover.value == pytest.approx(crossing, rel=0.05)
    assert found.crossover.low <= crossing <= found.crossover.high
    assert found.crossover.candidate_wins == "above"


def test_no_crossover_is_none_and_not_an_edge_of_the_axis():
    clock = VirtualClock()
    found = sweep("n (rows)", [1, 2, 4], lambda n: (clock.work(n * 1e-3), clock.work(n * 3e-3)), clock=clock, rounds=5)
    assert found.crossover is None
    assert found.verdict == "baseline wins wherever a difference shows"


def known(ratio, low, high):
    return Comparison(("a", "b"), ratio, low, high, 1.0, 1.0)


def test_undecided_values_widen_the_bracket():
    points = [known(0.5, 0.4, 0.6), known(0.9, 0.7, 1.2), known(1.1, 0.9, 1.3), known(2, 1.8, 2.2)]
    (crossing,) = find_crossovers([1, 10, 100, 1000], points)
    assert (crossing.low, crossing.high) == (1, 1000)
    assert 10 < crossing.value < 100


def test_touching_one_without_crossing_is_no_crossover():
    points = [known(2, 1.8, 2.2), known(0.99, 0.9, 1.1), known(2, 1.8, 2.2)]
    assert find_crossovers([1, 2, 3], points) == ()


def test_two_crossovers_are_two():
    points = [known(2, 1.8, 2.2), known(0.5, 0.4, 0.6), known(2, 1.8, 2.2)]
    assert [c.candidate_wins for c in find_crossovers([1, 4, 16], points)] == ["below", "above"]


def test_an_axis_through_zero_is_interpolated_linearly():
    (crossing,) = find_crossovers([0, 1], [known(0.5, 0.4, 0.6), known(2, 1.8, 2.2)])
    assert crossing.value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("values", "axis"), [([1], "n (rows)"), ([2, 1], "n (rows)"), ([1, 1], "n (rows)"), ([1, 2], "n")]
)
def test_bad_axes_are_told_in_a_sentence(values, axis):
    with pytest.raises(ValueError, match=r"at least two values that rise|unit in brackets"):
        sweep(axis, values, lambda n: (None, None))


def test_a_wrong_result_names_its_value():
    clock = VirtualClock()
    with pytest.raises(OutputsDiffer, match=r"At n \(rows\) = 2"):
        sweep("n (rows)", [1, 2], lambda n: (clock.work(1e-3, 1), clock.work(1e-3, n)), clock=clock, rounds=5)


def test_report_and_figure():
    clock = VirtualClock()
    found = sweep("n (rows)", [1, 2, 8], linear_against_overhead(clock, 4), clock=clock, rounds=5)
    assert found.verdict == "candidate wins above n (rows) = 4 [2, 8]"
    assert json.loads(found.to_json())["crossovers"][0]["value"] == pytest.approx(4)
    assert len(found.table().rows) == 3
    assert "candidate wins above" in found.plot().alt
