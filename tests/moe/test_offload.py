"""Offloaded experts give the same logits, hold no more than they say, and hit as often as Python's own LRU cache."""

import dataclasses
from functools import lru_cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labkit.models.config import MoeConfig
from labkit.models.decoder import Decoder
from labkit.moe.expert_cache import ExpertCache, hit_rates
from labkit.moe.offload import offload

EXPERTS = 6
REQUESTS = st.lists(st.integers(0, EXPERTS - 1), min_size=1, max_size=60)


@given(requests=REQUESTS, held=st.integers(1, EXPERTS))
def test_hits_are_those_of_functools_lru_cache(requests, held):
    known = lru_cache(maxsize=held)(lambda expert: expert)
    cache = ExpertCache(lambda expert: (torch.tensor([expert]), torch.zeros(0)), held)
    for expert in requests:
        known(expert)
        assert cache.get(expert)[0].item() == expert
    assert (cache.hits, cache.misses) == known.cache_info()[:2]
    assert cache.nbytes <= 8 * held
    assert cache.bytes_read == 8 * cache.misses
    assert hit_rates(requests, EXPERTS)[held - 1] == pytest.approx(cache.hit_rate)


def test_nothing_asked_and_no_room_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        ExpertCache(lambda expert: None, 0)
    with pytest.raises(ValueError, match="no hit rate"):
        ExpertCache(lambda expert: None, 1).hit_rate  # noqa: B018
    with pytest.raises(ValueError, match="no hit rate"):
        hit_rates([], 4)


@pytest.fixture
def sparse(tiny):
    torch.manual_seed(0)
    moe = MoeConfig(EXPERTS, 2, 8, True, (0, 1))
    return Decoder(dataclasses.replace(tiny, family="qwen3_moe", moe=moe)).eval()


@pytest.mark.parametrize("place", ["disk", "host"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_the_model_says_the_same_with_its_experts_elsewhere(sparse, tmp_path, place, dtype):
    sparse.to(dtype)
    tokens = torch.randint(64, (2, 10))
    expected, weights = sparse(tokens), sum(p.nbytes for p in sparse.parameters())
    of_experts = sum(e.nbytes for n, e in sparse.named_parameters() if "experts" in n)
    moved = offload(sparse, 2, tmp_path if place == "disk" else None)
    tolerance = {} if dtype == torch.float32 else {"atol": 0.05, "rtol": 0.05}
    torch.testing.assert_close(sparse(tokens), expected, **tolerance)
    assert sum(p.nbytes for p in sparse.parameters()) == weights - of_experts
    assert sum(layer.cache.nbytes for layer in moved) == of_experts * 2 // EXPERTS
    if place == "disk":
        assert sum(f.stat().st_size for f in tmp_path.iterdir()) == of_experts


@torch.no_grad()
def test_a_forgotten_file_reads_the_same(sparse, tmp_path):
    [layer, _] = offload(sparse, 1, tmp_path)
    before = layer.source.read(3)
    layer.source.forget()
    assert all(torch.equal(a, b) for a, b in zip(layer.source.read(3), before, strict=True))


def test_what_is_held_does_not_hang_on_the_source(sparse):
    """A cache of views into the whole would save nothing."""
    [layer, _] = offload(sparse, 1)
    gate_up, _ = layer.cache.get(0)
    assert gate_up.untyped_storage().nbytes() == gate_up.nbytes


def test_a_dense_model_has_nothing_to_move(tiny):
    with pytest.raises(ValueError, match="nothing to move"):
        offload(Decoder(tiny), 1)
