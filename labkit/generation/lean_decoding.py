"""The same decoder in a handful of compiled operators a step: what a batch of one waits for is then mostly its weights.

Not a second decoder: `Decoder.forward` stays what runs, with other modules in its places. Every linear is packed, in
fp32 or bf16, and the few new tokens of a step go through all blocks in one operator (`labkit.kernels.decode_blocks`);
a prompt, a cache of another kind or a block of another make takes the ordinary way, on packed linears. Experts
stay as they are.
"""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor, nn

from labkit.kernels.block_weights import BlockWeights
from labkit.kernels.decode_blocks import decode_blocks
from labkit.kernels.packed_linear import PANEL, pack, packed_linear
from labkit.models.cache import CachedStep, Step
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Block, Decoder
from labkit.models.walk import linears, replace

FEW_TOKENS = 16  # from here on the fused operator gains nothing over the ordinary block


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


class FusedBlocks(nn.Module):
    """Neighbouring blocks that take few tokens in one operator, and anything else one by one, as they were.

    Both ways read the same packed bytes: the linears of the blocks become views of them.
    """

    def __init__(self, blocks: list[Block], config: DecoderConfig, dtype: torch.dtype) -> None:
        super().__init__()
        self.first, self.eps, self.blocks = blocks[0].attention.layer, config.norm_eps, nn.ModuleList(blocks)
        self.weights = [_packed(block, dtype) for block in blocks]
        for block, weights in zip(blocks, self.weights, strict=True):
            _share(block, weights, config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, step: Step) -> Tensor:
        few = isinstance(step, CachedStep) and x.shape[0] * x.shape[1] <= FEW_TOKENS
        if few and step.cache.keys.dtype == x.dtype == torch.float32:
            keys, values = step.cache.keys, step.cache.values
            return decode_blocks(
                x, self.weights, cos, sin, step.positions, keys, values, self.first, step.keys_seen, self.eps
            )
        for block in self.blocks:
            x = block(x, cos, sin, step)
        return x


def lean(model: Decoder, dtype: torch.dtype = torch.float32) -> Decoder:
    """A decoder with the same weights, packed in `dtype` (fp32 or bf16), for generation on a CPU; `model` stays usable.

    In fp32 its logits are those of `model` but for the order of sums; in bf16 the weights are rounded to 8 bits of
    mantissa and everything computed from them stays fp32. It cannot be trained.

    Raises `ValueError` for a model that is not fp32 on a CPU, or whose linears are not plain.
    """
    if model.device.type != "cpu" or model.dtype != torch.float32:
        raise ValueError(f"Lean decoding starts from fp32 on a CPU; this model is {model.dtype} on {model.device}.")
    if any(isinstance(block, FusedBlocks) for block in model.layers):
        raise ValueError("This model is lean already.")
    fast = _copy_sharing_tensors(model)
    fused = {n for n, block in enumerate(fast.layers) if _fusable(block, model.config, n)}
    for site in linears(model):
        if site.expert is None and site.layer not in fused:
            replace(fast, site, PackedLinear.of(_plain(fast.get_submodule(site.path), site.path), dtype))
    groups = itertools.groupby(fast.layers, key=lambda block: block.attention.layer in fused)
    fast.layers = nn.ModuleList(
        module
        for together, blocks in groups
        for module in ([FusedBlocks(list(blocks), model.config, dtype)] if together else blocks)
    )
    return fast.eval().requires_grad_(False)


def packed_bytes(model: Decoder) -> int:
    """Bytes of weights that one step of a lean model reads: all packed matrices, each counted once."""
    packed = {
        m.packed.untyped_storage().data_ptr(): m.packed.untyped_storage().nbytes() for m in _packed_linears(model)
    }
    return sum(packed.values())


def _packed_linears(model: Decoder) -> list[PackedLinear]:
    return [module for module in model.modules() if isinstance(module, PackedLinear)]


def _copy_sharing_tensors(model: Decoder) -> Decoder:
    """Another tree of modules over the same tensors, so that replacing a layer of one leaves the other."""
    shared = {id(t): t for t in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


def _fusable(block: Block, config: DecoderConfig, layer: int) -> bool:
    sizes = config.hidden_size, config.intermediate_size, config.head_dim
    plain = not config.is_moe(layer) and not config.mlp_bias and config.clip_qkv is None and config.qk_norm != "all"
    return plain and not any(size % PANEL for size in sizes) and all(type(x) is nn.Linear for x in _linears_of(block))


def _linears_of(block: Block) -> list[nn.Module]:
    attention, mlp = block.attention, block.mlp
    names = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    return [getattr(attention, name, None) or getattr(mlp, name) for name in names]


def _packed(block: Block, dtype: torch.dtype) -> BlockWeights:
    q, k, v, o, gate, up, down = _linears_of(block)
    attention = block.attention
    return BlockWeights(
        attention_norm=block.attention_norm.weight.detach(),
        qkv=torch.cat([pack(m.weight, dtype) for m in (q, k, v)]),
        qkv_bias=None if q.bias is None else torch.cat([m.bias.detach() for m in (q, k, v)]),
        q_norm=attention.q_norm.weight.detach() if attention.qk_norm else None,
        k_norm=attention.k_norm.weight.detach() if attention.qk_norm else None,
        o=pack(o.weight, dtype),
        o_bias=_detached(o.bias),
        mlp_norm=block.mlp_norm.weight.detach(),
        gate_up=torch.cat([pack(m.weight, dtype) for m in (gate, up)]),
        down=pack(down.weight, dtype),
    )


def _share(block: Block, weights: BlockWeights, config: DecoderConfig) -> None:
    """Let the linears of `block` be views of the packed matrices."""
    q_size, kv_size = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    biases = [None] * 3 if weights.qkv_bias is None else weights.qkv_bias.split([q_size, kv_size, kv_size])
    start = 0
    for name, size, bias in zip(("q_proj", "k_proj", "v_proj"), (q_size, kv_size, kv_size), biases, strict=True):
        panels = weights.qkv[start // PANEL : (start + size) // PANEL]
        setattr(block.attention, name, PackedLinear(panels, size, bias))
        start += size
    block.attention.o_proj = PackedLinear(weights.o, config.hidden_size, weights.o_bias)
    inner = config.intermediate_size
    for name, panels in zip(("gate_proj", "up_proj"), weights.gate_up.chunk(2), strict=True):
        setattr(block.mlp, name, PackedLinear(panels, inner))
    block.mlp.down_proj = PackedLinear(weights.down, config.hidden_size)


def _plain(module: nn.Module, path: str) -> nn.Linear:
    if type(module) is not nn.Linear:
        raise ValueError(f"{path} is a {type(module).__name__}; only plain linear layers can be packed.")
    return module


def _detached(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach()
