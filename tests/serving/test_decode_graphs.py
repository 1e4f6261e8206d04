"""A decode step whose numbers all lie on the device gives what any other step does, recorded or not."""

import pytest
import torch

from labkit.serving.block_pool import BlockPool
from labkit.serving.decode_graphs import DecodeBatch, recordable
from labkit.serving.paged_cache import PagedKVCache, Span
from labkit.serving.runner import Batch, ModelRunner
from labkit.serving.scheduler import Scheduler
from labkit.serving.sequence import Sequence
from tests.serving.decoders import TINY, decoder
from tests.threads import one_thread  # noqa: F401

LENGTHS = (9, 4, 1, 6, 12)
TABLES = ([3, 8, 1], [5], [0], [2, 9], [7, 4, 6])
SPANS = [Span(table, length - 1, 1) for table, length in zip(TABLES, LENGTHS, strict=True)]


def filled(device="cpu"):
    """A cache of five sequences that lack their last token; blocks that nobody holds are spoiled."""
    model = decoder.__wrapped__("dense").to(device)
    cache = PagedKVCache(TINY, BlockPool(12, 4), device=device)
    cache.keys[:, 10:] = cache.values[:, 10:] = float("nan")
    rows = [torch.randint(0, 64, (n,), generator=torch.Generator().manual_seed(n)).tolist() for n in LENGTHS]
    long = [(row, table) for row, table in zip(rows, TABLES, strict=True) if len(row) > 1]
    tokens = torch.tensor([[token for row, _ in long for token in row[:-1]]], device=device)
    model(tokens, cache.step([Span(table, 0, len(row) - 1) for row, table in long]))
    whole = torch.stack([model(torch.tensor([row], device=device))[0, -1] for row in rows])
    return model, cache, [row[-1] for row in rows], whole


@torch.no_grad()
@pytest.mark.parametrize("size", [(5, 3), (8, 4)])
def test_a_padded_batch_equals_the_whole_at_once(size):
    model, cache, last, whole = filled()
    batch = DecodeBatch(cache, *size)
    for _ in range(3):  # as recording does; a step that is done again changes nothing
        batch.fill(last, SPANS)
        torch.testing.assert_close(model(batch.tokens, batch)[0, :5], whole, atol=1e-4, rtol=0)


@torch.no_grad()
def test_what_it_wrote_is_there_for_the_next_step():
    model, cache, last, _ = filled()
    batch = DecodeBatch(cache, 8, 4)
    batch.fill(last, SPANS)
    expected = model(batch.tokens, batch)[0, :5]
    cache.keys[:, 0, 0] = 7.0  # the only token of the third row
    again = model(torch.tensor([last]), cache.step(SPANS))[0]
    torch.testing.assert_close(again, expected, atol=1e-4, rtol=0)


def test_what_cannot_be_recorded_is_not():
    assert not recordable(decoder("dense")), "on a CPU there is nothing to record"
    assert not recordable(decoder("experts"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="blocked: CUDA graphs need a GPU")
def test_replayed_steps_write_what_plain_ones_do():
    """Batches that shrink, tables that grow, and prompts in between, with and without graphs."""
    written = []
    for graphs in (False, True):
        model = decoder.__wrapped__("dense").to("cuda")
        pool = BlockPool(60, 4)
        scheduler = Scheduler(pool, max_num_seqs=7, max_num_batched_tokens=16)
        runner = ModelRunner(model, PagedKVCache(TINY, pool, device="cuda"), graphs)
        sequences = [Sequence(n, [n, 5, 7 * n % 64, 9][: 1 + n % 4], 3 + 5 * n) for n in range(9)]
        for sequence in sequences:
            scheduler.add(sequence)
        while not scheduler.idle:
            step = scheduler.schedule()
            scheduler.complete(step, runner.compute(Batch.of(step)))
        written.append([sequence.output_ids for sequence in sequences])
        assert (runner._graphs is not None) == graphs
    assert written[0] == written[1]
    assert {rows for rows, _ in runner._graphs._recorded} == {1, 2, 4, 8}
