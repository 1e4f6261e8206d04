"""The shipped models: sizes and curriculum of each.

All share the tokenizer and the context of 1,024; every dimension is a multiple of 64. Qwen3's architecture because its
normalised queries and keys stay calm at the high learning rates that small models want; with biases, because heads that
look one place back need them (see `labkit.training.induction`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch

from labkit.models.config import DecoderConfig, MoeConfig, RopeConfig
from labkit.models.decoder import Decoder
from labkit.training.optimiser import adamw, muon
from labkit.training.stages import EVERYTHING, ONWARD, READING, Stage
from labkit.training.tokenizer import CONTEXT, END, PAD, SPECIAL, VOCAB_SIZE


@dataclass(frozen=True)
class Recipe:
    """A model to train: its shape, its stages, the recipe it grows from if any, the seed of weights and batches.

    `optimiser` makes what moves a model's weights.
    """

    name: str
    summary: str
    config: DecoderConfig
    stages: tuple[Stage, ...]
    grown_from: str | None = None
    seed: int = 0
    optimiser: Callable[[Decoder], torch.optim.Optimizer] = adamw


def qwen3(hidden: int, layers: int, heads: int, kv_heads: int) -> DecoderConfig:
    """A Qwen3 decoder with heads of 64 and an MLP three times as wide as its stream; embedding and head are one."""
    return DecoderConfig(
        family="qwen3",
        vocab_size=VOCAB_SIZE,
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_layers=layers,
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_dim=64,
        norm_eps=1e-6,
        max_position_embeddings=CONTEXT,
        rope=RopeConfig(theta=1e6),
        tie_word_embeddings=True,
        attention_bias=True,
        qk_norm="head",
        eos_token_ids=(SPECIAL.index(END),),
        pad_token_id=SPECIAL.index(PAD),
    )


def with_experts(dense: DecoderConfig, count: int, chosen: int) -> DecoderConfig:
    """The same decoder with `count` experts a layer, `chosen` of which are together as wide as its MLP."""
    layers = tuple(range(dense.num_layers))
    moe = MoeConfig(count, chosen, dense.intermediate_size // chosen, norm_topk_prob=True, layers=layers)
    return dataclasses.replace(dense, family="qwen3_moe", moe=moe)


SMALL = qwen3(hidden=128, layers=4, heads=2, kv_heads=1)
LARGE = qwen3(hidden=256, layers=6, heads=4, kv_heads=2)


def _grown(name: str, summary: str, config: DecoderConfig, stages: tuple[Stage, ...] = EVERYTHING) -> Recipe:
    """Every task of the course, from course-seed on."""
    return Recipe(name, summary, config, stages, grown_from="course-seed", optimiser=muon)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("course-seed", "where the others begin", SMALL, READING),
        _grown("course-draft", "small decoder that drafts for course-dense", SMALL),
        _grown(
            "course-dense",
            "decoder that answers from memory and from passages, writes JSON and Python, and calculates",
            LARGE,
            EVERYTHING + ONWARD,
        ),
        _grown("course-trunk", "what course-dense is before its last stages", LARGE),
        Recipe(
            "course-moe",
            "decoder of 8 experts a layer, 2 of them for each token: as much work a token as course-dense",
            with_experts(LARGE, count=8, chosen=2),
            ONWARD[:1],
            grown_from="course-trunk",
            optimiser=muon,
        ),
    )
}
"""Every recipe by the name that `train` takes."""
