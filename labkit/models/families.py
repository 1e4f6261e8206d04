"""Five families of checkpoints: how each spells its config and where each keeps its tensors.

A reader turns the fields of `config.json` into a `DecoderConfig`, or refuses and names the field. A rename table maps
the module paths of our decoder to those of the checkpoint; `{layer}` and `{expert}` stand for indices, and whatever
follows a module path (`weight`, `bias`, the state of a quantized weight) is carried over as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.models.config import DecoderConfig, MoeConfig
from labkit.models.config_fields import Fields
from labkit.models.errors import LoadError

_LAYER = "layers.{layer}."
_THEIRS = "model.layers.{layer}."

_TRUNK = {
    "embed_tokens": "model.embed_tokens",
    "norm": "model.norm",
    "lm_head": "lm_head",
    _LAYER + "attention_norm": _THEIRS + "input_layernorm",
    _LAYER + "mlp_norm": _THEIRS + "post_attention_layernorm",
    **{_LAYER + f"attention.{p}_proj": _THEIRS + f"self_attn.{p}_proj" for p in "qkvo"},
    **{_LAYER + f"attention.{p}_norm": _THEIRS + f"self_attn.{p}_norm" for p in "qk"},
}
_DENSE = {_LAYER + f"mlp.{p}_proj": _THEIRS + f"mlp.{p}_proj" for p in ("gate", "up", "down")}
_EXPERTS = {
    _LAYER + "mlp.router": _THEIRS + "mlp.gate",
    **{
        _LAYER + f"mlp.experts.{{expert}}.{p}_proj": _THEIRS + f"mlp.experts.{{expert}}.{p}_proj"
        for p in ("gate", "up", "down")
    },
}
_MIXTRAL_EXPERTS = {
    _LAYER + "mlp.router": _THEIRS + "block_sparse_moe.gate",
    **{
        _LAYER + f"mlp.experts.{{expert}}.{p}_proj": _THEIRS + f"block_sparse_moe.experts.{{expert}}.{w}"
        for p, w in (("gate", "w1"), ("up", "w3"), ("down", "w2"))
    },
}


@dataclass(frozen=True)
class Family:
    """One kind of checkpoint: its config reader and its rename table."""

    read: Callable[[Fields], DecoderConfig]
    renames: dict[str, str]


def _llama(f: Fields) -> DecoderConfig:
    return f.decoder(
        num_kv_heads=f.get("num_key_value_heads") or f.count("num_attention_heads"),
        mlp_bias=bool(f.get("mlp_bias", False)),
        attention_bias=bool(f.get("attention_bias", False)),
    )


def _qwen3(f: Fields) -> DecoderConfig:
    return f.decoder(
        num_kv_heads=f.count("num_key_value_heads"),
        head_dim=f.get("head_dim") or 128,
        attention_bias=bool(f.get("attention_bias", False)),
        qk_norm="head",
    )


def _mixtral(f: Fields) -> DecoderConfig:
    return f.decoder(
        num_kv_heads=f.count("num_key_value_heads"),
        default_eps=1e-5,
        default_theta=1e6,
        moe=_moe(f, f.count("intermediate_size"), norm_topk_prob=True, layers=range(f.count("num_hidden_layers"))),
    )


def _olmoe(f: Fields) -> DecoderConfig:
    return f.decoder(
        num_kv_heads=f.get("num_key_value_heads") or f.count("num_attention_heads"),
        default_eps=1e-5,
        attention_bias=bool(f.get("attention_bias", False)),
        qk_norm="all",
        clip_qkv=f.get("clip_qkv"),
        moe=_moe(
            f,
            f.count("intermediate_size"),
            norm_topk_prob=bool(f.get("norm_topk_prob", False)),
            layers=range(f.count("num_hidden_layers")),
        ),
    )


def _qwen3_moe(f: Fields) -> DecoderConfig:
    dense = set(f.get("mlp_only_layers") or [])
    every = f.count("decoder_sparse_step", default=1)
    sparse = [n for n in range(f.count("num_hidden_layers")) if n not in dense and (n + 1) % every == 0]
    return f.decoder(
        num_kv_heads=f.count("num_key_value_heads"),
        attention_bias=bool(f.get("attention_bias", False)),
        qk_norm="head",
        moe=_moe(
            f,
            f.count("moe_intermediate_size"),
            norm_topk_prob=bool(f.get("norm_topk_prob", False)),
            layers=sparse,
        ),
    )


def _moe(f: Fields, intermediate_size: int, norm_topk_prob: bool, layers: Any) -> MoeConfig:
    experts = f.count("num_local_experts" if f.get("num_experts") is None else "num_experts")
    chosen = f.count("num_experts_per_tok")
    if chosen > experts:
        raise LoadError(f"{f.where}: num_experts_per_tok is {chosen}, more than the {experts} experts there are.")
    return MoeConfig(experts, chosen, intermediate_size, norm_topk_prob, tuple(layers))


FAMILIES = {
    "llama": Family(_llama, _TRUNK | _DENSE),
    "qwen3": Family(_qwen3, _TRUNK | _DENSE),
    "mixtral": Family(_mixtral, _TRUNK | _MIXTRAL_EXPERTS),
    "olmoe": Family(_olmoe, _TRUNK | _EXPERTS),
    "qwen3_moe": Family(_qwen3_moe, _TRUNK | _DENSE | _EXPERTS),
}


def read_config(raw: dict[str, Any], where: str = "config.json") -> DecoderConfig:
    """The fields of a `config.json` as a `DecoderConfig`.

    Raises `LoadError` naming the field that is missing, contradictory or beyond what the decoder computes.
    """
    family = raw.get("model_type")
    if family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise LoadError(
            f"{where}: model_type {family!r} is none of the families of our decoder ({known}). "
            'backend="transformers" loads anything transformers knows.'
        )
    return FAMILIES[family].read(Fields(raw, where))


def checkpoint_name(family: str, name: str) -> str:
    """The checkpoint's name of a tensor of ours.

    >>> checkpoint_name("mixtral", "layers.3.mlp.experts.7.up_proj.weight")
    'model.layers.3.block_sparse_moe.experts.7.w3.weight'
    """
    return _rename(name, FAMILIES[family].renames)


def our_name(family: str, name: str) -> str:
    """The inverse of `checkpoint_name`. Raises `KeyError` for a tensor the family does not have.

    >>> our_name("qwen3", "model.layers.0.self_attn.k_norm.weight")
    'layers.0.attention.k_norm.weight'
    """
    return _rename(name, {theirs: ours for ours, theirs in FAMILIES[family].renames.items()})


def _rename(name: str, table: dict[str, str]) -> str:
    indices = re.findall(r"(?<=\.)\d+(?=\.)", name)[:2]
    template = name
    for index, slot in zip(indices, ("{layer}", "{expert}"), strict=False):
        template = template.replace(f".{index}.", f".{slot}.", 1)
    parts = template.split(".")
    for end in range(len(parts), 0, -1):
        renamed = table.get(".".join(parts[:end]))
        if renamed is not None:
            filled = ".".join([renamed, *parts[end:]])
            return filled.format(**dict(zip(("layer", "expert"), indices, strict=False)))
    raise KeyError(name)
