"""What reading a prompt and writing a token must cost: FLOPs and bytes from the shape of a dense decoder.

Each matrix element is a multiply-add for every token that passes (Kaplan et al., 2020, arXiv 2001.08361, section 2.1);
attention adds two products with every key that is looked at. Bytes are weights and cache, each once a pass; embeddings,
norms and activations are left out, as their share is small.
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.measure.ceiling_report import Ceilings
from labkit.models.config import DecoderConfig

FP32 = 4


@dataclass(frozen=True)
class PassCost:
    """One pass of the model: `tokens` go in, over all rows."""

    tokens: int
    flops: int
    weight_bytes: int
    cache_bytes: int

    @property
    def bytes(self) -> int:
        return self.weight_bytes + self.cache_bytes

    def least_seconds(self, ceilings: Ceilings, threads: int | None = None) -> float:
        """What no program can beat on this machine, in fp32 arithmetic: the longer of fetching and calculating."""
        fetching = self.bytes / ceilings.bandwidth(self.bytes, threads, kind="read")
        return max(fetching, self.flops / ceilings.peak("float32", threads))


def matrix_elements(config: DecoderConfig) -> int:
    """Weights that every token is multiplied by: all matrices but the embedding table.

    Raises `ValueError` for a mixture of experts, whose tokens do not all meet the same weights.

    >>> matrix_elements(DecoderConfig("llama", 8192, 512, 1408, 12, 8, 4, 64, 1e-6, 4096))
    39583744
    """
    if config.moe is not None:
        raise ValueError("These formulas are for dense models; of experts a token meets only some.")
    attention = config.hidden_size * config.head_dim * 2 * (config.num_heads + config.num_kv_heads)
    mlp = 3 * config.hidden_size * config.intermediate_size
    return config.num_layers * (attention + mlp) + config.hidden_size * config.vocab_size


def decode_pass(config: DecoderConfig, batch: int, context: int, weight_bytes: int = FP32) -> PassCost:
    """One new token for each of `batch` rows, looking at `context` tokens; cache fp32, a weight of `weight_bytes`."""
    looking = 4 * config.num_layers * config.num_heads * config.head_dim * context
    return PassCost(
        tokens=batch,
        flops=batch * (2 * matrix_elements(config) + looking),
        weight_bytes=weight_bytes * matrix_elements(config),
        cache_bytes=FP32 * batch * context * config.cache_elements_per_token(),
    )


def prefill_pass(config: DecoderConfig, batch: int, length: int, weight_bytes: int = FP32) -> PassCost:
    """`length` tokens of each of `batch` rows at once, logits for the last alone; each looks at those before it."""
    head = config.hidden_size * config.vocab_size
    looking = 4 * config.num_layers * config.num_heads * config.head_dim * (length * (length + 1) // 2)
    return PassCost(
        tokens=batch * length,
        flops=batch * (2 * length * (matrix_elements(config) - head) + 2 * head + looking),
        weight_bytes=weight_bytes * matrix_elements(config),
        cache_bytes=FP32 * batch * length * config.cache_elements_per_token(),
    )
