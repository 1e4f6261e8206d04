"""Frequencies of the rotary position embedding, plain or stretched to longer contexts.

Not the rotation itself (`labkit.kernels.rotary`): these few numbers are computed once a model.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from labkit.models.config import RopeConfig


def inverse_frequencies(rope: RopeConfig, head_dim: int) -> tuple[Float[Tensor, " half_head"], float]:
    """Radians per position of each pair of dimensions, and the factor on cosine and sine (1 except for YaRN).

    >>> frequencies, factor = inverse_frequencies(RopeConfig(theta=100.0), head_dim=4)
    >>> [round(f, 6) for f in frequencies.tolist()], factor  # 100 ** (-0/4), 100 ** (-2/4)
    ([1.0, 0.1], 1.0)
    """
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim
    plain = 1.0 / (rope.theta**exponents)
    if rope.rope_type == "linear":
        return plain / rope.factor, 1.0
    if rope.rope_type == "llama3":
        return _llama3(plain, rope), 1.0
    if rope.rope_type == "yarn":
        return _yarn(plain, rope, head_dim), _yarn_attention_factor(rope)
    return plain, 1.0


def _llama3(plain: Float[Tensor, " half_head"], rope: RopeConfig) -> Float[Tensor, " half_head"]:
    """Long wavelengths are stretched, short ones kept, those between blended (Llama 3, arXiv 2407.21783)."""
    wavelengths = 2 * math.pi / plain
    context = rope.original_max_position_embeddings
    low, high = rope.low_freq_factor, rope.high_freq_factor
    kept = ((context / wavelengths - low) / (high - low)).clamp(0, 1)
    return plain * (kept + (1 - kept) / rope.factor)


def _yarn(plain: Float[Tensor, " half_head"], rope: RopeConfig, head_dim: int) -> Float[Tensor, " half_head"]:
    """NTK-by-parts interpolation of YaRN (arXiv 2309.00071, equations 17 to 22)."""

    def dimension_of(rotations: float) -> float:
        turns = rope.original_max_position_embeddings / (rotations * 2 * math.pi)
        return head_dim * math.log(turns) / (2 * math.log(rope.theta))

    low, high = dimension_of(rope.beta_fast), dimension_of(rope.beta_slow)
    if rope.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    ramp = (torch.arange(head_dim // 2, dtype=torch.float32) - low) / max(high - low, 0.001)
    stretched = ramp.clamp(0, 1)
    return plain * (1 - stretched) + plain / rope.factor * stretched


def _yarn_attention_factor(rope: RopeConfig) -> float:
    def scale(mscale: float) -> float:
        return 0.1 * mscale * math.log(rope.factor) + 1.0 if rope.factor > 1 else 1.0

    if rope.attention_factor is not None:
        return rope.attention_factor
    if rope.mscale and rope.mscale_all_dim:
        return scale(rope.mscale) / scale(rope.mscale_all_dim)
    return scale(1.0)
