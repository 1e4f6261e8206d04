"""Reading `config.json`: every field checked, every refusal by name.

A field that changes what is computed and that the decoder does not compute is refused, never ignored: an ignored
sliding window or logit cap gives a model that answers, wrongly.
"""

from __future__ import annotations

import math
from typing import Any

from labkit.models.config import DecoderConfig, RopeConfig
from labkit.models.errors import LoadError

# Field -> values under which it does nothing. Any other value changes the computation in a way we do not follow.
_MUST_BE_NEUTRAL: dict[str, tuple] = {
    "hidden_act": ("silu", "swish"),
    "sliding_window": (None,),
    "partial_rotary_factor": (None, 1, 1.0),
    "attn_logit_softcapping": (None,),
    "final_logit_softcapping": (None,),
    "logit_scale": (None, 1, 1.0),
    "logits_scaling": (None, 1, 1.0),
    "embedding_multiplier": (None, 1, 1.0),
    "residual_multiplier": (None, 1, 1.0),
    "attention_multiplier": (None,),
    "query_pre_attn_scalar": (None,),
    "shared_expert_intermediate_size": (None, 0),
    "n_shared_experts": (None, 0),
    "is_encoder_decoder": (None, False),
    "add_cross_attention": (None, False),
    "auto_map": (None, {}),
}
ROPE_FIELDS = {
    "default": set(),
    "linear": {"factor"},
    "llama3": {"factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor"},
    "yarn": {
        *("factor", "original_max_position_embeddings", "beta_fast", "beta_slow", "attention_factor"),
        *("mscale", "mscale_all_dim", "truncate"),
    },
}
_ROPE_NEEDS = {"linear": ("factor",), "llama3": ("factor", "low_freq_factor", "high_freq_factor"), "yarn": ("factor",)}


class Fields:
    """The raw fields of one config file, read with checks; `where` names the file in messages."""

    def __init__(self, raw: dict[str, Any], where: str) -> None:
        self.raw, self.where = raw, where

    def get(self, name: str, default: Any = None) -> Any:
        value = self.raw.get(name)
        return default if value is None else value

    def count(self, name: str, default: int | None = None) -> int:
        """A field that must be a positive whole number."""
        value = self.get(name, default)
        if value is None:
            raise LoadError(f"{self.where}: the field {name} is missing.")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise LoadError(f"{self.where}: {name} must be a positive whole number, but is {value!r}.")
        return value

    def number(self, name: str, default: float) -> float:
        """A field that must be a finite, positive number."""
        value = self.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise LoadError(f"{self.where}: {name} must be a positive number, but is {value!r}.")
        return float(value)

    def decoder(
        self,
        num_kv_heads: int,
        head_dim: int | None = None,
        default_eps: float = 1e-6,
        default_theta: float = 10_000.0,
        **family: Any,
    ) -> DecoderConfig:
        """The fields all families share, with the family's own on top."""
        self._refuse_what_we_do_not_compute()
        hidden, heads = self.count("hidden_size"), self.count("num_attention_heads")
        head_dim = head_dim or self.get("head_dim") or self._even_split(hidden, heads)
        vocab = self.count("vocab_size")
        self._check_heads(heads, num_kv_heads, head_dim)
        return DecoderConfig(
            family=self.raw["model_type"],
            vocab_size=vocab,
            hidden_size=hidden,
            intermediate_size=self.count("intermediate_size"),
            num_layers=self.count("num_hidden_layers"),
            num_heads=heads,
            num_kv_heads=num_kv_heads,
            head_dim=head_dim,
            norm_eps=self.number("rms_norm_eps", default_eps),
            max_position_embeddings=self.count("max_position_embeddings", default=2048),
            rope=self._rope(default_theta),
            tie_word_embeddings=bool(self.get("tie_word_embeddings", False)),
            bos_token_id=next(iter(self._ids("bos_token_id", vocab)), None),
            eos_token_ids=self._ids("eos_token_id", vocab),
            pad_token_id=next(iter(self._ids("pad_token_id", vocab)), None),
            **family,
        )

    def _refuse_what_we_do_not_compute(self) -> None:
        for name, neutral in _MUST_BE_NEUTRAL.items():
            value = self.raw.get(name, neutral[0])
            if value not in neutral and not (name == "sliding_window" and self._window_is_off()):
                raise LoadError(f"{self.where}: {name} = {value!r} is not supported by our decoder.")
        other = sorted({kind for kind in self.get("layer_types", []) if kind != "full_attention"})
        if other:
            raise LoadError(f"{self.where}: layer_types holds {other}; our decoder computes full_attention only.")

    def _window_is_off(self) -> bool:
        """Qwen writes a window into the file and switches it off with another field."""
        return self.raw["model_type"].startswith("qwen3") and not self.get("use_sliding_window")

    def _even_split(self, hidden: int, heads: int) -> int:
        if hidden % heads:
            raise LoadError(f"{self.where}: hidden_size {hidden} is not a multiple of num_attention_heads {heads}.")
        return hidden // heads

    def _check_heads(self, heads: int, kv_heads: Any, head_dim: Any) -> None:
        if isinstance(kv_heads, bool) or not isinstance(kv_heads, int) or kv_heads < 1 or heads % kv_heads:
            raise LoadError(
                f"{self.where}: num_key_value_heads must divide num_attention_heads {heads}, but is {kv_heads!r}."
            )
        if isinstance(head_dim, bool) or not isinstance(head_dim, int) or head_dim < 2 or head_dim % 2:
            raise LoadError(f"{self.where}: head_dim must be even for rotary embedding, but is {head_dim!r}.")

    def _ids(self, name: str, vocab: int) -> tuple[int, ...]:
        """Token ids within the vocabulary; one outside can never be produced, so it stops nothing and is left out."""
        value = self.get(name, [])
        return tuple(i for i in (value if isinstance(value, list) else [value]) if 0 <= i < vocab)

    def _rope(self, default_theta: float) -> RopeConfig:
        """Old files say `rope_theta` and `rope_scaling`, new ones `rope_parameters`; the old wins where both stand."""
        given = dict(self.get("rope_scaling") or self.get("rope_parameters") or {})
        kind = given.pop("rope_type", given.pop("type", "default"))
        given.pop("type", None)
        inner = Fields({"rope_theta": given.pop("rope_theta", None)}, self.where)
        theta = inner.number("rope_theta", self.number("rope_theta", default_theta))
        if given.pop("partial_rotary_factor", 1) not in (1, None):
            raise LoadError(f"{self.where}: partial_rotary_factor is not supported by our decoder.")
        self._check_rope(kind, given)
        if kind in ("llama3", "yarn"):
            name = "original_max_position_embeddings"
            given[name] = self.get(name) or given.get(name) or self.count("max_position_embeddings", 2048)
        kept = {k: v for k, v in given.items() if k in ROPE_FIELDS[kind] and v is not None}
        return RopeConfig(rope_type=kind, theta=theta, **kept)

    def _check_rope(self, kind: str, given: dict[str, Any]) -> None:
        if kind not in ROPE_FIELDS:
            raise LoadError(f"{self.where}: rope_type {kind!r} is not supported; known are {', '.join(ROPE_FIELDS)}.")
        unknown = sorted(set(given) - ROPE_FIELDS[kind])
        if unknown and kind != "default":
            raise LoadError(f"{self.where}: the rope scaling {kind!r} has a field we do not know: {unknown[0]}.")
        for name in ROPE_FIELDS[kind] - {"truncate"}:
            Fields(given, self.where).number(name, 1.0)
        missing = [name for name in _ROPE_NEEDS.get(kind, ()) if given.get(name) is None]
        if missing:
            raise LoadError(f"{self.where}: the rope scaling {kind!r} lacks {missing[0]}.")
