"""What the decoder must know about itself, in one vocabulary for all five families.

Not transformers' config: that one says how a checkpoint was written, this one what is computed. `families` translates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class RopeConfig:
    """Rotary position embedding (Su et al., 2021, arXiv 2104.09864) and how its frequencies are stretched."""

    rope_type: Literal["default", "linear", "llama3", "yarn"] = "default"
    theta: float = 10_000.0
    factor: float = 1.0
    original_max_position_embeddings: int | None = None  # llama3, yarn: context length before stretching
    low_freq_factor: float = 1.0  # llama3
    high_freq_factor: float = 4.0  # llama3
    beta_fast: float = 32.0  # yarn
    beta_slow: float = 1.0  # yarn
    attention_factor: float | None = None  # yarn
    mscale: float | None = None  # yarn
    mscale_all_dim: float | None = None  # yarn
    truncate: bool = True  # yarn


@dataclass(frozen=True)
class MoeConfig:
    """Mixture of experts in place of the MLP of some layers."""

    num_experts: int
    num_experts_per_tok: int
    intermediate_size: int
    norm_topk_prob: bool
    layers: tuple[int, ...]


@dataclass(frozen=True)
class DecoderConfig:
    """One decoder-only transformer. Sizes are in elements, ids in vocabulary entries.

    `qk_norm` is "head" for RMSNorm over each head (Qwen3), "all" over all heads at once (OLMoE), None without.
    """

    family: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    norm_eps: float
    max_position_embeddings: int
    rope: RopeConfig = field(default_factory=RopeConfig)
    moe: MoeConfig | None = None
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    qk_norm: Literal["head", "all"] | None = None
    clip_qkv: float | None = None
    bos_token_id: int | None = None
    eos_token_ids: tuple[int, ...] = ()
    pad_token_id: int | None = None

    def is_moe(self, layer: int) -> bool:
        """Whether `layer` routes its tokens to experts."""
        return self.moe is not None and layer in self.moe.layers

    def cache_elements_per_token(self) -> int:
        """Elements that one token adds to the cache: a key and a value per layer and head.

        >>> tiny = DecoderConfig("llama", 96, 32, 48, 2, 4, 2, 8, 1e-6, 64)
        >>> tiny.cache_elements_per_token()  # 2 layers x (key, value) x 2 heads x 8
        64
        """
        return self.num_layers * 2 * self.num_kv_heads * self.head_dim
