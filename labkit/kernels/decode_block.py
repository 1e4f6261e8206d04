"""One transformer block for the few new tokens of a decode step, cache included.

With t tokens, h features, n keys seen, W elements in the matrices of e bytes, d features a head:

| variant                  | bytes                                | FLOPs                       | operators |
|--------------------------|--------------------------------------|-----------------------------|-----------|
| `decode_block_reference` | e W + cache + every result in between | t (2 W + 4 heads n d)       | about 30  |
| `decode_block`           | e W + cache + 8 t h                  | the same                    | 1 (C)     |

What is saved is not arithmetic but the trips in between, and the start of each operator: about 2 microseconds, thirty
times a block, as much as the weights of a small model take to arrive.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.kernels.attention import attention_reference
from labkit.kernels.native.building import native
from labkit.kernels.packed_linear import PANEL, packed_linear_reference
from labkit.kernels.rms_norm import rms_norm_reference
from labkit.kernels.rotary import rotary
from labkit.measure.costs import Cost, Part, TensorSpec, register_cost


class BlockWeights(NamedTuple):
    """Of one block: norms and biases fp32; matrices packed (`packed_linear.pack`), all fp32 or all bf16.

    Matrices with one input are one: panels of q, then k, then v; panels of gate, then of up. Every output is a multiple
    of 16.
    """

    attention_norm: Float[Tensor, " hidden"]
    qkv: Float[Tensor, "qkv_panels hidden 16"]
    qkv_bias: Float[Tensor, " qkv_out"] | None
    q_norm: Float[Tensor, " head"] | None
    k_norm: Float[Tensor, " head"] | None
    o: Float[Tensor, "hidden_panels q_out 16"]
    o_bias: Float[Tensor, " hidden"] | None
    mlp_norm: Float[Tensor, " hidden"]
    gate_up: Float[Tensor, "two_inner_panels hidden 16"]
    down: Float[Tensor, "hidden_panels inner 16"]


_TENSORS = len(BlockWeights._fields)


def decode_block_reference(
    x: Float[Tensor, "batch seq hidden"],
    weights: BlockWeights,
    cos: Float[Tensor, "rows 1 seq half_head"],
    sin: Float[Tensor, "rows 1 seq half_head"],
    positions: Int[Tensor, "batch seq"],
    keys: Float[Tensor, "batch kv_heads keys head"],
    values: Float[Tensor, "batch kv_heads keys head"],
    eps: float,
) -> Float[Tensor, "batch seq hidden"]:
    """x plus attention plus SwiGLU MLP, each of the normalised stream; new keys and values are written to their slots.

    A token sees the slots up to its own position. Position -1 is padding: nothing is kept, its result means nothing.
    """
    w, head = weights, keys.shape[-1]
    heads, kv_heads = w.o.shape[1] // head, keys.shape[1]
    qkv = _linear(rms_norm_reference(x, w.attention_norm, eps), w.qkv, w.qkv_bias)
    q, k, v = qkv.unflatten(-1, (-1, head)).transpose(1, 2).split((heads, kv_heads, kv_heads), dim=1)
    q = q if w.q_norm is None else rms_norm_reference(q, w.q_norm, eps)
    k = k if w.k_norm is None else rms_norm_reference(k, w.k_norm, eps)
    q, k = rotary(q, cos, sin), rotary(k, cos, sin)
    row, column = torch.where(positions >= 0)
    keys[row, :, positions[row, column]] = k[row, :, column]
    values[row, :, positions[row, column]] = v[row, :, column]
    seen = torch.arange(keys.shape[2], device=x.device) <= positions.clamp(min=0)[:, None, :, None]
    attended = attention_reference(q, keys, values, seen).transpose(1, 2).flatten(-2)
    x = x + _linear(attended, w.o, w.o_bias)
    gate, up = _linear(rms_norm_reference(x, w.mlp_norm, eps), w.gate_up).chunk(2, dim=-1)
    return x + _linear(torch.nn.functional.silu(gate) * up, w.down)


def _linear(x: Tensor, packed: Tensor, bias: Tensor | None = None) -> Tensor:
    return packed_linear_reference(x, packed, packed.shape[0] * PANEL, bias)


def decode_block(
    x: Float[Tensor, "batch seq hidden"],
    weights: BlockWeights,
    cos: Float[Tensor, "rows 1 seq half_head"],
    sin: Float[Tensor, "rows 1 seq half_head"],
    positions: Int[Tensor, "batch seq"],
    keys: Float[Tensor, "batch kv_heads keys head"],
    values: Float[Tensor, "batch kv_heads keys head"],
    eps: float,
) -> Float[Tensor, "batch seq hidden"]:
    """The same by `torch.ops.labkit.decode_block`: all fp32 but the matrices, head a multiple of 16. No gradient."""
    return torch.ops.labkit.decode_block(x, *weights, cos, sin, positions, keys, values, eps)


def workspace_elements(tokens: int, weights: BlockWeights, keys: int, threads: int) -> int:
    """fp32 elements that the C code needs for what lies between its phases; see `decode_block.c`."""
    hidden, inner = weights.qkv.shape[1], weights.down.shape[1]
    shared = PANEL * weights.qkv.shape[0] + weights.o.shape[1] + 2 * hidden + 2 * inner
    return tokens * shared + threads * (tokens * hidden + keys)


class _Block(ctypes.Structure):
    """`block` of `decode_block.c`, field by field."""

    _fields_ = (
        [(name, ctypes.c_long) for name in ("batch", "seq", "hidden", "heads", "kv_heads", "head", "inner")]
        + [(name, ctypes.c_long) for name in ("threads", "width", "cache_row", "cache_head", "keys")]
        + [("eps", ctypes.c_float)]
        + [(name, ctypes.c_void_p) for name in ("x", "attention_norm", "mlp_norm", "qkv_bias", "o_bias")]
        + [
            (name, ctypes.c_void_p)
            for name in ("q_norm", "k_norm", "cos", "sin", "qkv", "o", "gate_up", "down", "positions")
        ]
        + [(name, ctypes.c_void_p) for name in ("key_cache", "value_cache", "out", "workspace")]
    )


def _on_cpu(x: Tensor, *rest: object) -> Tensor:
    *tensors, cos, sin, positions, keys, values, eps = rest
    weights = BlockWeights(*tensors)
    library = native("decode_block")
    if library is None:
        return decode_block_reference(x, weights, cos, sin, positions, keys, values, eps)
    batch, seq, hidden = x.shape
    threads, head = torch.get_num_threads(), keys.shape[-1]
    x, out = x.contiguous(), torch.empty_like(x, memory_format=torch.contiguous_format)
    cos, sin = (t.expand(batch, 1, seq, head // 2).contiguous() for t in (cos, sin))
    positions = positions.expand(batch, seq).contiguous()
    workspace = x.new_empty(workspace_elements(batch * seq, weights, keys.shape[2], threads))
    w, at = weights, Tensor.data_ptr
    library.labkit_decode_block(
        ctypes.byref(
            _Block(
                *(batch, seq, hidden, w.o.shape[1] // head, keys.shape[1], head, w.down.shape[1]),
                *(threads, w.qkv.itemsize, keys.stride(0), keys.stride(1), keys.shape[2], eps),
                *(
                    at(x),
                    at(w.attention_norm),
                    at(w.mlp_norm),
                    *map(_or_none, (w.qkv_bias, w.o_bias, w.q_norm, w.k_norm)),
                ),
                *(at(cos), at(sin), at(w.qkv), at(w.o), at(w.gate_up), at(w.down), at(positions)),
                *(at(keys), at(values), at(out), at(workspace)),
            )
        )
    )
    return out


def _or_none(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _composite(x: Tensor, *rest: object) -> Tensor:
    return decode_block_reference(x, BlockWeights(*rest[:_TENSORS]), *rest[_TENSORS:])


def _cost(x: TensorSpec, *rest: object, out: TensorSpec, **_: object) -> Cost:
    """Matrices and seen keys once, the new keys and values written; FLOPs as the reference executes them."""
    weights, (_cos, _sin, _positions, keys, values, _eps) = BlockWeights(*rest[:_TENSORS]), rest[_TENSORS:]
    tokens = out.numel // out.shape[-1]
    matrices = sum(m.numel for m in (weights.qkv, weights.o, weights.gate_up, weights.down))
    looking = 4 * tokens * weights.o.shape[1] * keys.shape[2]
    new = keys.nbytes // keys.shape[2] * out.shape[1]
    return Cost(2 * tokens * matrices + looking, writes=[out, Part(keys, new), Part(values, new)])


_LIBRARY = torch.library.Library("labkit", "FRAGMENT")
_LIBRARY.define(
    "decode_block(Tensor x, Tensor attention_norm, Tensor qkv, Tensor? qkv_bias, Tensor? q_norm, Tensor? k_norm, "
    "Tensor o, Tensor? o_bias, Tensor mlp_norm, Tensor gate_up, Tensor down, Tensor cos, Tensor sin, Tensor positions, "
    "Tensor(a!) keys, Tensor(b!) values, float eps) -> Tensor"
)
_LIBRARY.impl("decode_block", _on_cpu, "CPU")
_LIBRARY.impl("decode_block", _composite, "CUDA")
_LIBRARY.impl("decode_block", lambda x, *rest: torch.empty_like(x), "Meta")
register_cost("labkit::decode_block", _cost)
