"""A rehearsal is the engine and the load generator themselves, without the waiting."""

import asyncio
from contextlib import aclosing

import numpy as np
import pytest

from labkit.serving.block_pool import BlockPool
from labkit.serving.engine import Engine
from labkit.serving.scheduler import Scheduler
from labkit.serving.sequence import Sequence
from labkit.serving.static_batching import StaticBatching
from labkit.throughput.arrivals import poisson_arrivals
from labkit.throughput.driving import open_loop
from labkit.throughput.endpoint import Chunk
from labkit.throughput.lengths import uniform_lengths
from labkit.throughput.rehearsal import Price, rehearse
from labkit.throughput.request import Request, workload
from labkit.throughput.virtual import run_virtual

PRICE = Price(fixed=0.02, per_token=0.0005)


def requests(count=60, rate=4.0):
    rng = np.random.default_rng(0)
    lengths = (uniform_lengths(low, high, count, rng) for low, high in ((1, 300), (1, 40)))
    return workload(poisson_arrivals(rate, count, rng), *lengths, rng)


def small():
    return Scheduler(BlockPool(64, 16), max_num_seqs=6, max_num_batched_tokens=128, prefill_chunk=48)


class EngineEndpoint:
    """The engine as the load generator sees it, with prompts as a rehearsal makes them."""

    def __init__(self, engine):
        self.engine, self.count = engine, 0

    async def stream(self, request):
        number, self.count = self.count, self.count + 1
        first = number << 32
        sequence = Sequence(number, list(range(first, first + request.input_length)), request.output_length)
        async with aclosing(self.engine.stream(sequence)) as tokens:
            async for _ in tokens:
                yield Chunk("token ", len(sequence.output_ids), request.input_length)


def by_the_engine(asked):
    async def model(step):
        drawn = {work.sequence.request_id: 0 for work in step if work.draws}
        await asyncio.sleep(PRICE.of(sum(work.num_tokens for work in step)))
        return drawn

    async def main():
        async with Engine(small(), model) as engine:
            return await open_loop(EngineEndpoint(engine), asked)

    return run_virtual(main())


def test_every_token_comes_when_the_engine_in_virtual_time_gives_it():
    theirs, ours = by_the_engine(requests()), rehearse(small(), requests(), PRICE).run
    for one, other in zip(theirs.records, ours.records, strict=True):
        assert other.outcome == one.outcome == "completed"
        assert list(other.times) == pytest.approx(list(one.times))
        assert list(other.totals) == list(one.totals)


def test_time_is_the_price_of_what_was_computed():
    found = rehearse(small(), [Request(1.0, "", 100, 3)], PRICE)
    assert [step.tokens for step in found.steps] == [48, 48, 4, 1, 1]
    assert found.run.seconds == pytest.approx(1.0 + 5 * 0.02 + 102 * 0.0005)
    assert found.padding == 0


def test_a_rectangle_pays_for_its_padding():
    asked = [Request(0.0, "", 10, 1), Request(0.0, "", 4, 3)]
    found = rehearse(StaticBatching(batch_size=2, num_cache_tokens=64), asked, PRICE)
    assert [(step.tokens, step.padding) for step in found.steps] == [(20, 6), (2, 1), (2, 1)]


def test_a_prompt_of_numbers_meets_the_prefix_cache():
    prompt = tuple(range(64))
    found = rehearse(small(), [Request(float(at), prompt, 64, 1) for at in range(2)], PRICE)
    assert found.tokens == 64 + 16


def test_the_watcher_sees_each_step_before_the_scheduler_knows():
    seen = []
    scheduler = small()
    rehearse(scheduler, requests(5), PRICE, lambda now, step: seen.append((now, len(step), len(scheduler.running))))
    assert all(inside >= working for _, working, inside in seen)
    assert [now for now, *_ in seen] == sorted(now for now, *_ in seen)


def test_a_scheduler_that_plans_nothing_is_told():
    scheduler = small()
    scheduler.schedule = list
    with pytest.raises(RuntimeError, match="wait for ever"):
        rehearse(scheduler, requests(1), PRICE)
