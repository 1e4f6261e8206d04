"""Shapes of decoders as their `config.json` gives them: the inputs of this lab's counting exercises."""

from __future__ import annotations

from typing import Any

import numpy as np

TINY = {
    "vocab_size": 10,
    "hidden_size": 4,
    "intermediate_size": 6,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 2,
    "tie_word_embeddings": True,
}
LLAMA_3_8B = {
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "tie_word_embeddings": False,
}
QWEN3_06B = {
    "vocab_size": 151_936,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "tie_word_embeddings": True,
}


def configs(rng: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """Three known shapes and `count` drawn ones: tied and not, heads that add up to the width and heads that do not."""
    return [TINY, LLAMA_3_8B, QWEN3_06B, *(_drawn(rng, n) for n in range(count))]


def _drawn(rng: np.random.Generator, n: int) -> dict[str, Any]:
    groups, kv_heads, head = int(rng.choice([2, 3, 4])), int(rng.integers(2, 9)), int(rng.choice([16, 32, 64, 128]))
    return {
        "vocab_size": int(rng.integers(100, 50_000)),
        "hidden_size": 64 * int(rng.integers(1, 60)),
        "intermediate_size": 64 * int(rng.integers(1, 180)),
        "num_hidden_layers": int(rng.integers(2, 48)),
        "num_attention_heads": groups * kv_heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head,
        "tie_word_embeddings": n % 2 == 0,
    }
