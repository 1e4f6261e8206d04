"""What grows with the conversation: the cache of keys and values, and attention beside the MLP."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.labs.lab01.counting import Config, matrices
from labkit.course.labs.lab01.shapes import LLAMA_3_8B, QWEN3_06B, TINY, configs
from labkit.course.oracle import Misconception, oracle_judge


def _cache_cases(rng: np.random.Generator) -> list[Case]:
    fixed = [(TINY, 3, 2), (LLAMA_3_8B, 8192, 2), (QWEN3_06B, 1, 4)]
    drawn = [(c, int(2 ** rng.uniform(1, 17)), int(rng.choice([1, 2, 4]))) for c in configs(rng, 9)[3:]]
    return [Case(config=c, tokens=n, bytes_per_element=e) for c, n, e in [*fixed, *drawn]]


def _cache(config: Config, tokens: int, heads: str = "num_key_value_heads") -> int:
    return math.prod((2, config["num_hidden_layers"], config[heads], tokens, config["head_dim"]))


KV_BYTES = Exercise(
    name="kv_bytes",
    title="Bytes a conversation",
    difficulty=1,
    importance=5,
    minutes=5,
    cases=_cache_cases,
    judge=oracle_judge(
        lambda config, tokens, bytes_per_element: bytes_per_element * _cache(config, tokens),
        (
            Misconception(
                lambda config, tokens, bytes_per_element: (
                    bytes_per_element * _cache(config, tokens, "num_attention_heads")
                ),
                "you kept keys and values for every query head; query heads share those of `num_key_value_heads`",
            ),
            Misconception(
                lambda config, tokens, bytes_per_element: bytes_per_element * _cache(config, tokens) // 2,
                "you kept the keys alone; the values are kept too",
            ),
            Misconception(
                lambda config, tokens, bytes_per_element: (
                    bytes_per_element * _cache(config, tokens) // config["num_hidden_layers"]
                ),
                "you counted one layer; every layer keeps keys and values of its own",
            ),
            Misconception(
                lambda config, tokens, bytes_per_element: _cache(config, tokens),
                "you counted elements, not bytes",
            ),
            Misconception(
                lambda config, tokens, bytes_per_element: (
                    2 * bytes_per_element * tokens * config["num_hidden_layers"] * config["hidden_size"]
                ),
                "you kept rows as wide as the stream; a key is as wide as the key-value heads together",
            ),
            Misconception(
                lambda config, tokens, bytes_per_element: bytes_per_element * _cache(config, 1),
                "you counted a single token; the conversation has `tokens`",
            ),
        ),
    ),
    hints=(
        "What does one layer keep of one token, so that later tokens can look at it?",
        "A key and a value: each `head_dim` numbers for every key-value head. Then all layers, all tokens, and bytes instead of numbers.",
        "return 2 * layers * kv_heads * head_dim * tokens * bytes_per_element",
    ),
)


def _crossover_cases(rng: np.random.Generator) -> list[Case]:
    even = {**TINY, "hidden_size": 256, "intermediate_size": 768, "num_attention_heads": 4, "head_dim": 64}
    return [Case(config=config) for config in [*configs(rng, 10), even]]


def _mlp(config: Config) -> int:
    return sum(2 * rows * columns for rows, columns in matrices(config)[4:])


def _look(config: Config, context: int) -> int:
    return config["num_attention_heads"] * 2 * (2 * config["head_dim"] * context)


def _first_above(config: Config) -> int:
    """Doubles and bisects; the notebook divides."""
    low, high = 0, 1
    while _look(config, high) <= _mlp(config):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _look(config, middle) <= _mlp(config) else (low, middle)
    return high


def _after(share: Fraction) -> int:
    return math.floor(share) + 1


def _share(config: Config, mlp: int, look: int) -> int:
    return _after(Fraction(mlp, look))


def _projections(config: Config) -> int:
    return sum(2 * rows * columns for rows, columns in matrices(config)[:4])


CROSSOVER = Exercise(
    name="crossover",
    title="Where attention overtakes the MLP",
    difficulty=3,
    importance=4,
    minutes=8,
    cases=_crossover_cases,
    judge=oracle_judge(
        _first_above,
        (
            Misconception(
                lambda config: _share(config, _mlp(config) * 2 // 3, _look(config, 1)),
                "you counted two matrices in the MLP; this one has three",
            ),
            Misconception(
                lambda config: _share(config, _mlp(config), _look(config, 1) // 2),
                "you counted one of attention's two products: scores, and then the mix of the values",
            ),
            Misconception(
                lambda config: _share(config, _mlp(config), 4 * config["num_key_value_heads"] * config["head_dim"]),
                "you let the key-value heads do the looking; every query head looks",
            ),
            Misconception(
                lambda config: max(1, _share(config, _mlp(config) - _projections(config), _look(config, 1))),
                "you charged attention with its four projections too; they do not grow with the context and are left out here",
            ),
            Misconception(
                lambda config: _share(config, _mlp(config), _look(config, 1) * config["num_hidden_layers"]),
                "you took attention in all layers but the MLP of one",
            ),
            Misconception(
                lambda config: math.ceil(Fraction(_mlp(config), _look(config, 1))),
                "you stopped where the two are equal; attention overtakes with the next token",
            ),
            Misconception(
                lambda config: _mlp(config) // _look(config, 1),
                "you rounded down; there attention does not cost more yet",
            ),
        ),
    ),
    hints=(
        "Write both costs for one token in one layer. Only one of them contains the context.",
        "MLP: 2 operations for each weight of its three matrices. Attention: 4 * heads * head_dim for every token it sees. Which whole number of tokens is the first to make the second larger?",
        "mlp = 6 * hidden * inner; look = 4 * heads * head_dim; return mlp // look + 1",
    ),
)
