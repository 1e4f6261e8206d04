"""Any schedule writes what each request alone would: token for token, on a real model, in fp32.

Random arrivals, lengths, stops, cancels and preemption on block pools so small that requests keep pushing each other
out. Greedy answers are held against a forward without a cache, where a difference passes only if the two best logits
lie within `tests.generation.agreement.EPSILON`, and is counted; drawn ones against `generate` with the same seed.
"""

import asyncio
from collections import Counter
from contextlib import aclosing

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.generation import GREEDY, Sampling, generate
from labkit.generation.stopping import at_tokens
from labkit.serving.block_pool import BlockPool
from labkit.serving.engine import AnswerLostError, Engine, EngineStoppedError
from labkit.serving.paged_cache import PagedKVCache
from labkit.serving.runner import Batch, ModelRunner
from labkit.serving.scheduler import Scheduler
from labkit.serving.sequence import Sequence, Status
from labkit.serving.static_batching import StaticBatching
from labkit.serving.static_runner import StaticRunner
from tests.generation.agreement import Agreement
from tests.serving.decoders import CONFIGS, NAMES, decoder
from tests.threads import one_thread  # noqa: F401

NEVER = at_tokens(-1)


def runner_for(model, num_blocks, block_size, max_num_seqs=4, budget=16, chunk=None):
    pool = BlockPool(num_blocks, block_size)
    return Scheduler(pool, max_num_seqs, budget, chunk), ModelRunner(model, PagedKVCache(model.config, pool))


requests = st.lists(
    st.tuples(
        st.lists(st.integers(0, 3), min_size=1, max_size=14),  # prompt, of few tokens so that prefixes are shared
        st.integers(1, 12),  # max_tokens
        st.sets(st.integers(0, 63), max_size=6),  # stop tokens
        st.integers(0, 6),  # step in which it arrives
        st.none() | st.integers(0, 30),  # step in which its user leaves
        st.booleans(),  # leaves while the model runs, not between steps
    ),
    min_size=3,
    max_size=8,
)

schedules = given(
    asked=requests,
    num_blocks=st.integers(7, 14),
    block_size=st.integers(1, 4),
    max_num_seqs=st.integers(1, 5),
    budget=st.integers(1, 24),
    chunk=st.none() | st.integers(1, 6),
)


@pytest.mark.parametrize("name", NAMES)
def test_any_schedule_writes_what_each_request_alone_would(name):
    """Ties are counted over all examples, of most of which a single one would be more than a thousandth."""
    agreed, met = Agreement(), Counter()

    @settings(max_examples=80, deadline=None, derandomize=True)
    @schedules
    def one(**drawn):
        write_and_compare(decoder(name), agreed, met, **drawn)

    one()
    assert agreed.tokens > 1000
    assert agreed.holds, agreed
    kinds = ("cached", "mixed", "preempted", Status.STOPPED, Status.LENGTH, Status.CANCELLED)
    assert all(met[kind] > 5 for kind in kinds), met


def write_and_compare(model, agreed, met, asked, num_blocks, block_size, max_num_seqs, budget, chunk):
    """One schedule from the first arrival until all is written, the pool whole again, and every answer compared."""
    scheduler, runner = runner_for(model, num_blocks, block_size, max_num_seqs, budget, chunk)
    room = num_blocks * block_size
    sequences = [Sequence(n, prompt, most, stop) for n, (prompt, most, stop, *_) in enumerate(asked)]
    sequences = [s for s in sequences if s.most_tokens <= room]
    for now in range(2000):
        leaving = []
        for sequence in sequences:
            *_, arrives, leaves, in_flight = asked[sequence.request_id]
            if arrives == now:
                scheduler.add(sequence)
            if leaves == now and arrives <= now:
                leaving += [sequence] if in_flight else []
                _ = in_flight or scheduler.cancel(sequence)
        step = scheduler.schedule()
        if not step and now > 6:
            break
        if step:
            batch = Batch.of(step)
            for sequence in leaving:
                scheduler.cancel(sequence)
            scheduler.complete(step, runner.compute(batch))
            met["cached"] += any(work.sequence.num_cached_tokens for work in step)
            met["mixed"] += len({work.num_tokens > 1 for work in step}) == 2
    assert scheduler.idle
    assert scheduler.pool.num_free == num_blocks
    for sequence in sequences:
        written, stop = sequence.output_ids, asked[sequence.request_id][2]
        agreed.add(model, sequence.token_ids[: sequence.num_prompt_tokens], written)
        assert not set(written[:-1]) & stop
        assert (sequence.status is Status.STOPPED) == bool(set(written[-1:]) & stop)
        assert sequence.status is not Status.LENGTH or len(written) == sequence.max_tokens
        met["preempted"] += sequence.num_preemptions
        met[sequence.status] += 1
    assert agreed.wrong == 0


SAMPLINGS = [
    GREEDY,
    Sampling(),
    Sampling(temperature=0.7, top_p=0.9),
    Sampling(top_k=5, repetition_penalty=1.3),
    Sampling(temperature=0, repetition_penalty=1.5),
    Sampling(temperature=1.5, min_p=0.05),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("num_blocks", [8, 40])
def test_each_request_draws_with_its_own_generator(name, num_blocks):
    """Together, in whatever company and after whatever preemption, as alone with the same seed."""
    model = decoder(name)
    scheduler, runner = runner_for(model, num_blocks, 4, budget=9)
    prompts = [[n, 5, 7 * n % 64, 9][: 1 + n % 4] for n in range(18)]
    sequences = [
        Sequence(n, prompt, 11, (), SAMPLINGS[n % len(SAMPLINGS)], torch.Generator().manual_seed(n))
        for n, prompt in enumerate(prompts)
    ]
    for sequence in sequences:
        scheduler.add(sequence)
    while not scheduler.idle:
        step = scheduler.schedule()
        scheduler.complete(step, runner.compute(Batch.of(step)))
    assert any(s.num_preemptions for s in sequences) == (num_blocks == 8)
    for n, sequence in enumerate(sequences):
        alone = generate(
            model,
            [prompts[n]],
            11,
            sampling=SAMPLINGS[n % len(SAMPLINGS)],
            generator=torch.Generator().manual_seed(n),
            stop=NEVER,
        )
        assert sequence.output_ids == list(alone.tokens[0])


async def received(engine, sequence, most=None):
    tokens = []
    async with aclosing(engine.stream(sequence)) as stream:
        async for token in stream:
            tokens.append(token)
            if len(tokens) == most:
                break
    return tokens


def test_streams_of_the_engine_bring_the_tokens_while_others_leave():
    model = decoder("dense")
    scheduler, runner = runner_for(model, 12, 4)
    prompts = [[n, n + 1, 3] for n in range(24)]

    async def main():
        async with Engine(scheduler, runner) as engine:
            users = (received(engine, Sequence(n, p, 12), 3 if n % 3 == 0 else None) for n, p in enumerate(prompts))
            return await asyncio.gather(*users)

    answers = asyncio.run(main())
    assert scheduler.pool.num_free == 12
    for n, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        alone = generate(model, [prompt], 12, sampling=GREEDY, stop=NEVER).tokens[0]
        assert answer == list(alone[: 3 if n % 3 == 0 else 12])


@pytest.mark.parametrize("name", CONFIGS)
def test_static_batches_write_the_same_answers(name):
    model, scheduler = decoder(name), StaticBatching(4, 200)
    prompts = [[n, n + 1, 3, 4, 5][: 1 + n % 5] for n in range(14)]
    lengths = [1 + 5 * n % 13 for n in range(14)]

    async def main():
        async with Engine(scheduler, StaticRunner(model)) as engine:
            users = (
                received(engine, Sequence(n, *asked), 2 if n % 6 == 5 else None)
                for n, asked in enumerate(zip(prompts, lengths, strict=True))
            )
            return await asyncio.gather(*users)

    for n, answer in enumerate(asyncio.run(main())):
        alone = generate(model, [prompts[n]], lengths[n], sampling=GREEDY, stop=NEVER).tokens[0]
        assert answer == list(alone[: 2 if n % 6 == 5 else None])
    assert scheduler.num_padding_tokens > 0


def test_the_event_loop_goes_on_while_the_model_computes():
    model, ticks = decoder("dense"), []
    scheduler, runner = runner_for(model, 12, 4)

    async def main():
        async with Engine(scheduler, runner) as engine:
            asked = asyncio.create_task(received(engine, Sequence(0, [1, 2], 20)))
            while not asked.done():
                ticks.append(scheduler.running and scheduler.running[0].num_computed_tokens)
                await asyncio.sleep(0)

    asyncio.run(main())
    assert len(ticks) > 20


LOST = 9
"""A token at which the damaged model has no numbers."""


def damaged():
    broken = decoder.__wrapped__("dense")
    broken.embed_tokens.weight[LOST] = float("nan")
    return broken


@pytest.mark.parametrize("how", ["paged", "static"])
def test_a_request_whose_numbers_are_lost_fails_alone(how):
    """In whatever company, drawn or the best; and those who later get its blocks are none the worse."""
    model, wants = damaged(), [GREEDY, Sampling(), Sampling(temperature=0.7, top_k=4)]
    scheduler, runner = runner_for(model, 14, 4)
    if how == "static":
        scheduler, runner = StaticBatching(4, 200), StaticRunner(model)
    prompts = [[1 + n % 5, LOST if n % 3 == 0 else 8, 3] for n in range(18)]

    async def main():
        async with Engine(scheduler, runner) as engine:
            asked = [
                Sequence(n, p, 7, (), wants[n % 4 % 3], torch.Generator().manual_seed(n)) for n, p in enumerate(prompts)
            ]
            return await asyncio.gather(*(received(engine, s) for s in asked), return_exceptions=True)

    answers = asyncio.run(main())
    for n, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        if LOST in prompt:
            assert isinstance(answer, AnswerLostError)
            continue
        sampling, seed = wants[n % 4 % 3], torch.Generator().manual_seed(n)
        alone = generate(decoder("dense"), [prompt], 7, sampling=sampling, generator=seed, stop=at_tokens(LOST))
        expected = list(alone.tokens[0])
        fed_back = LOST in expected[:6]
        assert isinstance(answer, AnswerLostError) if fed_back else answer == expected
    if how == "paged":
        assert scheduler.pool.num_free == 14


def test_a_model_that_breaks_fails_its_requests_and_hangs_nobody():
    broken = decoder.__wrapped__("dense")
    broken.norm = None
    scheduler, runner = runner_for(broken, 12, 4)

    async def main():
        async with Engine(scheduler, runner) as engine:
            await received(engine, Sequence(0, [1], 4))

    with pytest.raises(EngineStoppedError) as stopped:
        asyncio.run(main())
    assert isinstance(stopped.value.__cause__, TypeError)
    assert scheduler.pool.num_free == 12
