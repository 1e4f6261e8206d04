"""What one transformer block holds when it runs as a single operator: norms, biases, and four matrices in panels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from labkit.kernels.packed_linear import PANEL
from labkit.kernels.quantized_panels import PanelLayout

DTYPES = (torch.float32, torch.bfloat16, torch.uint8)


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


class BlockArena(NamedTuple):
    """All tensors of some blocks side by side in one piece of memory, so that an operator is handed two tensors.

    Handing over each of ten tensors a block takes longer than a small block takes to compute. A row of `table` is the
    first byte of a tensor (-1 for none), its three sizes (0 for one it has not), and its dtype, a place in `DTYPES`.
    `panels` are those of qkv and of gate_up, equal in all blocks, and the bytes of an element of a matrix.
    """

    memory: Shaped[Tensor, " bytes"]
    table: Int[Tensor, "blocks tensors 5"]
    panels: list[int]

    @classmethod
    def of(cls, blocks: Sequence[BlockWeights]) -> BlockArena:
        """Copies the tensors; every one begins at a multiple of 64 bytes."""
        parts, rows, start = [], [], 0
        for tensor in (tensor for block in blocks for tensor in block):
            if tensor is None:
                rows.append([-1, 0, 0, 0, 0])
                continue
            size = -(-tensor.nbytes // 64) * 64
            rows.append([start, *tensor.shape, *[0] * (3 - tensor.dim()), DTYPES.index(tensor.dtype)])
            flat = tensor.contiguous().flatten().view(torch.uint8)
            parts.append(torch.nn.functional.pad(flat, (0, size - tensor.nbytes)))
            start += size
        panels = [len(blocks[0].qkv), len(blocks[0].gate_up), blocks[0].qkv.itemsize]
        return cls(torch.cat(parts), torch.tensor(rows).view(len(blocks), -1, 5), panels)

    def blocks(self) -> list[BlockWeights]:
        """Views of the tensors, in their blocks."""
        return [BlockWeights(*(self._tensor(*row) for row in block)) for block in self.table.tolist()]

    def _tensor(self, start: int, *rest: int) -> Tensor | None:
        *sizes, dtype = rest
        shape = [size for size in sizes if size]
        nbytes = math.prod(shape) * DTYPES[dtype].itemsize
        return None if start < 0 else self.memory[start : start + nbytes].view(DTYPES[dtype]).view(shape)


class BlockSizes(NamedTuple):
    """Features and heads of a block, read off its tensors (or off their `TensorSpec`s)."""

    hidden: int
    heads: int
    kv_heads: int
    head: int
    inner: int

    @classmethod
    def of(cls, x: Any, panels: Sequence[int], keys: Any) -> BlockSizes:
        """`panels` are those of qkv and of gate_up; x and keys may be specs."""
        head, kv_heads = keys.shape[-1], keys.shape[-3]
        return cls(x.shape[-1], PANEL * panels[0] // head - 2 * kv_heads, kv_heads, head, PANEL * panels[1] // 2)

    @property
    def parameters(self) -> int:
        """Elements of the four matrices."""
        attention = (2 * self.heads + 2 * self.kv_heads) * self.head * self.hidden
        return attention + 3 * self.hidden * self.inner
