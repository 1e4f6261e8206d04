"""The formulas against the trace of what really runs, and the bench's own bookkeeping on a tiny model."""

import pytest
import torch

from labkit.generation import bench, bench_grid, bench_peers
from labkit.generation.costs import decode_pass, matrix_elements, prefill_pass
from labkit.measure import trace
from labkit.models.config import MoeConfig


@torch.no_grad()
@pytest.mark.parametrize("batch", [1, 3])
def test_flops_are_those_that_run(decoder, batch):
    model = decoder(num_layers=3)
    config = model.config
    tokens, cache = torch.randint(0, 64, (batch, 20)), model.new_cache(batch, 21)
    model(tokens[:, :1], cache)  # a first use costs nothing of its own
    cache.rewind(1)
    with trace() as prefill:
        model(tokens, cache, last_only=True)
    with trace() as decode:
        model(tokens[:, :1], cache)
    assert decode.flops == decode_pass(config, batch, 21).flops
    masked = 4 * 3 * config.num_heads * config.head_dim * (20 * 20 - 20 * 21 // 2) * batch  # counted by the trace
    assert prefill.flops == prefill_pass(config, batch, 20).flops + masked


@torch.no_grad()
def test_bytes_are_the_weights_and_the_cache(decoder):
    model = decoder()
    cost = decode_pass(model.config, 2, 20)
    matrices = [p for n, p in model.named_parameters() if "proj" in n or "lm_head" in n]
    assert cost.weight_bytes == sum(p.nbytes for p in matrices)
    assert decode_pass(model.config, 2, 20, weight_bytes=2).weight_bytes == cost.weight_bytes // 2
    cache = model.new_cache(2, 20)
    assert cost.cache_bytes == cache.nbytes * 20 // 21  # without the spare slot
    assert cost.bytes == cost.weight_bytes + cost.cache_bytes


def test_experts_have_no_such_formula(decoder):
    with pytest.raises(ValueError, match="dense"):
        matrix_elements(decoder(moe=MoeConfig(4, 2, 48, True, (1,))).config)


@pytest.mark.slow
def test_the_bench_writes_a_row_for_each_variant_and_cell(decoder, monkeypatch, tmp_path):
    from labkit.models import save

    monkeypatch.setattr(bench_peers, "ROUNDS", 1)
    monkeypatch.setattr(bench_peers, "STEPS", 12)
    monkeypatch.setattr(bench_peers, "kinds", lambda few_bits: {})  # whatever is installed here
    sizes = {"hidden_size": 64, "intermediate_size": 96, "head_dim": 16, "std": 0.15}
    model = decoder(**sizes)
    found = bench_peers.beside_transformers(save(model, tmp_path))
    quality = found["quality against transformers fp32"]
    assert quality["lean fp32"]["cosine"] > 0.99999
    assert 0 < quality["lean bf16"]["KL"] < 0.01
    race = found["batch 16, 1 thread, CPU time"]
    assert race["transformers fp32"]["ratio"] == 1
    assert set(race) >= {"transformers fp32", "labkit fp32", "lean fp32", "lean bf16"}
    assert [row["promise"] for row in bench.judged(found)["bars"]] == ["decoding, lean fp32", "decoding, lean bf16"]
    rows = bench_grid.grid(model, lengths=(8, 16), batches=(1, 2))
    assert [(r["batch"], r["context"]) for r in rows] == [(1, 8), (1, 16), (2, 8), (2, 16)]
    assert all(r[phase]["share of bandwidth"] > 0 for r in rows for phase in ("prefill", "decode"))


def test_a_bar_needs_speed_and_the_logits_of_fp32():
    def holds(fp32=2.5, bf16=4.3, cosine=0.9999):
        quality = {"lean fp32": {"cosine": 1.0}, "lean bf16": {"cosine": cosine}}
        race = {"lean fp32": {"ratio": fp32}, "lean bf16": {"ratio": bf16}}
        found = {bench_peers.QUALITY: quality, "batch 1, 1 thread, CPU time": race}
        return [row["holds"] for row in bench.judged(found)["bars"]]

    assert holds() == [True, True]
    assert holds(fp32=2.3) == [False, True]
    assert holds(bf16=4.1) == [True, False]
    assert holds(cosine=0.99) == [True, False]
