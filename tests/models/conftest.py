"""Random checkpoints of the five families, written by transformers: the truth our decoder is held against."""

from __future__ import annotations

import pytest
import torch
import transformers as t

from tests.precision import auto_is_fp32  # noqa: F401
from tests.threads import one_thread  # noqa: F401

t.logging.disable_progress_bar()

FAMILIES = {
    "llama": (t.LlamaConfig, t.LlamaForCausalLM),
    "qwen3": (t.Qwen3Config, t.Qwen3ForCausalLM),
    "mixtral": (t.MixtralConfig, t.MixtralForCausalLM),
    "olmoe": (t.OlmoeConfig, t.OlmoeForCausalLM),
    "qwen3_moe": (t.Qwen3MoeConfig, t.Qwen3MoeForCausalLM),
}
SIZES = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
OWN = {
    "qwen3": {"head_dim": 16},
    "mixtral": {"num_local_experts": 4},
    "olmoe": {"num_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": {"head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
}


def _random_model(family: str, seed: int = 0, **fields):
    """A model of transformers with random weights, biases and gains (its own start has zero biases, unit gains)."""
    config_class, model_class = FAMILIES[family]
    torch.manual_seed(seed)
    config = config_class(**{**SIZES, **OWN.get(family, {}), **fields})
    model = model_class(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                centre = 1.0 if "norm" in name else 0.0
                parameter.copy_(centre + 0.3 * torch.randn_like(parameter))
            else:
                parameter.copy_(0.15 * torch.randn_like(parameter))
    return model


@pytest.fixture
def random_model():
    """`random_model(family, seed=0, **config_fields)`: a model of transformers with random weights."""
    return _random_model


@pytest.fixture
def save_random(tmp_path):
    """`save_random(family, seed=0, **config_fields)`: the same, saved as transformers saves it; folder and model."""

    def save(family: str, seed: int = 0, **fields):
        model = _random_model(family, seed, **fields)
        folder = tmp_path / f"{family}-{seed}"
        model.save_pretrained(folder)
        return folder, model

    return save
