"""The engine's loop and streams in virtual time: the answers of one at a time, whoever comes and leaves when."""

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.serving.block_pool import BlockPool
from labkit.serving.engine import AnswerLostError, Engine, EngineBusyError, EngineStoppedError
from labkit.serving.scheduler import Scheduler
from labkit.serving.sequence import Sequence, Status
from labkit.throughput.virtual import run_virtual
from tests.serving.fake_model import VOCABULARY, FakeModel, alone, slowly


def small_engine(num_blocks=12, block_size=2, compute=None, **options):
    scheduler = Scheduler(BlockPool(num_blocks, block_size), max_num_seqs=4, max_num_batched_tokens=8)
    return Engine(scheduler, slowly(compute or FakeModel(block_size).run), **options)


async def tokens_of(engine, sequence, most=None):
    """What a user receives who leaves after `most` tokens."""
    received = []
    async with aclosing(engine.stream(sequence)) as stream:
        async for token in stream:
            received.append(token)
            if len(received) == most:
                break
    return received


users = st.lists(
    st.tuples(
        st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=12),
        st.integers(1, 8),
        st.integers(0, 40).map(lambda quarters: quarters / 4),  # arrives, perhaps while the model runs
        st.none() | st.integers(1, 4),  # leaves after so many tokens
        st.none() | st.integers(1, 40).map(lambda quarters: quarters / 4),  # loses patience
    ),
    min_size=1,
    max_size=8,
)


@given(asked=users)
@settings(max_examples=100, deadline=None)
def test_every_user_receives_what_one_alone_would(asked):
    async def user(engine, number):
        prompt, most, arrives, leaves, patience = asked[number]
        await asyncio.sleep(arrives)
        try:
            async with asyncio.timeout(patience):
                return await tokens_of(engine, Sequence(number, prompt, most), leaves)
        except TimeoutError:
            return None

    async def main():
        async with small_engine() as engine:
            received = await asyncio.gather(*(user(engine, number) for number in range(len(asked))))
            while not engine.scheduler.idle:
                await asyncio.sleep(1.0)
            return received, engine.scheduler.pool

    received, pool = run_virtual(main())
    assert pool.num_free == pool.num_blocks, "the pool is whole again"
    for tokens, (prompt, most, _, leaves, _) in zip(received, asked, strict=True):
        assert tokens is None or tokens == alone(prompt, most)[:leaves]


def test_leaving_while_the_model_runs_frees_blocks_and_delivers_to_nobody():
    async def main():
        async with small_engine() as engine:
            impatient = Sequence(0, [1, 2, 3], 8)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2.5):
                    await tokens_of(engine, impatient)
            assert impatient.status is Status.CANCELLED
            assert engine.scheduler.pool.num_free == 12
            # The same number at once: what the running step draws for the first must not reach the second.
            return await tokens_of(engine, Sequence(0, [4, 4], 3))

    assert run_virtual(main()) == alone([4, 4], 3)


def test_who_leaves_before_the_first_step_costs_none():
    async def main():
        async with small_engine() as engine:
            await asyncio.sleep(0)
            hasty = asyncio.create_task(tokens_of(engine, Sequence(0, [1], 3)))
            await asyncio.sleep(0)
            hasty.cancel()
            await asyncio.sleep(5.0)
            return await tokens_of(engine, Sequence(1, [2], 3))

    assert run_virtual(main()) == alone([2], 3)


def test_a_failing_model_fails_every_stream_and_later_ones():
    def broken(step):
        raise FloatingPointError("not a number")

    async def main():
        async with small_engine(compute=broken) as engine:
            results = await asyncio.gather(
                *(tokens_of(engine, Sequence(n, [1], 2)) for n in range(3)), return_exceptions=True
            )
            with pytest.raises(EngineStoppedError, match="does not run") as later:
                await tokens_of(engine, Sequence(9, [1], 2))
            return [*results, later.value]

    for error in run_virtual(main()):
        assert isinstance(error, EngineStoppedError)
        assert isinstance(error.__cause__, FloatingPointError)


def test_a_request_without_a_next_token_fails_alone_and_leaves_nothing_to_find():
    fake = FakeModel(2)

    def sometimes(step):
        return {n: None if n == 1 else token for n, token in fake.run(step).items()}

    async def main():
        async with small_engine(compute=sometimes) as engine:
            asked = [Sequence(n, [n, 1, 2, 3, 4], 4) for n in range(3)]
            results = await asyncio.gather(*(tokens_of(engine, s) for s in asked), return_exceptions=True)
            pool = engine.scheduler.pool
            again = Sequence(3, [1, 1, 2, 3, 4], 4)
            return results, await tokens_of(engine, again), again, pool.num_free

    (first, lost, last), after, again, free = run_virtual(main())
    assert isinstance(lost, AnswerLostError)
    assert "After 5 tokens the logits of request 1 hold NaN" in str(lost)
    assert [first, last] == [alone([n, 1, 2, 3, 4], 4) for n in (0, 2)]
    assert (after, again.num_cached_tokens, free) == (alone([1, 1, 2, 3, 4], 4), 0, 12)


def test_too_many_in_line_are_refused_and_the_others_served():
    async def main():
        async with small_engine(max_waiting=3) as engine:
            line = [asyncio.create_task(tokens_of(engine, Sequence(n, [n % 5], 4))) for n in range(10)]
            return await asyncio.gather(*line, return_exceptions=True)

    results = run_virtual(main())
    assert results[:3] == [alone([n], 4) for n in range(3)]
    assert all(isinstance(result, EngineBusyError) for result in results[3:])


def test_a_thousand_in_line_leave_nothing_behind():
    async def main():
        async with small_engine() as engine:
            line = [tokens_of(engine, Sequence(n, [n % 5, n % 3], 2)) for n in range(1000)]
            assert await asyncio.gather(*line) == [alone([n % 5, n % 3], 2) for n in range(1000)]
            assert engine.scheduler.pool.num_free == 12
            assert engine._outboxes == {}

    run_virtual(main())


def test_what_cannot_be_served_is_told():
    async def main():
        engine = small_engine()
        with pytest.raises(EngineStoppedError, match="start it with `async with`"):
            await tokens_of(engine, Sequence(0, [1], 1))
        async with engine:
            with pytest.raises(ValueError, match="may need 50 blocks of 2 tokens, and the cache has 12"):
                await tokens_of(engine, Sequence(0, [1] * 91, 10))
            first = asyncio.create_task(tokens_of(engine, Sequence(0, [1], 9)))
            await asyncio.sleep(1.5)
            with pytest.raises(ValueError, match="Request 0 is in the engine already"):
                await tokens_of(engine, Sequence(0, [1], 1))
        with pytest.raises(EngineStoppedError, match="before the answer was written"):
            await first
        assert engine.scheduler.pool.num_free == 12

    run_virtual(main())
