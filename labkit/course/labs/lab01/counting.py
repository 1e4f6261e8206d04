"""What a decoder is made of and what one token costs, from its config alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.labs.lab01.shapes import configs
from labkit.course.oracle import Misconception, oracle_judge

Config = dict[str, Any]


def matrices(config: Config, kv: str = "num_key_value_heads", wide: int | None = None) -> list[tuple[int, int]]:
    """The shape of every matrix of one layer."""
    hidden, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    q = config["num_attention_heads"] * head if wide is None else wide
    k = config[kv] * head
    return [(hidden, q), (hidden, k), (hidden, k), (q, hidden), (hidden, inner), (hidden, inner), (inner, hidden)]


def _table(config: Config) -> int:
    return config["vocab_size"] * config["hidden_size"]


def _tables(config: Config) -> int:
    return _table(config) * (1 if config["tie_word_embeddings"] else 2)


def _sum(shapes: list[tuple[int, int]]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def count(config: Config) -> int:
    """Weights of all matrices."""
    return _tables(config) + config["num_hidden_layers"] * _sum(matrices(config))


def _per_layer(config: Config, shapes: list[tuple[int, int]]) -> int:
    return _tables(config) + config["num_hidden_layers"] * _sum(shapes)


PARAMETERS = Exercise(
    name="parameters",
    title="Weights from a config",
    difficulty=2,
    importance=5,
    minutes=8,
    cases=lambda rng: [Case(config=config) for config in configs(rng, 10)],
    judge=oracle_judge(
        count,
        (
            Misconception(
                lambda config: _per_layer(config, matrices(config, kv="num_attention_heads")),
                "you gave every query head keys and values of its own; there are only `num_key_value_heads` of those",
            ),
            Misconception(
                lambda config: _per_layer(config, [*matrices(config)[:5], matrices(config)[6]]),
                "you counted two matrices in the MLP; this one has three: gate, up and down",
            ),
            Misconception(
                lambda config: count(config) - _tables(config) + 2 * _table(config),
                "you counted the table of tokens twice where it is tied; there the head is the same table",
            ),
            Misconception(
                lambda config: count(config) - _tables(config) + _table(config),
                "you left out the head where it is not tied: a second table as large as the first",
            ),
            Misconception(
                lambda config: _per_layer(config, matrices(config, wide=config["hidden_size"])),
                "you took the heads together to be as wide as the stream; they are `num_attention_heads * head_dim` wide",
            ),
            Misconception(
                lambda config: _tables(config) + _sum(matrices(config)),
                "you counted one layer; there are `num_hidden_layers`",
            ),
            Misconception(
                lambda config: _per_layer(config, [*matrices(config)[:3], *matrices(config)[4:]]),
                "you left out the output projection, which takes the heads back to the stream",
            ),
            Misconception(
                lambda config: count(config) - _tables(config),
                "you left out the table of tokens",
            ),
        ),
    ),
    hints=(
        "Go through the table of matrices above the exercise, one after the other. Which of them does every layer have, and which stand once?",
        "A layer: two matrices of stream x all query heads, two of stream x all key-value heads, three of stream x MLP. Outside: the table of tokens, once or twice.",
        "q = heads * head_dim; kv = kv_heads * head_dim; layer = 2*hidden*q + 2*hidden*kv + 3*hidden*inner; tables = 1 if tied else 2; return layers * layer + tables * vocab * hidden",
    ),
)


def _token_cases(rng: np.random.Generator) -> list[Case]:
    shapes = configs(rng, 10)
    contexts = [3, 8192, 1, *(int(2 ** rng.uniform(0, 17)) for _ in shapes[3:])]
    return [Case(config=c, weights=count(c), context=n) for c, n in zip(shapes, contexts, strict=True)]


def _products(config: Config) -> int:
    """FLOPs of all products with weights for one token; what is looked up is not multiplied."""
    head = 2 * config["hidden_size"] * config["vocab_size"]
    return head + config["num_hidden_layers"] * sum(2 * rows * columns for rows, columns in matrices(config))


def _attention(config: Config, context: int, heads: str = "num_attention_heads") -> int:
    scores = mix = 2 * config["head_dim"] * context
    return config["num_hidden_layers"] * config[heads] * (scores + mix)


FLOPS_PER_TOKEN = Exercise(
    name="flops_per_token",
    title="Operations of one token",
    difficulty=2,
    importance=5,
    minutes=8,
    cases=_token_cases,
    judge=oracle_judge(
        lambda config, weights, context: _products(config) + _attention(config, context),
        (
            Misconception(
                lambda config, weights, context: _products(config) // 2 + _attention(config, context),
                "you counted one operation for each weight; there are two, a multiplication and an addition",
            ),
            Misconception(
                lambda config, weights, context: 2 * weights + _attention(config, context),
                "you multiplied by the table of tokens too; a token's row is looked up, and only the head multiplies",
            ),
            Misconception(
                lambda config, weights, context: 2 * (weights - _table(config)) + _attention(config, context),
                "you took the table away where it is tied too; there the same table is the head, which does multiply",
            ),
            Misconception(
                lambda config, weights, context: _products(config),
                "you left out attention: the token is compared with every token it sees, and that grows with the context",
            ),
            Misconception(
                lambda config, weights, context: _products(config) + _attention(config, context) // 2,
                "you counted one of attention's two products; there are the scores, and then the mix of the values",
            ),
            Misconception(
                lambda config, weights, context: _products(config) + _attention(config, context, "num_key_value_heads"),
                "you counted attention for the key-value heads; every query head looks, though several share what they look at",
            ),
            Misconception(
                lambda config, weights, context: (
                    _products(config) + _attention(config, context) // config["num_hidden_layers"]
                ),
                "you counted the attention of one layer; every layer looks back",
            ),
            Misconception(
                lambda config, weights, context: 3 * (_products(config) + _attention(config, context)),
                "you counted a step of training; going forward alone is a third of that",
            ),
        ),
    ),
    hints=(
        "Two parts: products with weights, which do not depend on the context, and products with what the token looks back at.",
        "Each weight that multiplies costs 2. A head costs 2 * head_dim for each token it scores, and the same again to mix the values. A lookup costs nothing.",
        "used = weights if tied else weights - vocab * hidden; look = 4 * layers * heads * head_dim * context; return 2 * used + look",
    ),
)
