"""The same decoder in a handful of compiled operators a step: what a batch of one waits for is then mostly its weights.

Not a second decoder: `Decoder.forward` stays what runs, with other modules in its places. Every linear is packed, in
fp32 or bf16 if it is plain, and the few new tokens of a step go through all blocks in one operator
(`labkit.kernels.decode_blocks`); a prompt, a cache that does not say where its keys lie, or a block of another make
takes the ordinary way, on packed linears. Layers that labkit quantized stay in their few bits and take the same two
ways. Experts stay as they are.
"""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor, nn

from labkit.generation.fused_matrices import PackedLinear, fused_matrices, kind_of, matrix_layouts, share
from labkit.kernels.block_weights import BlockArena
from labkit.kernels.decode_blocks import decode_blocks
from labkit.models.cache import Places, Step
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Block, Decoder, RMSNorm
from labkit.models.quantized_linear import QuantizedLinear
from labkit.models.walk import linears, replace

FEW_TOKENS = 16  # from here on the fused operator gains nothing over the ordinary block


class FusedBlocks(nn.Module):
    """Neighbouring blocks, and the norm after the last, that take few tokens in one operator, and others as they were.

    Both ways read the same packed bytes: the linears of the blocks become views of them.
    """

    def __init__(
        self, blocks: list[Block], config: DecoderConfig, dtype: torch.dtype, norm: RMSNorm | None = None
    ) -> None:
        super().__init__()
        self.norm = norm
        self.first, self.eps, self.blocks = blocks[0].attention.layer, config.norm_eps, nn.ModuleList(blocks)
        fused = [fused_matrices(block, dtype) for block in blocks]
        self.weights = BlockArena.of([weights for weights, _ in fused])
        self.quantized = matrix_layouts([formats for _, formats in fused], config)
        for block, weights, (_, formats) in zip(blocks, self.weights.blocks(), fused, strict=True):
            share(block, weights, formats)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, step: Step) -> Tensor:
        places = _places(x, step)
        if places is not None:
            return self._fused(x, cos, sin, step.positions, places)
        for block in self.blocks:
            x = block(x, cos, sin, step)
        return x if self.norm is None else self.norm(x)

    def _fused(self, x: Tensor, cos: Tensor, sin: Tensor, positions: Tensor, places: Places) -> Tensor:
        apart = places.block_tables is not None
        if apart:  # tokens side by side in one row, each a row by itself
            x, cos, sin, positions = x.transpose(0, 1), cos.transpose(0, 2), sin.transpose(0, 2), positions.T
        cache = places.keys, places.values, self.first, places.longest
        gain = None if self.norm is None else self.norm.weight
        rest = self.eps, self.quantized, gain, places.block_tables
        x = decode_blocks(x, self.weights, cos, sin, positions, *cache, *rest)
        return x.transpose(0, 1) if apart else x


def _places(x: Tensor, step: Step) -> Places | None:
    """Where the step's keys and values lie, if the fused operator can use them and gains by it."""
    places = step.places() if hasattr(step, "places") and x.dtype == torch.float32 else None
    if places is None or places.keys.dtype not in (torch.float32, torch.bfloat16):
        return None
    # One query after another, which for a prompt is slower than torch's attention; single tokens are always few.
    return places if places.block_tables is not None or x.shape[0] * x.shape[1] <= FEW_TOKENS else None


def lean(model: Decoder, dtype: torch.dtype = torch.float32) -> Decoder:
    """A decoder with the same weights, packed in `dtype` (fp32 or bf16), for generation on a CPU; `model` stays usable.

    In fp32 its logits are those of `model` but for the order of sums; in bf16 the weights are rounded to 8 bits of
    mantissa and everything computed from them stays fp32. What is quantized in `model` (by "w4a16" and the like) keeps
    its bits, whatever `dtype`. It cannot be trained.

    Raises `ValueError` for a model that is not fp32 on a CPU, or whose linears are neither plain nor packed by labkit.
    """
    if model.device.type != "cpu" or model.dtype != torch.float32:
        raise ValueError(f"Lean decoding starts from fp32 on a CPU; this model is {model.dtype} on {model.device}.")
    if any(isinstance(block, FusedBlocks) for block in model.layers):
        raise ValueError("This model is lean already.")
    fast = _copy_sharing_tensors(model)
    kinds = {n: kind_of(block, model.config, n) for n, block in enumerate(fast.layers)}
    for site in linears(model):
        layer = fast.get_submodule(site.path) if site.expert is None else None
        if layer is not None and not isinstance(layer, QuantizedLinear) and kinds.get(site.layer) is None:
            replace(fast, site, PackedLinear.of(_plain(layer, site.path), dtype))
    groups = [list(blocks) for _, blocks in itertools.groupby(fast.layers, key=lambda b: kinds[b.attention.layer])]
    layers: list[nn.Module] = []
    for blocks in groups:
        fused = kinds[blocks[0].attention.layer] is not None
        norm = fast.norm if fused and blocks is groups[-1] else None
        layers += [FusedBlocks(blocks, model.config, dtype, norm)] if fused else blocks
    fast.layers = nn.ModuleList(layers)
    if isinstance(layers[-1], FusedBlocks):
        fast.norm = nn.Identity()
    return fast.eval().requires_grad_(False)


def packed_bytes(model: Decoder) -> int:
    """Bytes of weights that one step of a lean model reads: all packed matrices, each counted once."""
    packed = (module.packed for module in model.modules() if isinstance(module, PackedLinear | QuantizedLinear))
    return sum({tensor.data_ptr(): tensor.nbytes for tensor in packed}.values())


def _copy_sharing_tensors(model: Decoder) -> Decoder:
    """Another tree of modules over the same tensors, so that replacing a layer of one leaves the other."""
    shared = {id(t): t for t in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


def _plain(module: nn.Module, path: str) -> nn.Linear:
    if type(module) is not nn.Linear:
        raise ValueError(f"{path} is a {type(module).__name__}; only plain linear layers can be packed.")
    return module
