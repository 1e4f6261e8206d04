"""A decoder on blocks that lie anywhere gives the logits of one without a cache."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.serving.block_pool import BlockPool
from labkit.serving.paged_cache import PagedKVCache, Span
from tests.serving.decoders import CONFIGS, TINY, decoder
from tests.threads import one_thread  # noqa: F401


@settings(deadline=None, max_examples=30)
@given(data=st.data(), name=st.sampled_from(sorted(CONFIGS)), block_size=st.integers(1, 5))
@torch.no_grad()
def test_any_steps_of_any_sequences_equal_the_whole_at_once(data, name, block_size):
    """Three sequences that advance by chunks of their own, with blocks in random order."""
    model, longest = decoder(name), 12
    per_row = -(-longest // block_size)
    cache = PagedKVCache(model.config, BlockPool(3 * per_row, block_size))
    order = data.draw(st.permutations(range(3 * per_row)))
    tables, kept = [order[n * per_row : (n + 1) * per_row] for n in range(3)], [[], [], []]
    while True:
        counts = [data.draw(st.integers(0, longest - len(row))) for row in kept]
        if not sum(counts):
            break
        rows = [n for n in range(3) if counts[n]]
        spans = [Span(tables[n], len(kept[n]), counts[n]) for n in rows]
        new = torch.randint(0, 64, (sum(counts),), generator=torch.Generator().manual_seed(sum(counts)))
        for n, part in zip(rows, new.split([counts[n] for n in rows]), strict=True):
            kept[n] += part.tolist()
        logits = model(new[None], cache.step(spans))[0].split([counts[n] for n in rows])
        for n, found in zip(rows, logits, strict=True):
            whole = model(torch.tensor([kept[n]]))[0, -counts[n] :]
            torch.testing.assert_close(found, whole, atol=1e-4, rtol=0)


@torch.no_grad()
def test_logits_of_some_columns_are_those_of_all():
    model, cache = decoder("dense"), PagedKVCache(TINY, BlockPool(4, 4))
    tokens, columns = torch.randint(0, 64, (1, 7)), torch.tensor([2, 6])
    spans = [Span([3], 0, 3), Span([1], 0, 4)]
    every = model(tokens, cache.step(spans))
    torch.testing.assert_close(model(tokens, cache.step(spans), columns=columns), every[:, columns])


@torch.no_grad()
def test_a_cache_in_bf16_rounds_and_is_half_as_large():
    model, pool = decoder("dense"), BlockPool(4, 4)
    whole, half = PagedKVCache(TINY, pool), PagedKVCache(TINY, pool, torch.bfloat16)
    assert 2 * half.nbytes == whole.nbytes == TINY.cache_elements_per_token() * 16 * 4
    tokens = torch.randint(0, 64, (1, 9))
    exact, rounded = (model(tokens, c.step([Span([2, 0, 1], 0, 9)])) for c in (whole, half))
    assert rounded.dtype == torch.float32
    assert 0 < (exact - rounded).norm() < 0.02 * exact.norm()


def test_tokens_that_the_step_does_not_know_are_refused():
    step = PagedKVCache(TINY, BlockPool(4, 4)).step([Span([0], 0, 3)])
    with pytest.raises(ValueError, match="for 3 tokens in one row"):
        step.begin(torch.zeros(1, 2))
    with pytest.raises(ValueError, match="and positions"):
        step.begin(torch.zeros(1, 3), torch.arange(3)[None])
