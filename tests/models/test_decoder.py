"""Our decoder against transformers' own models, on the same random checkpoints, in fp32."""

import pytest
import torch

from labkit.models.cache import positions_from_mask
from labkit.models.checkpoint import Checkpoint, read_json
from labkit.models.families import read_config
from labkit.models.filling import Reader, check_tensors, empty_decoder, fill, wanted_tensors

TOLERANCE = {"atol": 1e-4, "rtol": 0}
ROPES = {
    "default": {"rope_type": "default", "rope_theta": 500.0},
    "linear": {"rope_type": "linear", "rope_theta": 500.0, "factor": 2.0},
    "llama3": {
        "rope_type": "llama3",
        "rope_theta": 500.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
    "yarn": {"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "original_max_position_embeddings": 16},
    "yarn, every field": {
        "rope_type": "yarn",
        "rope_theta": 500.0,
        "factor": 4.0,
        "original_max_position_embeddings": 16,
        "beta_fast": 8.0,
        "beta_slow": 0.5,
        "mscale": 1.0,
        "mscale_all_dim": 0.7,
        "truncate": False,
    },
}
VARIANTS = [
    ("llama", {}),
    ("llama", {"num_key_value_heads": 4}),
    ("llama", {"num_key_value_heads": 1, "tie_word_embeddings": True}),
    ("llama", {"attention_bias": True, "mlp_bias": True}),
    ("llama", {"head_dim": 16, "attention_bias": True}),
    *(("llama", {"rope_parameters": rope}) for rope in ROPES.values()),
    ("qwen3", {}),
    ("qwen3", {"num_key_value_heads": 4, "tie_word_embeddings": True, "attention_bias": True}),
    ("qwen3", {"rope_parameters": ROPES["yarn"]}),
    ("mixtral", {}),
    ("mixtral", {"num_key_value_heads": 4, "num_experts_per_tok": 1, "tie_word_embeddings": True}),
    ("mixtral", {"num_experts_per_tok": 4, "rope_parameters": ROPES["linear"]}),
    ("olmoe", {"num_key_value_heads": 4}),
    ("olmoe", {"attention_bias": True, "norm_topk_prob": True, "tie_word_embeddings": True}),
    ("olmoe", {"clip_qkv": 0.3, "rope_parameters": ROPES["llama3"]}),
    ("qwen3_moe", {}),
    ("qwen3_moe", {"norm_topk_prob": True, "num_key_value_heads": 4, "attention_bias": True}),
    ("qwen3_moe", {"num_hidden_layers": 3, "mlp_only_layers": [0], "tie_word_embeddings": True}),
    ("qwen3_moe", {"num_hidden_layers": 4, "decoder_sparse_step": 2, "rope_parameters": ROPES["yarn"]}),
]


@pytest.fixture(params=VARIANTS, ids=lambda v: f"{v[0]}: {', '.join(f'{k}={x}' for k, x in v[1].items())}"[:60])
def pair(request, save_random):
    """Our decoder and transformers' model with the same weights."""
    family, fields = request.param
    folder, theirs = save_random(family, **fields)
    config, checkpoint = read_config(read_json(folder / "config.json")), Checkpoint(folder)
    ours = empty_decoder(config)
    check_tensors(wanted_tensors(ours), config, checkpoint)
    fill(ours, Reader(config, checkpoint, torch.device("cpu"), torch.float32))
    return ours.eval(), theirs


@torch.no_grad()
def test_every_way_of_running_gives_the_logits_of_transformers(pair):
    ours, theirs = pair
    tokens = torch.randint(3, 96, (2, 40))
    expected = theirs(tokens).logits
    assert expected.abs().max() > 0.5, "logits near zero would prove nothing"

    torch.testing.assert_close(ours(tokens), expected, **TOLERANCE)

    cache = ours.new_cache(batch=2, capacity=40)
    torch.testing.assert_close(ours(tokens[:, :20], cache), expected[:, :20], **TOLERANCE)  # prefill
    torch.testing.assert_close(ours(tokens[:, 20:33], cache), expected[:, 20:33], **TOLERANCE)  # a second chunk
    for n in range(33, 40):  # decode
        torch.testing.assert_close(ours(tokens[:, n : n + 1], cache), expected[:, n : n + 1], **TOLERANCE)

    padding = torch.tensor([0, 11])
    mask = (torch.arange(40) >= padding[:, None]).long()  # on the left
    positions = positions_from_mask(mask)
    expected = theirs(tokens, attention_mask=mask, position_ids=positions.clamp(min=0)).logits
    real = mask.bool()
    torch.testing.assert_close(ours(tokens, positions=positions)[real], expected[real], **TOLERANCE)
    cache = ours.new_cache(batch=2, capacity=42)
    torch.testing.assert_close(ours(tokens, cache, positions)[real], expected[real], **TOLERANCE)
    assert cache.lengths == [40, 29]
    more = torch.randint(3, 96, (2, 2))
    grown = torch.cat([mask, torch.ones(2, 2, dtype=torch.long)], dim=1)
    after = theirs(
        torch.cat([tokens, more], 1), attention_mask=grown, position_ids=positions_from_mask(grown).clamp(min=0)
    ).logits
    for n in range(2):  # rows of unlike length go on side by side
        step = ours(more[:, n : n + 1], cache)
        torch.testing.assert_close(step[:, 0], after[:, 40 + n], **TOLERANCE)


@torch.no_grad()
def test_padding_on_the_right_changes_nothing(pair):
    ours, _ = pair
    tokens = torch.randint(3, 96, (2, 12))
    mask = torch.ones(2, 12, dtype=torch.long)
    mask[1, 7:] = 0
    cache = ours.new_cache(batch=2, capacity=16)
    padded = ours(tokens, cache, positions_from_mask(mask))
    torch.testing.assert_close(padded[1, :7], ours(tokens[1:, :7])[0], **TOLERANCE)
    step = ours(tokens[:, :1], cache)
    alone = ours(torch.cat([tokens[1:, :7], tokens[1:, :1]], 1))
    torch.testing.assert_close(step[1], alone[0, -1:], **TOLERANCE)


def test_gradients_equal_those_of_transformers(pair):
    ours, theirs = pair
    tokens = torch.randint(3, 96, (2, 16))
    probe = torch.randn(2, 16, 96)
    (ours(tokens) * probe).sum().backward()
    (theirs(tokens).logits * probe).sum().backward()
    torch.testing.assert_close(
        ours.embed_tokens.weight.grad, theirs.model.embed_tokens.weight.grad, atol=1e-3, rtol=1e-3
    )


def test_last_only_is_the_last_column(pair):
    ours, _ = pair
    tokens = torch.randint(3, 96, (2, 6))
    torch.testing.assert_close(ours(tokens, last_only=True), ours(tokens)[:, -1:])
