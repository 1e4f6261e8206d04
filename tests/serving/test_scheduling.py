"""Any schedule, on pools so small that everybody is preempted, against a model whose cache shows every mistake."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.serving.block_pool import BlockPool
from labkit.serving.scheduler import Scheduler
from labkit.serving.sequence import Sequence, Status
from labkit.serving.static_batching import StaticBatching
from tests.serving.fake_model import VOCABULARY, FakeModel, alone, draw


def check_pool(pool, scheduler):
    """Every reference is somebody's, a block is free exactly when nobody holds it, and who waits has nothing."""
    held = [block for sequence in scheduler.running for block in sequence.block_table]
    assert all(s.block_table == [] and s.num_computed_tokens == 0 for s in scheduler.waiting)
    assert pool.ref_counts == [held.count(block) for block in range(pool.num_blocks)]
    assert pool.num_free == pool.ref_counts.count(0)


requests = st.lists(
    st.tuples(
        st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=14),  # prompt
        st.integers(1, 8),  # max_tokens
        st.sets(st.integers(0, VOCABULARY - 1), max_size=1),  # stop tokens
        st.integers(0, 12),  # step in which it arrives
        st.none() | st.integers(0, 30),  # step in which its user leaves
        st.booleans(),  # leaves while the model runs, not between steps
    ),
    min_size=1,
    max_size=8,
)


@given(
    asked=requests,
    num_blocks=st.integers(1, 12),
    block_size=st.integers(1, 4),
    max_num_seqs=st.integers(1, 5),
    budget=st.integers(1, 12),
    chunk=st.none() | st.integers(1, 6),
)
@settings(max_examples=120, deadline=None)
def test_any_schedule_gives_the_answers_of_one_at_a_time(asked, num_blocks, block_size, max_num_seqs, budget, chunk):
    pool, model = BlockPool(num_blocks, block_size), FakeModel(block_size)
    scheduler = Scheduler(pool, max_num_seqs, budget, chunk)
    sequences = [Sequence(n, prompt, most, stop) for n, (prompt, most, stop, *_) in enumerate(asked)]
    refused = [s for s in sequences if -(-s.most_tokens // block_size) > num_blocks]
    for sequence in refused:
        with pytest.raises(ValueError, match="the cache has"):
            scheduler.add(sequence)
    admitted = [s for s in sequences if s not in refused]
    for now in range(2000):
        for sequence in admitted:
            *_, arrives, leaves, in_flight = asked[sequence.request_id]
            if arrives == now:
                scheduler.add(sequence)
            if leaves == now and arrives <= now and not in_flight:
                scheduler.cancel(sequence)
        step = scheduler.schedule()
        check_pool(pool, scheduler)
        assert sum(work.num_tokens for work in step) <= budget
        assert len(scheduler.running) <= max_num_seqs
        assert all(1 <= work.num_tokens <= (chunk or budget) for work in step)
        assert bool(step) != scheduler.idle, "somebody advances in every step"
        drawn = model.run(step)
        for sequence in admitted:
            *_, arrives, leaves, in_flight = asked[sequence.request_id]
            if leaves == now and arrives <= now and in_flight:
                scheduler.cancel(sequence)
        scheduler.complete(step, drawn)
        check_pool(pool, scheduler)
        if scheduler.idle and now > 12:
            break
    assert scheduler.idle, "every sequence ends"
    assert pool.num_free == num_blocks, "the pool is whole again"
    for sequence in admitted:
        prompt, most, stop, *_ = asked[sequence.request_id]
        truth = alone(prompt, most, stop)
        if sequence.status is Status.CANCELLED:
            assert sequence.output_ids == truth[: len(sequence.output_ids)]
        else:
            assert sequence.output_ids == truth
            assert sequence.status is (Status.STOPPED if truth[-1] in stop else Status.LENGTH)


@given(asked=requests, batch_size=st.integers(1, 4), room=st.integers(22, 60))
@settings(max_examples=100, deadline=None)
def test_static_batches_give_the_same_answers(asked, batch_size, room):
    scheduler = StaticBatching(batch_size, room)
    sequences = [Sequence(n, prompt, most, stop) for n, (prompt, most, stop, *_) in enumerate(asked)]
    for sequence in sequences:
        scheduler.add(sequence)
    computed = 0
    while not scheduler.idle:
        step = scheduler.schedule()
        assert step
        assert len(scheduler.batch) <= batch_size
        assert scheduler.num_reserved_tokens <= room
        computed += sum(work.num_tokens for work in step)
        scheduler.complete(step, draw(step))
    for sequence in sequences:
        prompt, most, stop, *_ = asked[sequence.request_id]
        assert sequence.output_ids == alone(prompt, most, stop)
    assert computed == sum(len(s.token_ids) - 1 for s in sequences)


def run(scheduler, model, sequences):
    """Adds all at once and runs to the end; the steps as lists of (request, tokens)."""
    for sequence in sequences:
        scheduler.add(sequence)
    steps = []
    while not scheduler.idle:
        step = scheduler.schedule()
        steps.append([(work.sequence.request_id, work.num_tokens) for work in step])
        scheduler.complete(step, model.run(step))
    return steps


def test_a_late_and_short_request_does_not_wait_for_a_long_one():
    pool = BlockPool(num_blocks=16, block_size=4)
    steps = run(
        Scheduler(pool, 2, 16), FakeModel(4), [Sequence(0, [1] * 8, 6), Sequence(1, [2], 1), Sequence(2, [3], 1)]
    )
    assert steps == [[(0, 8), (1, 1)], [(0, 1), (2, 1)], [(0, 1)], [(0, 1)], [(0, 1)], [(0, 1)]]


def test_a_long_prompt_is_cut_and_others_go_on_writing():
    pool = BlockPool(num_blocks=16, block_size=4)
    steps = run(Scheduler(pool, 2, 16, prefill_chunk=4), FakeModel(4), [Sequence(0, [1], 5), Sequence(1, [2] * 10, 2)])
    assert steps == [[(0, 1), (1, 4)], [(0, 1), (1, 4)], [(0, 1), (1, 2)], [(0, 1), (1, 1)], [(0, 1)]]


def test_a_second_question_on_the_same_prompt_computes_only_what_is_new():
    pool, prompt = BlockPool(num_blocks=16, block_size=4), list(range(10))
    scheduler, model = Scheduler(pool, 4, 64), FakeModel(4)
    run(scheduler, model, [Sequence(0, prompt, 1)])
    second, same = Sequence(1, [*prompt[:9], 99], 1), Sequence(2, prompt[:8], 1)
    assert run(scheduler, model, [second, same]) == [[(1, 2), (2, 4)]]
    assert (second.num_cached_tokens, same.num_cached_tokens) == (8, 4), "a prompt's last token is always computed"


def test_two_at_once_share_blocks_that_are_there_and_fill_their_own_else():
    pool, prompt = BlockPool(num_blocks=16, block_size=4), list(range(9))
    scheduler, model = Scheduler(pool, 4, 64), FakeModel(4)
    first, second = Sequence(0, prompt, 3), Sequence(1, prompt, 3)
    scheduler.add(first)
    step = scheduler.schedule()
    scheduler.complete(step, model.run(step))
    scheduler.add(second)
    scheduler.schedule()
    assert second.block_table[:2] == first.block_table[:2]
    assert second.block_table[2] != first.block_table[2]
    assert [pool.ref_counts[block] for block in first.block_table] == [2, 2, 1]


def test_the_youngest_gives_way_and_comes_back():
    pool = BlockPool(num_blocks=4, block_size=2)
    first, second = Sequence(0, [1, 2, 3], 5), Sequence(1, [4, 4, 4], 5)
    steps = run(Scheduler(pool, 2, 8), FakeModel(2), [first, second])
    assert (first.num_preemptions, second.num_preemptions) == (0, 1)
    assert steps[:3] == [[(0, 3), (1, 3)], [(0, 1), (1, 1)], [(0, 1)]], "and not at once, though a block would be free"
    assert second.output_ids == alone([4, 4, 4], 5)


def test_static_batching_counts_what_it_wastes():
    scheduler = StaticBatching(batch_size=2, num_cache_tokens=100)
    steps = run(scheduler, FakeModelWithoutCache(), [Sequence(0, [1] * 8, 4), Sequence(1, [2], 1), Sequence(2, [3], 1)])
    assert steps == [[(0, 8), (1, 1)], [(0, 1)], [(0, 1)], [(0, 1)], [(2, 1)]]
    assert scheduler.num_padding_tokens == 7 + 3, "a short prompt padded to 8, then a finished row in three steps"


class FakeModelWithoutCache:
    run = staticmethod(draw)


def test_cancelling_twice_or_too_late_changes_nothing():
    pool = BlockPool(num_blocks=4, block_size=2)
    scheduler, sequence = Scheduler(pool, 1, 8), Sequence(0, [1], 1)
    run(scheduler, FakeModel(2), [sequence])
    scheduler.cancel(sequence)
    assert sequence.status is Status.LENGTH
    waiting = Sequence(1, [1], 1)
    scheduler.add(waiting)
    scheduler.cancel(waiting)
    scheduler.cancel(waiting)
    assert waiting.status is Status.CANCELLED
    assert scheduler.idle
