"""Transformer blocks for the few new tokens of a decode step, cache included.

With t tokens, h features, n keys seen, W elements in the matrices of e bytes, d features a head, for each block:

| variant                  | bytes                                 | FLOPs                 | operators          |
|--------------------------|---------------------------------------|-----------------------|--------------------|
| `decode_block_reference` | e W + cache + every result in between | t (2 W + 4 heads n d) | about 30 a block   |
| `decode_blocks`          | e W + cache, once 8 t h               | the same              | 1 for all of them (C) |

What is saved is not arithmetic but the trips in between, and the start of each operator: some microseconds, thirty
times a block, as much as the weights of a small model take to arrive. Matrices are fp32, bf16 or quantized; the cache
is fp32 or bf16, and lies row by row or in blocks anywhere (see `paged_attention`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.kernels.attention import attention_reference
from labkit.kernels.block_weights import BlockArena, BlockSizes, BlockWeights, MatrixLayouts
from labkit.kernels.native.building import native
from labkit.kernels.packed_linear import PANEL, packed_linear_reference
from labkit.kernels.paged_attention import HEADS_TOGETHER
from labkit.kernels.quantized_linear import quantized_linear_reference, rounding_elements
from labkit.kernels.quantized_panels import PanelLayout, PanelWeight, from_panels
from labkit.kernels.rms_norm import rms_norm_reference
from labkit.kernels.rotary import rotary
from labkit.measure.costs import Cost, Part, TensorSpec, register_cost


def decode_block_reference(
    x: Float[Tensor, "batch seq hidden"],
    weights: BlockWeights,
    cos: Float[Tensor, "rows 1 seq half_head"],
    sin: Float[Tensor, "rows 1 seq half_head"],
    positions: Int[Tensor, "batch seq"],
    keys: Float[Tensor, "batch kv_heads keys head"],
    values: Float[Tensor, "batch kv_heads keys head"],
    eps: float,
    quantized: MatrixLayouts | None = None,
) -> Float[Tensor, "batch seq hidden"]:
    """x plus attention plus SwiGLU MLP, each of the normalised stream; new keys and values are written to their slots.

    A token sees the slots up to its own position. Position -1 is padding: nothing is kept, its result means nothing.
    `quantized` describes the matrices of this one block, where they are.
    """
    w, sizes = weights, BlockSizes.of(x, (len(weights.qkv), len(weights.gate_up)), keys)
    layouts = quantized.of_block(0) if quantized else [None] * 4
    qkv = _linear(rms_norm_reference(x, w.attention_norm, eps), w.qkv, w.qkv_bias, layouts[0], quantized)
    heads = (sizes.heads, sizes.kv_heads, sizes.kv_heads)
    q, k, v = qkv.unflatten(-1, (-1, sizes.head)).transpose(1, 2).split(heads, dim=1)
    q = q if w.q_norm is None else rms_norm_reference(q, w.q_norm, eps)
    k = k if w.k_norm is None else rms_norm_reference(k, w.k_norm, eps)
    q, k = rotary(q, cos, sin), rotary(k, cos, sin)
    row, column = torch.where(positions >= 0)
    for cache, new in ((keys, k), (values, v)):
        cache[row, :, positions[row, column]] = new[row, :, column].to(cache.dtype)
    seen = torch.arange(keys.shape[2], device=x.device) <= positions.clamp(min=0)[:, None, :, None]
    attended = attention_reference(q, keys.to(q.dtype), values.to(q.dtype), seen).transpose(1, 2).flatten(-2)
    x = x + _linear(attended, w.o, w.o_bias, layouts[1], quantized)
    gate_up = _linear(rms_norm_reference(x, w.mlp_norm, eps), w.gate_up, None, layouts[2], quantized)
    gate, up = gate_up.chunk(2, dim=-1)
    return x + _linear(torch.nn.functional.silu(gate) * up, w.down, None, layouts[3], quantized)


def _linear(
    x: Tensor, packed: Tensor, bias: Tensor | None, layout: PanelLayout | None, quantized: MatrixLayouts | None
) -> Tensor:
    if layout is None:
        return packed_linear_reference(x, packed, packed.shape[0] * PANEL, bias)
    weight = from_panels(PanelWeight(packed, layout))
    return quantized_linear_reference(x, weight, bias, quantized.activation_bits, quantized.per_row)


def decode_blocks(
    x: Float[Tensor, "batch seq hidden"],
    weights: BlockArena,
    cos: Float[Tensor, "batch 1 seq half_head"],
    sin: Float[Tensor, "batch 1 seq half_head"],
    positions: Int[Tensor, "batch seq"],
    keys: Float[Tensor, "layers cache_blocks kv_heads slots head"],
    values: Float[Tensor, "layers cache_blocks kv_heads slots head"],
    first: int,
    seen: int,
    eps: float,
    quantized: MatrixLayouts | None = None,
    final_norm: Float[Tensor, " hidden"] | None = None,
    block_tables: Int[Tensor, "batch most_blocks"] | None = None,
) -> Float[Tensor, "batch seq hidden"]:
    """Blocks one after another, by `torch.ops.labkit.decode_blocks`; their caches are the layers from `first` on.

    A row's tokens lie in the blocks of the cache that its table names, in order, or without tables all in one of its
    own; of these the first `seen` may be looked at. All is fp32 but the matrices and, if it is bf16, the cache; head a
    multiple of 16, all blocks of one shape. `quantized` describes the matrices of all blocks, where they are;
    `final_norm` is the gain of a norm after the last of them. No gradient. Raises `IndexError` for a table that names a
    block that is not there.
    """
    rest = (cos, sin, positions, keys, values, block_tables, first, seen, eps, final_norm)
    return torch.ops.labkit.decode_blocks(x, *weights, *rest, *(quantized or _PLAIN))


def workspace_elements(tokens: int, sizes: BlockSizes, keys: int, threads: int, rounding: int) -> int:
    """fp32 elements that the C code needs for what lies between its phases; see `decode_blocks.c`."""
    out = (sizes.heads + 2 * sizes.kv_heads) * sizes.head
    shared = out + sizes.heads * sizes.head + 2 * sizes.hidden + 2 * sizes.inner
    return tokens * shared + threads * (tokens * sizes.hidden + HEADS_TOGETHER * (sizes.head + keys) + rounding)


class _Step(ctypes.Structure):
    """`step` of `decode_blocks.c`, field by field."""

    _fields_ = (
        [(name, ctypes.c_long) for name in ("blocks", "batch", "seq", "hidden", "heads", "kv_heads", "head", "inner")]
        + [(name, ctypes.c_long) for name in ("threads", "width", "activation_bits", "per_row")]
        + [(name, ctypes.c_long) for name in ("cache_layer", "cache_block", "cache_head", "cache_slot")]
        + [(name, ctypes.c_long) for name in ("cache_width", "cache_blocks", "block_size", "most_blocks")]
        + [(name, ctypes.c_long) for name in ("keys", "rounding")]
        + [("eps", ctypes.c_float)]
        + [
            (name, ctypes.c_void_p)
            for name in ("memory", "table", "layouts", "final_norm", "x", "cos", "sin", "positions", "tables")
        ]
        + [(name, ctypes.c_void_p) for name in ("key_cache", "value_cache", "out", "workspace")]
    )


def _on_cpu(
    x: Tensor,
    memory: Tensor,
    table: Tensor,
    panels: Sequence[int],
    cos: Tensor,
    sin: Tensor,
    positions: Tensor,
    keys: Tensor,
    values: Tensor,
    tables: Tensor | None,
    first: int,
    seen: int,
    eps: float,
    final_norm: Tensor | None,
    layouts: Tensor | None,
    activation_bits: int,
    per_row: bool,
) -> Tensor:
    library = native("decode_blocks")
    if library is None or keys.dtype not in (torch.float32, torch.bfloat16):
        rest = (positions, keys, values, tables, first, seen, eps, final_norm, layouts, activation_bits, per_row)
        return _composite(x, memory, table, panels, cos, sin, *rest)
    x, cos, sin, positions = (t.contiguous() for t in (x, cos, sin, positions))
    tables = None if tables is None else tables.long().contiguous()
    (batch, seq, hidden), out, threads = x.shape, torch.empty_like(x), torch.get_num_threads()
    sizes, widest = BlockSizes.of(x, panels, keys), 0
    if layouts is not None:
        widest = rounding_elements(batch * seq, max(hidden, sizes.heads * sizes.head, sizes.inner))
    workspace = x.new_empty(workspace_elements(batch * seq, sizes, seen, threads, widest))
    offset, most_blocks = keys.itemsize * first * keys.stride(0), 1 if tables is None else tables.shape[1]
    absent = library.labkit_decode_blocks(
        ctypes.byref(
            _Step(
                *(len(table), batch, seq, hidden, sizes.heads, sizes.kv_heads, sizes.head, sizes.inner),
                *(threads, panels[2], activation_bits, per_row),
                *(*keys.stride()[:4], keys.itemsize, keys.shape[1], keys.shape[3], most_blocks, seen, widest),
                *(eps, memory.data_ptr(), table.data_ptr()),
                *(None if tensor is None else tensor.data_ptr() for tensor in (layouts, final_norm)),
                *(x.data_ptr(), cos.data_ptr(), sin.data_ptr(), positions.data_ptr()),
                None if tables is None else tables.data_ptr(),
                *(keys.data_ptr() + offset, values.data_ptr() + offset, out.data_ptr(), workspace.data_ptr()),
            )
        )
    )
    if absent:
        raise IndexError(f"A block table names a block that is not there; blocks go from 0 to {keys.shape[1] - 1}.")
    return out


def _composite(
    x: Tensor,
    memory: Tensor,
    table: Tensor,
    panels: Sequence[int],
    cos: Tensor,
    sin: Tensor,
    positions: Tensor,
    keys: Tensor,
    values: Tensor,
    tables: Tensor | None,
    first: int,
    seen: int,
    eps: float,
    final_norm: Tensor | None,
    layouts: Tensor | None,
    activation_bits: int,
    per_row: bool,
) -> Tensor:
    """The reference, block by block, on a copy of the rows where they lie in blocks."""
    for n, weights in enumerate(BlockArena(memory, table, panels).blocks(), first):
        quantized = None if layouts is None else MatrixLayouts(layouts[n - first :][:1], activation_bits, per_row)
        caches = [cache[n] if tables is None else _gathered(cache[n], tables, positions) for cache in (keys, values)]
        rows = (cache[:, :, :seen] for cache in caches)
        x = decode_block_reference(x, weights, cos, sin, positions, *rows, eps, quantized)
        for cache, copied in zip((keys, values), caches, strict=True):
            _ = tables is None or _put_back(cache[n], copied, tables, positions)
    return x if final_norm is None else rms_norm_reference(x, final_norm, eps)


def _gathered(cache: Tensor, tables: Tensor, positions: Tensor) -> Float[Tensor, "batch kv_heads keys head"]:
    """A copy, nothing beyond a row's last token: a weight of zero makes no zero of a NaN that somebody left there."""
    rows = cache[tables].transpose(1, 2).flatten(2, 3)
    beyond = torch.arange(rows.shape[2], device=rows.device) > positions.amax(dim=1)[:, None]
    return rows.masked_fill(beyond[:, None, :, None], 0)


def _put_back(cache: Tensor, rows: Tensor, tables: Tensor, positions: Tensor) -> None:
    """The new tokens, from the copy into their blocks."""
    row, column = torch.where(positions >= 0)
    place, size = positions[row, column], cache.shape[2]
    cache[tables[row, place // size], :, place % size] = rows[row, :, place]


def _cost(
    x: TensorSpec,
    memory: TensorSpec,
    table: TensorSpec,
    panels: Sequence[int],
    cos: TensorSpec,
    sin: TensorSpec,
    positions: TensorSpec,
    keys: TensorSpec,
    values: TensorSpec,
    tables: TensorSpec | None,
    first: int,
    seen: int,
    eps: float,
    final_norm: TensorSpec | None,
    *_: object,
    out: TensorSpec,
) -> Cost:
    """Weights and seen keys once, the new keys and values written; FLOPs as the reference executes them."""
    tokens, blocks, sizes = out.numel // out.shape[-1], table.shape[0], BlockSizes.of(x, panels, keys)
    slot = blocks * x.shape[0] * sizes.kv_heads * sizes.head * keys.itemsize  # of all rows and heads
    read, new = seen * slot, out.shape[1] * slot
    gain = [] if final_norm is None else [final_norm]
    return Cost(
        blocks * tokens * (2 * sizes.parameters + 4 * sizes.heads * sizes.head * seen),
        reads=[x, memory, table, *gain, cos, sin, positions, Part(keys, read), Part(values, read)],
        writes=[out, Part(keys, new), Part(values, new)],
    )


_PLAIN = (None, 16, False)

_LIBRARY = torch.library.Library("labkit", "FRAGMENT")
_LIBRARY.define(
    "decode_blocks(Tensor x, Tensor memory, Tensor table, int[] panels, Tensor cos, Tensor sin, Tensor positions, "
    "Tensor(a!) keys, Tensor(b!) values, Tensor? tables, int first, int seen, float eps, Tensor? final_norm, "
    "Tensor? layouts, int activation_bits, bool per_row) -> Tensor"
)
_LIBRARY.impl("decode_blocks", _on_cpu, "CPU")
_LIBRARY.impl("decode_blocks", _composite, "CUDA")
_LIBRARY.impl("decode_blocks", lambda x, *rest: torch.empty_like(x), "Meta")
register_cost("labkit::decode_blocks", _cost)
