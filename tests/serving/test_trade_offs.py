"""What the literature says of each technique, on the shipped trace, with a model whose steps have a known price.

A step takes 20 ms and some for each token in it, in virtual time: a batch of 16 that decodes is nearly free. The
prompts here share nothing unless said.
"""

from contextlib import aclosing

import pytest

from labkit.data import shipped
from labkit.serving.block_pool import BlockPool
from labkit.serving.engine import Engine
from labkit.serving.scheduler import Scheduler
from labkit.serving.sequence import Sequence
from labkit.serving.static_batching import StaticBatching
from labkit.throughput.driving import open_loop
from labkit.throughput.endpoint import Chunk
from labkit.throughput.request import Request
from labkit.throughput.service import service_report
from labkit.throughput.traces import read_trace
from labkit.throughput.virtual import run_virtual
from tests.serving.fake_model import draw, slowly

pytestmark = pytest.mark.slow


class EngineEndpoint:
    """The engine as the load generator sees it; every prompt begins with `shared` tokens and goes on alone."""

    def __init__(self, engine, shared):
        self.engine, self.shared, self.count = engine, shared, 0

    async def stream(self, request):
        self.count += 1
        alone = [self.count * 1009 + place for place in range(request.input_length)]
        sequence = Sequence(self.count, [*range(self.shared), *alone], request.output_length)
        async with aclosing(self.engine.stream(sequence)) as tokens:
            async for _ in tokens:
                yield Chunk("token ", len(sequence.output_ids), request.input_length)


def report(scheduler, seconds_per_token=1e-4, shared=0):
    requests = [Request(a.at, "", a.input_length, a.output_length) for a in read_trace(shipped(TRACE))[:200]]

    async def main():
        run = slowly(draw, lambda step: 0.02 + seconds_per_token * sum(work.num_tokens for work in step))
        async with Engine(scheduler, run) as engine:
            return service_report(await open_loop(EngineEndpoint(engine, shared), requests))

    return run_virtual(main())


TRACE = "traces/chat-and-documents.jsonl"


def continuous(chunk=None):
    return Scheduler(BlockPool(512, 16), max_num_seqs=16, max_num_batched_tokens=512, prefill_chunk=chunk)


def first(found):
    return found.latency("time to first token").mean.value


def test_continuous_batching_beats_static():
    ours, theirs = report(continuous()), report(StaticBatching(batch_size=16, num_cache_tokens=512 * 16))
    assert ours.outcomes == theirs.outcomes == {"completed": ours.requests}
    assert first(ours) < first(theirs) / 4
    assert ours.latency("end-to-end latency").mean.value < theirs.latency("end-to-end latency").mean.value


def test_smaller_chunks_shorten_the_longest_gaps_and_delay_the_first_token():
    found = [report(continuous(chunk), seconds_per_token=5e-4) for chunk in (16, 64, 256)]
    gaps = [r.latency("inter-token latency").percentiles["p99"].value for r in found]
    assert gaps == sorted(gaps)
    assert gaps[0] < gaps[-1] / 2
    assert [first(r) for r in found] == sorted((first(r) for r in found), reverse=True)


def test_a_shared_beginning_is_computed_once(monkeypatch):
    shared = report(continuous(), seconds_per_token=5e-4, shared=320)
    monkeypatch.setattr(BlockPool, "find", lambda *_: [])
    assert first(shared) < first(report(continuous(), seconds_per_token=5e-4, shared=320)) / 2
