"""What one transformer block holds when it runs as a single operator: norms, biases, and four matrices in panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from labkit.kernels.packed_linear import PANEL
from labkit.kernels.quantized_panels import PanelLayout


class BlockWeights(NamedTuple):
    """Of one block: norms and biases fp32; matrices packed in panels, all fp32, all bf16 or all quantized.

    Matrices with one input are one: panels of q, then k, then v; panels of gate, then of up. Every output is a multiple
    of 16. Panels are those of `packed_linear.pack`, or of `quantized_panels.to_panels`, which are bytes.
    """

    attention_norm: Float[Tensor, " hidden"]
    qkv: Shaped[Tensor, "qkv_panels depth width"]
    qkv_bias: Float[Tensor, " qkv_out"] | None
    q_norm: Float[Tensor, " head"] | None
    k_norm: Float[Tensor, " head"] | None
    o: Shaped[Tensor, "hidden_panels depth width"]
    o_bias: Float[Tensor, " hidden"] | None
    mlp_norm: Float[Tensor, " hidden"]
    gate_up: Shaped[Tensor, "two_inner_panels depth width"]
    down: Shaped[Tensor, "hidden_panels depth width"]


class MatrixLayouts(NamedTuple):
    """What the bytes of quantized matrices mean, for some blocks: qkv, o, gate_up and down of each.

    Activations are rounded to `activation_bits`, with one scale for 32 neighbours or, with `per_row`, for a whole row.
    """

    layouts: Int[Tensor, "blocks 4 6"]
    activation_bits: int = 16
    per_row: bool = False

    @classmethod
    def of(
        cls, blocks: Sequence[Sequence[PanelLayout]], activation_bits: int = 16, per_row: bool = False
    ) -> MatrixLayouts:
        return cls(torch.tensor(blocks, dtype=torch.int64), activation_bits, per_row)

    def of_block(self, block: int) -> list[PanelLayout]:
        return [PanelLayout(*numbers) for numbers in self.layouts[block].tolist()]


class BlockSizes(NamedTuple):
    """Features and heads of a block, read off its tensors (or off their `TensorSpec`s)."""

    hidden: int
    heads: int
    kv_heads: int
    head: int
    inner: int

    @classmethod
    def of(cls, x: Any, weights: BlockWeights, keys: Any) -> BlockSizes:
        head, kv_heads = keys.shape[-1], keys.shape[-3]
        heads = PANEL * weights.qkv.shape[0] // head - 2 * kv_heads
        return cls(x.shape[-1], heads, kv_heads, head, PANEL * weights.gate_up.shape[0] // 2)

    @property
    def parameters(self) -> int:
        """Elements of the four matrices."""
        attention = (2 * self.heads + 2 * self.kv_heads) * self.head * self.hidden
        return attention + 3 * self.hidden * self.inner
