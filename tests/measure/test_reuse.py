"""Reuse distances against a list of bytes kept in order of last use, moved one byte at a time."""

from math import inf, isinf

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labkit.measure.costs.spec import Region
from labkit.measure.limits import level_of
from labkit.measure.reuse import reuse_distances
from labkit.measure.tracing import trace
from tests.measure.handmade import MB, MEMORY, PEAK, handmade_ceilings


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def whole(address, nbytes):
    return Region(address, nbytes, nbytes)


def by_hand(accesses: list[Region], turns: int) -> list[dict[float, int]]:
    """LRU stack of single bytes: an access sees, for each of its bytes, what was touched after it, plus itself."""
    last_use: dict[int, int] = {}
    result: list[dict[float, int]] = []
    for _ in range(turns):
        result = []
        for time, region in enumerate(accesses, start=len(last_use) and max(last_use.values()) + 1):
            mine = range(region.address, region.address + region.span)
            seen: dict[float, int] = {}
            for byte in mine:
                since = last_use.get(byte)
                others = [b for b, t in last_use.items() if since is not None and t > since and b not in mine]
                distance = inf if since is None else len(others) + region.nbytes
                seen[distance] = seen.get(distance, 0) + 1
            last_use.update(dict.fromkeys(mine, time))
            result.append(seen)
    return result


accesses = st.lists(st.builds(whole, st.integers(0, 40), st.integers(1, 20)), min_size=1, max_size=12)


@given(accesses, st.booleans())
def test_against_a_stack_of_bytes(regions, cold):
    found = reuse_distances(regions, cold)
    expected = by_hand(regions, 1 if cold else 2)
    for pieces, hand in zip(found, expected, strict=True):
        assert {p.distance: p.nbytes for p in pieces} == pytest.approx(hand)


@given(accesses)
def test_every_byte_is_charged_once_and_a_loop_has_no_first_use(regions):
    for region, pieces in zip(regions, reuse_distances(regions), strict=True):
        assert sum(p.nbytes for p in pieces) == pytest.approx(region.nbytes)
        assert not any(isinf(p.distance) for p in pieces)


def test_weights_that_are_views_of_one_storage_do_not_help_each_other():
    """Four layers of 100 bytes in one buffer, run in a loop: each comes back after all 400."""
    layers = [whole(100 * i, 100) for i in range(4)]
    assert [p.distance for pieces in reuse_distances(layers) for p in pieces] == [400] * 4


def test_a_freed_buffer_given_out_again_is_the_same_cache_lines():
    """A weight of 1000 bytes and a temporary of 10 used fifty times: the temporaries do not push the weight out."""
    run = [whole(0, 1000), *[whole(5000, 10)] * 50]
    assert reuse_distances(run)[0][0].distance == 1010


def test_looking_up_rows_counts_the_table_and_leaves_its_age():
    table, rows, other = whole(0, 1000), Region(0, 1000, 20, scattered=True), whole(5000, 300)
    looked_up, _ = reuse_distances([rows, other])
    assert [(p.distance, p.nbytes) for p in looked_up] == [(1300, 20)]
    found = reuse_distances([table, other, rows])
    assert [(p.distance, p.nbytes) for p in found[2]] == [(1300, 20)]
    assert found[0][0].distance == 1320  # the table as a whole was last read a turn ago


def test_levels_by_distance():
    levels = handmade_ceilings().levels_at(1)
    assert [level_of(d, levels).name for d in (1, MB, MB + 1, 8 * MB, 8 * MB + 1, inf)] == [
        *["L2", "L2", "L3", "L3", "memory", "memory"]
    ]


def test_a_limit_worked_out_by_hand():
    """One row by 2048 x 2048 in fp32: 16.8 MB of weights from memory at 10 GB/s, not 8.4 MFLOP at 50 GFLOP/s."""
    weight, x = torch.randn(2048, 2048), torch.randn(1, 2048)
    with trace(ceilings=handmade_ceilings()) as t:
        x @ weight
    (limit,) = t.limits()
    assert limit.bound == "memory"
    assert limit.bytes_at["memory"] == pytest.approx(4 * (2048 * 2048 + 2 * 2048), rel=0.01)
    assert limit.seconds == pytest.approx(4 * (2048 * 2048 + 2 * 2048) / MEMORY, rel=0.01)


def test_a_compute_bound_limit_and_a_cold_start():
    """512^3 in fp32: 268 MFLOP at 50 GFLOP/s; 3 operands of 1 MB come from L3 in a loop, from memory when cold."""
    a, b = torch.randn(512, 512), torch.randn(512, 512)
    for cold, level in ((False, "L3"), (True, "memory")):
        with trace(ceilings=handmade_ceilings(), cold=cold) as t:
            a @ b
        (limit,) = t.limits()
        assert limit.seconds == pytest.approx(2 * 512**3 / PEAK["float32"])
        assert limit.bound == "compute"
        assert set(limit.bytes_at) == {level}


def test_more_threads_have_higher_limits():
    a = torch.randn(512, 512)
    with trace() as t:
        a @ a
    one, two = (handmade_ceilings(), handmade_ceilings(scale=2))
    assert t.limits(one)[0].seconds == pytest.approx(2 * t.limits(two)[0].seconds)


def test_an_unknown_operator_has_no_limit_but_takes_room_in_the_cache():
    """400 kB in and out fit the L2 of 1 MB, unless an operator without a rule moves 4 MB in between."""
    small, large = torch.randn(100_000), torch.randn(500_000)
    levels = []
    for between in (lambda: None, lambda: torch.fft.rfft(large)):
        with trace(ceilings=handmade_ceilings()) as t:
            out = small.exp()
            between()
            del out
        assert [limit is None for limit in t.limits()] == [bool(op.unknown) for op in t.ops]
        levels.append(set(t.limits()[0].bytes_at))
    assert levels == [{"L2"}, {"L3"}]
