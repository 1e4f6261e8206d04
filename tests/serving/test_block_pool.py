"""Blocks are counted, remembered in order of use, and never given out twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.serving.block_pool import BlockPool, extend_hashes
from labkit.serving.scheduler import Scheduler
from labkit.serving.sequence import Sequence
from labkit.serving.static_batching import StaticBatching


@given(token_ids=st.lists(st.integers(-(2**40), 2**40), max_size=40), size=st.integers(1, 6), cut=st.integers(0, 40))
def test_hashes_grow_with_a_sequence_and_tell_prefixes_apart(token_ids, size, cut):
    whole, grown = [], []
    extend_hashes(whole, token_ids, size)
    extend_hashes(grown, token_ids[:cut], size)
    extend_hashes(grown, token_ids, size)
    assert whole == grown
    assert len(whole) == len(token_ids) // size
    for place in range(len(whole) * size):
        other, changed = [], [*token_ids]
        changed[place] += 1
        extend_hashes(other, changed, size)
        assert other[: place // size] == whole[: place // size]
        assert not set(other[place // size :]) & set(whole)


def test_what_was_not_used_longest_is_forgotten_first():
    pool = BlockPool(num_blocks=3, block_size=2)
    tables = [[pool.take()] for _ in range(3)]
    for table, name in zip(tables, (b"a", b"b", b"c"), strict=True):
        pool.remember(table[0], name)
    for place in (1, 0, 2):
        pool.release(tables[place])
    assert [pool.find([name]) for name in (b"a", b"b", b"c")] == [[0], [1], [2]]
    assert pool.take() == 1
    assert [pool.find([name]) for name in (b"a", b"b", b"c")] == [[0], [], [2]]


def test_a_prefix_outlives_its_end():
    pool = BlockPool(num_blocks=3, block_size=2)
    table = [pool.take() for _ in range(3)]
    pool.release(table)
    assert [pool.take(), pool.take(), pool.take()] == table[::-1]


def test_a_block_with_two_holders_is_free_when_both_let_go():
    pool = BlockPool(num_blocks=1, block_size=2)
    block = pool.take()
    pool.hold(block)
    pool.release([block])
    assert pool.num_free == 0
    pool.release([block])
    assert pool.num_free == 1
    with pytest.raises(ValueError, match="Block 0 is released and nobody holds it"):
        pool.release([block])


def test_the_same_prefix_is_remembered_once():
    pool = BlockPool(num_blocks=2, block_size=2)
    first, second = pool.take(), pool.take()
    pool.remember(first, b"a")
    pool.remember(second, b"a")
    assert pool.find([b"a"]) == [first]
    pool.release([first, second])
    pool.take(), pool.take()
    assert pool.find([b"a"]) == []


def test_a_full_pool_is_told():
    pool = BlockPool(num_blocks=1, block_size=2)
    pool.take()
    with pytest.raises(IndexError, match="All 1 blocks are held"):
        pool.take()


@pytest.mark.parametrize(
    "call",
    [
        lambda: BlockPool(0, 4),
        lambda: BlockPool(4, 0),
        lambda: Scheduler(BlockPool(1, 1), 0, 1),
        lambda: Scheduler(BlockPool(1, 1), 1, 1, prefill_chunk=0),
        lambda: StaticBatching(0, 1),
        lambda: StaticBatching(1, 1).add(Sequence(0, [1, 2], 1)),
        lambda: Sequence(0, [], 1),
        lambda: Sequence(0, [1], 0),
    ],
)
def test_bad_input_is_told(call):
    with pytest.raises(ValueError, match=r"at least one|may need 2"):
        call()
