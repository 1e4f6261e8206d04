"""Plans and cards against what is really held, and refusals against an injected shortage."""

import pytest
import torch

import labkit as lk
from labkit.measure.ceiling_report import BandwidthPoint, Ceilings
from labkit.measure.tracing import trace
from labkit.models import LoadError, card, loading
from labkit.models.checkpoint import read_json
from labkit.models.families import read_config
from labkit.models.planning import make_plan
from labkit.models.schemes import SCHEMES

FAMILIES = ["llama", "qwen3", "mixtral", "olmoe", "qwen3_moe"]
CPU = torch.device("cpu")


def config_of(folder):
    return read_config(read_json(folder / "config.json"))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tied", [False, True])
def test_a_plan_counts_what_transformers_counts(save_random, family, tied):
    folder, theirs = save_random(family, tie_word_embeddings=tied)
    plan = make_plan("x", config_of(folder), torch.bfloat16, None, CPU, 1 << 30)
    count = sum(p.numel() for p in theirs.parameters())
    assert sum(plan.parameters_by_part.values()) == count
    assert plan.weight_bytes == 2 * count
    assert plan.cache_bytes_per_token == 2 * 2 * 2 * 2 * theirs.model.layers[0].self_attn.head_dim


@pytest.mark.parametrize("family", ["llama", "mixtral"])
@pytest.mark.parametrize("quantization", [None, "int8", "nf4", "nf4-double", "fp4"])
def test_a_plan_foretells_the_bytes_of_the_card(save_random, family, quantization):
    folder, _ = save_random(family, hidden_size=256, intermediate_size=512, vocab_size=512)
    plan = make_plan("x", config_of(folder), torch.float32, SCHEMES.get(quantization), CPU, 1 << 30)
    held = lk.load(folder, dtype="float32", quantization=quantization).card
    assert held.parameters == sum(plan.parameters_by_part.values())
    assert held.bytes_by_part == plan.bytes_by_part


def test_a_model_too_big_is_refused_with_a_table_and_two_ways_out(save_random, monkeypatch):
    folder, _ = save_random("llama", hidden_size=256, intermediate_size=1024, vocab_size=96)
    plan = make_plan("x", config_of(folder), torch.float32, None, CPU, 0)
    monkeypatch.setattr(loading, "available_bytes", lambda _: plan.needed)
    lk.load(folder, dtype="float32")
    monkeypatch.setattr(loading, "available_bytes", lambda _: plan.needed - 1)
    monkeypatch.setattr(
        loading, "open_checkpoint", lambda _: pytest.fail("weights were opened before the plan was made")
    )
    with pytest.raises(LoadError) as caught:
        lk.load(folder, dtype="float32")
    message = str(caught.value)
    assert "Either say dtype='bfloat16'" in message
    assert "or say quantization='int8'" in message
    assert "needed at the worst moment" in message
    monkeypatch.setattr(loading, "available_bytes", lambda _: 1000)
    with pytest.raises(LoadError, match=r"Either take a smaller model.*, or use a machine with"):
        lk.load(folder, dtype="float32", quantization="nf4")


def flat_ceilings(rate):
    points = tuple(BandwidthPoint(n, s, rate, rate, rate, rate) for n in (1, 2) for s in (1 << 10, 1 << 30))
    return Ceilings("cpu", "test", "f", 2, points, (), (), True, "")


def test_the_ceiling_is_bandwidth_over_bytes_read(save_random, monkeypatch):
    """Written out for Llama: all but the embedding table, and the cache at 64 tokens."""
    folder, theirs = save_random("llama")
    monkeypatch.setattr(card, "ceilings", lambda device, measure=None: flat_ceilings(1e9))
    shown = lk.load(folder, dtype="float32").card
    read = 4 * (sum(p.numel() for p in theirs.parameters()) - theirs.model.embed_tokens.weight.numel())
    cache = 4 * 64 * 2 * 2 * 2 * 8  # fp32, context, layers, key and value, heads, elements
    assert shown.step_bytes == read + cache
    assert shown.decode_ceiling == pytest.approx(1e9 / (read + cache))
    assert "tokens/s" in str(shown)


def test_a_tied_table_is_read_as_the_head(save_random):
    tied, _ = save_random("llama", seed=1, tie_word_embeddings=True)
    free, _ = save_random("llama", seed=2)
    assert lk.load(tied, dtype="float32").card.step_bytes == lk.load(free, dtype="float32").card.step_bytes


def test_only_the_chosen_experts_are_read_and_counted(save_random):
    one, theirs = save_random("mixtral", seed=1, num_experts_per_tok=1)
    four, _ = save_random("mixtral", seed=2, num_experts_per_tok=4)
    few, all_of_them = lk.load(one, dtype="float32").card, lk.load(four, dtype="float32").card
    expert = 3 * 32 * 48  # gate, up, down
    assert all_of_them.active_parameters == all_of_them.parameters == sum(p.numel() for p in theirs.parameters())
    assert all_of_them.active_parameters - few.active_parameters == 2 * 3 * expert  # layers, experts left out
    assert all_of_them.step_bytes - few.step_bytes == 4 * 2 * 3 * expert


def test_loading_does_not_wait_for_a_measurement(save_random, monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    shown = lk.load(save_random("llama")[0]).card
    assert shown.decode_ceiling is None
    assert "measured()" in str(shown)


@pytest.mark.parametrize("quantization", ["int8", "nf4", "nf4-double", "fp4"])
@pytest.mark.parametrize("family", ["llama", "mixtral"])
@torch.no_grad()
def test_the_trace_knows_what_quantized_layers_cost(save_random, family, quantization):
    """As many FLOPs as the same model in plain layers, and not one operation of unknown cost."""
    folder, _ = save_random(family, num_experts_per_tok=4) if family == "mixtral" else save_random(family)
    tokens, flops = torch.arange(3, 10)[None], []
    for scheme in (None, quantization):
        model = lk.load(folder, dtype="float32", quantization=scheme).model
        with trace(ceilings=flat_ceilings(1e9)) as seen:
            model(tokens)
        flops.append(seen.flops)
        assert [op.name for op in seen.ops if op.unknown] == []
    assert flops[0] == flops[1] > 0
