"""A `DecoderConfig` as the `config.json` of its family: the inverse of `families.read_config`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from labkit.models.config import DecoderConfig, RopeConfig
from labkit.models.config_fields import ROPE_FIELDS

_ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "mixtral": "MixtralForCausalLM",
    "olmoe": "OlmoeForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
}


def write_config(config: DecoderConfig) -> dict[str, Any]:
    """Fields that transformers and `read_config` both understand."""
    return {
        "architectures": [_ARCHITECTURES[config.family]],
        "model_type": config.family,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "max_position_embeddings": config.max_position_embeddings,
        "rope_parameters": _rope(config.rope),
        "tie_word_embeddings": config.tie_word_embeddings,
        "attention_bias": config.attention_bias,
        "mlp_bias": config.mlp_bias,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": _one_or_all(config.eos_token_ids),
        "pad_token_id": config.pad_token_id,
        **_experts(config),
    }


def _rope(rope: RopeConfig) -> dict[str, Any]:
    fields = {k: v for k, v in asdict(rope).items() if k in ROPE_FIELDS[rope.rope_type] and v is not None}
    return {"rope_type": rope.rope_type, "rope_theta": rope.theta, **fields}


def _experts(config: DecoderConfig) -> dict[str, Any]:
    if config.moe is None:
        return {}
    moe = config.moe
    fields = {"num_experts_per_tok": moe.num_experts_per_tok, "norm_topk_prob": moe.norm_topk_prob}
    if config.family == "mixtral":
        return {"num_local_experts": moe.num_experts, **fields}
    if config.family == "olmoe":
        return {"num_experts": moe.num_experts, "clip_qkv": config.clip_qkv, **fields}
    dense = [n for n in range(config.num_layers) if n not in moe.layers]
    return {
        "num_experts": moe.num_experts,
        "moe_intermediate_size": moe.intermediate_size,
        "mlp_only_layers": dense,
        "decoder_sparse_step": 1,
        **fields,
    }


def _one_or_all(ids: tuple[int, ...]) -> int | list[int] | None:
    return list(ids) if len(ids) > 1 else next(iter(ids), None)
