"""The cache as an argument: rows of unlike length, rewinding, and every misuse."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.models.cache import KVCache
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder

TINY = DecoderConfig("llama", 64, 16, 24, 2, 4, 2, 4, 1e-6, 64)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = Decoder(TINY).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return model


@settings(deadline=None, max_examples=40)
@given(data=st.data())
@torch.no_grad()
def test_any_sequence_of_steps_and_rewinds_equals_the_whole_at_once(model, data):
    """The reference is the forward without a cache, on the tokens that survived the rewinds, row by row."""
    batch = data.draw(st.integers(1, 3))
    cache, kept = model.new_cache(batch, capacity=24), [[] for _ in range(batch)]
    for _ in range(data.draw(st.integers(1, 6))):
        counts = data.draw(st.lists(st.integers(0, 4), min_size=batch, max_size=batch))
        if data.draw(st.booleans()):
            counts = [min(n, len(row)) for n, row in zip(counts, kept, strict=True)]
            cache.rewind(counts)
            kept = [row[: len(row) - n] for n, row in zip(counts, kept, strict=True)]
            continue
        width = max(counts)
        if width == 0 or max(len(row) for row in kept) + width > 24:
            continue
        tokens, positions = torch.randint(0, 64, (batch, width)), torch.full((batch, width), -1)
        for b, (n, row) in enumerate(zip(counts, kept, strict=True)):
            where = slice(width - n, width) if data.draw(st.booleans()) else slice(0, n)
            positions[b, where] = torch.arange(len(row), len(row) + n)
            row.extend(tokens[b, where].tolist())
        even = len(set(counts)) == 1
        logits = model(tokens, cache, None if even else positions)
        for b, row in enumerate(kept):
            if counts[b]:
                new = logits[b][positions[b] >= 0]
                torch.testing.assert_close(new, model(torch.tensor([row]))[0, -counts[b] :], atol=1e-4, rtol=0)
    assert cache.lengths == [len(row) for row in kept]


def test_bytes_follow_the_formula():
    cache = KVCache(TINY, batch=3, capacity=7, dtype=torch.bfloat16)
    assert cache.nbytes == TINY.cache_elements_per_token() * 3 * (7 + 1) * 2


@torch.no_grad()
def test_a_step_allocates_no_cache(model):
    cache = model.new_cache(1, 8)
    before = cache.keys.data_ptr(), cache.values.data_ptr()
    for n in range(8):
        model(torch.tensor([[n]]), cache)
    assert before == (cache.keys.data_ptr(), cache.values.data_ptr())


@torch.no_grad()
def test_misuse_is_an_error_and_loses_nothing(model):
    cache = model.new_cache(2, capacity=4)
    model(torch.ones(2, 3, dtype=torch.long), cache)
    with pytest.raises(ValueError, match="holds 4 tokens a row; this step needs 5"):
        model(torch.ones(2, 2, dtype=torch.long), cache)
    with pytest.raises(ValueError, match="3 rows for a cache of 2"):
        model(torch.ones(3, 1, dtype=torch.long), cache)
    with pytest.raises(ValueError, match="one by one"):
        model(torch.ones(2, 1, dtype=torch.long), cache, torch.tensor([[3], [2]]))
    with pytest.raises(ValueError, match="Cannot rewind"):
        cache.rewind([4, 0])
    with pytest.raises(ValueError, match="Cannot rewind"):
        cache.rewind(-1)
    with pytest.raises(ValueError, match="1 counts for a cache of 2"):
        cache.rewind([1])
    assert cache.lengths == [3, 3]
    with pytest.raises(ValueError, match="at least one row"):
        KVCache(TINY, batch=0, capacity=4)
