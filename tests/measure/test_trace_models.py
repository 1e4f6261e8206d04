"""Whole transformers models, unchanged: against the closed formula of their papers and against their own parts."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

from labkit.measure.tracing import trace

B, S, HIDDEN, HEADS, KV_HEADS, MLP, VOCABULARY, LAYERS = 2, 5, 32, 4, 2, 48, 64, 2
WIDTH = HIDDEN // HEADS


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def config(kind=LlamaConfig, **more):
    return kind(
        hidden_size=HIDDEN,
        intermediate_size=MLP,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        num_hidden_layers=LAYERS,
        vocab_size=VOCABULARY,
        **more,
    )


def projections(tokens: int) -> int:
    """Query and output of full width, key and value of the width of their fewer heads."""
    return 2 * tokens * HIDDEN * (2 * HIDDEN + 2 * KV_HEADS * WIDTH)


def attention(queries: int, keys: int) -> int:
    """Scores and values of one sequence, the causal half not discounted."""
    return 2 * 2 * HEADS * queries * keys * WIDTH


def mlp(tokens: int) -> int:
    """Gate, up and down."""
    return 2 * tokens * 3 * HIDDEN * MLP


def block(tokens: int, queries: int, keys: int, sequences: int) -> int:
    return projections(tokens) + sequences * attention(queries, keys) + mlp(tokens)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_llama_block_against_the_closed_formula(implementation):
    made = config(attn_implementation=implementation)
    layer, rotary = LlamaDecoderLayer(made, 0).eval(), LlamaRotaryEmbedding(made)
    x, positions = torch.randn(B, S, HIDDEN), torch.arange(S)[None]
    angles = rotary(x, positions)
    with torch.no_grad(), trace() as t:
        layer(x, position_embeddings=angles)
    assert t.flops == block(B * S, S, S, B)
    assert not [op.name for op in t.ops if op.unknown]


def test_llama_block_reads_every_weight():
    layer = LlamaDecoderLayer(config(attn_implementation="sdpa"), 0).eval()
    angles = LlamaRotaryEmbedding(config())(torch.randn(1, 1, HIDDEN), torch.zeros(1, 1, dtype=torch.int64))
    with torch.no_grad(), trace() as t:
        layer(torch.randn(1, 1, HIDDEN), position_embeddings=angles)
    weights = sum(p.numel() * 4 for p in layer.parameters())
    products = sum(op.bytes_read for op in t.ops if op.flops and "attention" not in op.name)
    matrices = weights - 2 * 4 * HIDDEN  # the two norms are no products
    activations = 4 * (3 * HIDDEN + HIDDEN + HIDDEN + HIDDEN + MLP)  # q k v, o, gate, up, down
    assert products == matrices + activations
    assert t.bytes_read > weights


def test_llama_model_and_its_module_paths():
    model = LlamaForCausalLM(config()).eval()
    with torch.no_grad(), trace() as t:
        model(torch.randint(0, VOCABULARY, (B, S)))
    assert t.flops == LAYERS * block(B * S, S, S, B) + 2 * B * S * HIDDEN * VOCABULARY
    assert t.completeness.startswith("100 % of time and 100 % of bytes accounted for")
    paths = {op.module for op in t.ops if op.flops}
    assert "LlamaForCausalLM.model.layers.1.self_attn.k_proj" in paths
    assert "LlamaForCausalLM.lm_head" in paths
    below = [op.flops for op in t.ops if op.module.startswith("LlamaForCausalLM.model.layers.0") and op.flops]
    assert sum(below) == block(B * S, S, S, B)


def test_llama_training_step_costs_three_forwards_and_the_scores_again():
    model = LlamaForCausalLM(config()).train()
    ids = torch.randint(0, VOCABULARY, (B, S))
    with trace() as t:
        model(ids, labels=ids).loss.backward()
    forward = LAYERS * block(B * S, S, S, B) + 2 * B * S * HIDDEN * VOCABULARY
    scores_again = LAYERS * B * attention(S, S) // 2
    assert t.flops == 3 * forward + scores_again
    assert not [op.name for op in t.ops if op.unknown]
    assert {op.module for op in t.ops if op.flops and op.backward} >= {"LlamaForCausalLM.lm_head"}


def test_generate():
    """A prompt of 5 and 4 tokens more: one pass over 5 positions, then three of one position each."""
    model = LlamaForCausalLM(config()).eval()
    ids = torch.randint(1, VOCABULARY, (1, S))
    with trace() as t:
        model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=4, min_new_tokens=4, do_sample=False)
    prompt = LAYERS * block(S, S, S, 1)
    steps = sum(LAYERS * block(1, 1, S + i, 1) for i in (1, 2, 3))
    heads = 4 * 2 * HIDDEN * VOCABULARY  # only the last position of the prompt reaches the head
    assert t.flops == prompt + steps + heads
    assert not [op.name for op in t.ops if op.unknown]
    assert t.interrupted is None


@pytest.mark.parametrize("experts", ["eager", "grouped_mm", "batched_mm"])
def test_mixtral_costs_its_active_experts(experts):
    """Two of four experts for each token, whichever way the experts are run."""
    made = config(MixtralConfig, num_local_experts=4, num_experts_per_tok=2, experts_implementation=experts)
    model = MixtralForCausalLM(made).eval()
    with torch.no_grad(), trace() as t:
        model(torch.randint(0, VOCABULARY, (B, S)))
    assert not [op.name for op in t.ops if op.unknown]
    tokens = B * S
    router = 2 * tokens * HIDDEN * 4
    layer = projections(tokens) + B * attention(S, S) + router + 2 * mlp(tokens)
    assert t.flops == LAYERS * layer + 2 * tokens * HIDDEN * VOCABULARY
