"""`compare` on a clock of known truth: the ratio it reports is the ratio that was put in."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.measure import compare
from labkit.measure.agreement import OutputsDiffer
from tests.measure.virtual import VirtualClock


def test_exact_times_give_the_exact_ratio():
    clock = VirtualClock()
    result = compare(clock.work(2e-3), clock.work(1e-3), clock=clock)
    assert result.ratio == pytest.approx(2)
    assert (result.low, result.high) == (pytest.approx(2), pytest.approx(2))
    assert result.baseline_seconds == pytest.approx(2e-3)
    assert result.verdict == "candidate is 2x faster than baseline [2, 2]"


@pytest.mark.parametrize("seed", range(5))
def test_same_work_shows_no_difference(seed):
    clock = VirtualClock(noise=0.05, seed=seed)
    result = compare(clock.work(1e-3), clock.work(1e-3), clock=clock)
    assert result.low <= 1 <= result.high
    assert result.winner is None
    assert result.verdict.startswith("no difference shown")


@given(ratio=st.floats(0.25, 4), noise=st.floats(0, 0.05), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_noise_and_heavy_tails_move_the_median_little(ratio, noise, seed):
    clock = VirtualClock(noise=noise, tail=0.02, seed=seed)
    result = compare(clock.work(ratio * 1e-3), clock.work(1e-3), clock=clock, rounds=41)
    assert result.ratio == pytest.approx(ratio, rel=0.08)
    assert result.low <= result.ratio <= result.high


def test_a_machine_that_slows_down_steadily_weighs_on_both_alike():
    drift = 2.0
    one_after_the_other = VirtualClock(drift=drift)
    a = one_after_the_other.time(one_after_the_other.work(2e-3), 50)
    b = one_after_the_other.time(one_after_the_other.work(1e-3), 50)
    assert a / b < 1.8, "the drift of this test is too weak to show anything"
    clock = VirtualClock(drift=drift)
    assert compare(clock.work(2e-3), clock.work(1e-3), clock=clock).ratio == pytest.approx(2, rel=1e-3)


def test_rounds_run_in_the_order_a_b_b_a():
    clock, seen = VirtualClock(), []

    def named(name):
        def function():
            seen.append(name)
            clock.spend(0.01)
            return 1.0

        return function

    compare(named("A"), named("B"), clock=clock, rounds=5)
    assert "".join(seen[-20:]) == "ABBA" * 5


def test_samples_are_a_hundred_steps_of_the_clock():
    clock = VirtualClock()
    clock.resolution = 0.015  # Windows
    result = compare(clock.work(1e-3), clock.work(1e-3), clock=clock, rounds=5)
    assert min(result.repeats) * 1e-3 >= 1.5


def test_wrong_results_are_refused_before_anything_is_timed():
    clock = VirtualClock()
    with pytest.raises(OutputsDiffer, match="no speed is measured"):
        compare(clock.work(1e-3, torch.ones(3)), clock.work(1e-3, torch.zeros(3)), clock=clock)
    assert clock.now == pytest.approx(2e-3)


def test_rounding_of_the_coarser_dtype_is_no_difference():
    clock = VirtualClock()
    exact = torch.rand(100) + 0.5
    assert compare(clock.work(1e-3, exact), clock.work(1e-3, exact.bfloat16()), clock=clock).checked
    with pytest.raises(OutputsDiffer):
        compare(clock.work(1e-3, exact), clock.work(1e-3, exact + 1e-3), clock=clock)


@pytest.mark.parametrize("check", [lambda a, b: False, lambda a, b: torch.testing.assert_close(a, b + 1)])
def test_a_check_of_your_own_refuses_by_false_or_by_assertion(check):
    clock = VirtualClock()
    with pytest.raises(OutputsDiffer):
        compare(clock.work(1e-3, torch.ones(1)), clock.work(1e-3, torch.ones(1)), check=check, clock=clock)


def test_without_a_check_the_table_says_so():
    clock = VirtualClock()
    result = compare(clock.work(1e-3, 1), clock.work(1e-3, 2), check=None, clock=clock)
    assert "Outputs were not checked." in str(result)


def test_functions_that_return_nothing_cannot_agree():
    clock = VirtualClock()
    with pytest.raises(OutputsDiffer, match="returned None"):
        compare(clock.work(1e-3, None), clock.work(1e-3, None), clock=clock)


def test_the_check_leaves_the_operands_as_they_were():
    clock, x = VirtualClock(), torch.zeros(2)

    def add_one(x):
        clock.spend(1.0)
        return x.add_(1)

    compare(add_one, add_one, x, clock=clock, rounds=5)
    timed_calls = 2 * (1 + 2 * 5)  # for each function one that finds the repeats, then two a round
    assert x.tolist() == [timed_calls, timed_calls]


def test_rotation_walks_through_sets_past_the_last_cache(monkeypatch):
    monkeypatch.setattr("labkit.measure.machines.Machine.last_level_cache_bytes", 4096)
    clock, seen = VirtualClock(), []

    def read(x):
        clock.spend(1e-3)
        seen.append(x[0].item())
        return 0.0

    result = compare(read, read, rotate=lambda i: (torch.full((256,), float(i)),), clock=clock, rounds=5)
    assert result.operand_sets == 8  # 1024 bytes each, twice 4096 bytes
    assert set(seen) == set(range(8))
    assert seen[-8:] == [*range(int(seen[-8]), 8), *range(int(seen[-8]))]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"rounds": 4}, "at least 5 rounds"),
        ({"threads": 0}, "threads must be 1 or more"),
        ({"threads": "two"}, "threads must be 1 or more"),
        ({"check": "close"}, "check must be"),
        ({"rotate": lambda i: torch.ones(1)}, "must return a tuple"),
        ({"rotate": lambda i: ()}, "at least one tensor"),
    ],
)
def test_bad_arguments_are_told_in_a_sentence(arguments, sentence):
    clock = VirtualClock()
    with pytest.raises(ValueError, match=sentence):
        compare(clock.work(1e-3), clock.work(1e-3), clock=clock, **arguments)


def test_operands_come_one_way_only():
    clock = VirtualClock()
    with pytest.raises(ValueError, match="not both"):
        compare(clock.work(1e-3), clock.work(1e-3), torch.ones(1), rotate=lambda i: (torch.ones(1),), clock=clock)


def test_the_thread_count_is_put_back_after_an_error():
    before = torch.get_num_threads()
    clock = VirtualClock()
    with pytest.raises(OutputsDiffer):
        compare(clock.work(1e-3, 1), clock.work(1e-3, 2), threads=3, clock=clock)
    assert torch.get_num_threads() == before


def test_report_carries_its_verdict_everywhere():
    clock = VirtualClock()
    result = compare(clock.work(1e-3), clock.work(2e-3), clock=clock, names=("eager", "fused"))
    assert result.verdict == "fused is 2x slower than eager [2, 2]"
    assert result.winner == "eager"
    told = json.loads(result.to_json())
    assert (told["ratio"], told["verdict"]) == (pytest.approx(0.5), result.verdict)
    assert "fused" in result.plot().alt
