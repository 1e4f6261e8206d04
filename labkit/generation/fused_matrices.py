"""The seven linears of a block as the four matrices that the fused operator reads, plain or quantized.

Matrices with one input become one, panel after panel: q, k and v; gate and up. The linears they were made of become
views of them, so that both ways through a block read the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labkit.kernels.block_weights import BlockWeights, MatrixLayouts
from labkit.kernels.packed_linear import PANEL, pack, packed_linear
from labkit.kernels.quantized_panels import PanelLayout, PanelWeight, fits_panels
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Block
from labkit.models.quantized_linear import LayerFormat, QuantizedLinear

GROUPS = (("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",))
"""What the four matrices are made of."""


class PackedLinear(nn.Module):
    """A linear layer whose weight is packed; `packed` may be some panels of a larger matrix."""

    def __init__(self, packed: Tensor, out_features: int, bias: Tensor | None = None) -> None:
        super().__init__()
        self.out_features = out_features
        self.register_buffer("packed", packed)
        self.register_buffer("bias", bias)

    @classmethod
    def of(cls, linear: nn.Linear, dtype: torch.dtype) -> PackedLinear:
        return cls(pack(linear.weight, dtype), linear.out_features, _detached(linear.bias))

    def forward(self, x: Tensor) -> Tensor:
        return packed_linear(x, self.packed, self.out_features, self.bias)


def kind_of(block: Block, config: DecoderConfig, layer: int) -> tuple | None:
    """What must be equal in neighbouring blocks that run as one operator; None for a block that cannot."""
    sizes = config.hidden_size, config.intermediate_size, config.head_dim
    plain = not config.is_moe(layer) and not config.mlp_bias and config.clip_qkv is None and config.qk_norm != "all"
    if not plain or any(size % PANEL for size in sizes):
        return None
    groups = [[_linear(block, name) for name in names] for names in GROUPS]
    if all(type(linear) is nn.Linear for group in groups for linear in group):
        return ("plain",)
    if not all(isinstance(linear, QuantizedLinear) for group in groups for linear in group):
        return None
    formats = [{linear.format for linear in group} for group in groups]
    activations = {tuple(form[1:]) for group in formats for form in group}
    same = len(activations) == 1 and all(len(group) == 1 for group in formats)
    return ("quantized", *activations) if same and all(fits_panels(g[0].format.weight) for g in groups) else None


def fused_matrices(block: Block, dtype: torch.dtype) -> tuple[BlockWeights, list[LayerFormat] | None]:
    """The weights of a block of some kind, and the formats of its matrices if they are quantized."""
    groups, attention = [[_linear(block, name) for name in names] for names in GROUPS], block.attention
    qkv, o, gate_up, down = (torch.cat([_panels(linear, dtype) for linear in group]) for group in groups)
    biases = [linear.bias for linear in groups[0]]
    weights = BlockWeights(
        attention_norm=block.attention_norm.weight.detach(),
        qkv=qkv,
        qkv_bias=None if biases[0] is None else torch.cat([bias.detach() for bias in biases]),
        q_norm=attention.q_norm.weight.detach() if attention.qk_norm else None,
        k_norm=attention.k_norm.weight.detach() if attention.qk_norm else None,
        o=o,
        o_bias=_detached(attention.o_proj.bias),
        mlp_norm=block.mlp_norm.weight.detach(),
        gate_up=gate_up,
        down=down,
    )
    quantized = isinstance(groups[0][0], QuantizedLinear)
    return weights, [group[0].format for group in groups] if quantized else None


def matrix_layouts(formats: Sequence[list[LayerFormat] | None], config: DecoderConfig) -> MatrixLayouts | None:
    """What the bytes of the matrices of some blocks of one kind mean; None if they are plain."""
    if formats[0] is None:
        return None
    q_size, kv_size = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    hidden, inner = config.hidden_size, config.intermediate_size
    shapes = ((q_size + 2 * kv_size, hidden), (hidden, q_size), (2 * inner, hidden), (hidden, inner))
    layouts = [[PanelLayout.of(f.weight, *shape) for f, shape in zip(four, shapes, strict=True)] for four in formats]
    return MatrixLayouts.of(layouts, *formats[0][0][1:])


def share(block: Block, weights: BlockWeights, formats: list[LayerFormat] | None) -> None:
    """Let the linears of `block` be views of its matrices."""
    matrices = (weights.qkv, weights.o, weights.gate_up, weights.down)
    for names, matrix, form in zip(GROUPS, matrices, formats or [None] * 4, strict=True):
        start = 0
        for name in names:
            linear = _linear(block, name)
            count = linear.out_features // PANEL
            setattr(_owner(block, name), name, _view(linear, matrix[start : start + count], form))
            start += count


def _view(linear: nn.Linear | QuantizedLinear, panels: Tensor, form: LayerFormat | None) -> nn.Module:
    if form is None:
        return PackedLinear(panels, linear.out_features, _detached(linear.bias))
    layout = PanelLayout.of(form.weight, linear.out_features, linear.in_features)
    return QuantizedLinear.from_panels(PanelWeight(panels, layout), form, linear.bias)


def _panels(linear: nn.Linear | QuantizedLinear, dtype: torch.dtype) -> Tensor:
    return linear.packed if isinstance(linear, QuantizedLinear) else pack(linear.weight, dtype)


def _linear(block: Block, name: str) -> nn.Module:
    return getattr(_owner(block, name), name)


def _owner(block: Block, name: str) -> nn.Module:
    return block.attention if name in ("q_proj", "k_proj", "v_proj", "o_proj") else block.mlp


def _detached(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach()
