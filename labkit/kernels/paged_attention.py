"""Attention over a cache whose keys and values lie in blocks, anywhere (Kwon et al., 2023, arXiv 2309.06180).

The new tokens of all rows stand side by side in one dimension, a chunk of a prompt beside single tokens of decoding, so
nothing is computed for padding. A row's block table says where its keys and values are; its new ones are there already.
With t new tokens and n tokens in all of a row, h heads of d elements of e bytes, summed over rows:

| variant                     | bytes                                           | FLOPs     |
|-----------------------------|-------------------------------------------------|-----------|
| `paged_attention_reference` | e d (2 h t + 6 kv_heads n + 2 h n) + 24 h t n   | 4 h t n d |
| `paged_attention`           | e d (2 h t + 2 kv_heads n)                      | 4 h t n d |

The first copies every block to a place of its own, and the scores through memory; the second is what a kernel must move
that reads blocks where they lie. In C it does so for rows of one new token, which are the rows that wait for memory; a
chunk of a prompt still gets a copy, once for all of its tokens. Keys beyond a query's own position count, as in
`labkit.kernels.attention`. Blocks may be of a narrower dtype than queries: what is read is widened.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import accumulate
from math import ceil

import torch
from jaxtyping import Float, Int
from torch import Tensor

from labkit.kernels.attention import attention, attention_reference
from labkit.kernels.native.building import native, typed
from labkit.kernels.packed_linear import PANEL
from labkit.measure.costs import Cost, Part, TensorSpec, register_cost

HEADS_TOGETHER = 2
"""Heads that the C code lets look at their keys side by side (`TOGETHER` of `paged_rows.h`)."""

Blocks = Float[Tensor, "blocks block_size kv_heads head"]


def paged_attention_reference(
    q: Float[Tensor, "tokens heads head"],
    keys: Blocks,
    values: Blocks,
    block_tables: Int[Tensor, "rows most_blocks"],
    query_lengths: Sequence[int],
    context_lengths: Sequence[int],
) -> Float[Tensor, "tokens heads head"]:
    """Row by row: its blocks gathered into one piece, then plain attention.

    A row has `query_lengths` new tokens, the last of its `context_lengths` tokens; each sees itself and all before it.
    Table entries beyond a row's blocks may be anything.

    >>> keys, values = torch.zeros(4, 2, 1, 2), torch.arange(8.0).view(4, 2, 1, 1).expand(4, 2, 1, 2)
    >>> q, table = torch.zeros(1, 1, 2), torch.tensor([[3, 1]])  # equal scores: the mean of slots 6, 7 and 2
    >>> paged_attention_reference(q, keys, values, table, [1], [3])
    tensor([[[5., 5.]]])
    """
    rows = []
    for new, table, seen in zip(q.split(list(query_lengths)), block_tables, context_lengths, strict=True):
        k, v = (_gathered(blocks, table[None], seen).to(q.dtype) for blocks in (keys, values))
        mask = torch.ones(len(new), seen, dtype=torch.bool, device=q.device).tril(seen - len(new))
        rows.append(attention_reference(_heads_first(new), k, v, mask[None, None]))
    return _tokens_first(torch.cat(rows, dim=2))


def paged_attention(
    q: Float[Tensor, "tokens heads head"],
    keys: Blocks,
    values: Blocks,
    block_tables: Int[Tensor, "rows most_blocks"],
    query_lengths: Sequence[int],
    context_lengths: Sequence[int],
) -> Float[Tensor, "tokens heads head"]:
    """The same by `torch.ops.labkit.paged_attention`. No gradient.

    Raises `ValueError` for lengths that do not fit the tokens and tables, `IndexError` for a block that is not there.
    """
    return torch.ops.labkit.paged_attention(q, keys, values, block_tables, list(query_lengths), list(context_lengths))


def paged_decode_attention(
    q: Float[Tensor, "rows heads head"],
    keys: Blocks,
    values: Blocks,
    block_tables: Int[Tensor, "rows most_blocks"],
    context_lengths: Int[Tensor, " rows"],
) -> Float[Tensor, "rows heads head"]:
    """The same for one new token a row, by torch's operators alone, none of which waits to know a length.

    So a CUDA graph can record it. Every block of the tables is read: they should be as wide as the longest row.
    """
    room = block_tables.shape[1] * keys.shape[1]
    seen = (torch.arange(room, device=q.device) < context_lengths[:, None])[:, None, None]
    # A weight of zero makes no zero of a NaN, and another row may have left one in a block.
    k, v = (
        _gathered(blocks, block_tables, room).to(q.dtype).masked_fill(~seen.transpose(-1, -2), 0)
        for blocks in (keys, values)
    )
    return attention(q[:, :, None], k, v, seen)[:, :, 0]


def _rows(
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    block_tables: Tensor,
    query_lengths: Sequence[int],
    context_lengths: Sequence[int],
) -> Tensor:
    """Rows that decode in one call, each chunk of a prompt in a call of its own."""
    _check(q, keys, block_tables, query_lengths, context_lengths)
    if all(count == 1 for count in query_lengths):
        return _one_token_each(q, keys, values, block_tables, list(context_lengths))
    out, ends = torch.empty_like(q), list(accumulate(query_lengths))
    decoding = [row for row, count in enumerate(query_lengths) if count == 1]
    if decoding:
        places = torch.tensor([ends[row] - 1 for row in decoding], device=q.device)
        lengths = [context_lengths[row] for row in decoding]
        out[places] = _one_token_each(q[places], keys, values, block_tables[decoding], lengths)
    for row, count in enumerate(query_lengths):
        if count > 1:
            new = slice(ends[row] - count, ends[row])
            out[new] = _chunk(q[new], keys, values, block_tables[row : row + 1], context_lengths[row])
    return out


def _one_token_each(q: Tensor, keys: Tensor, values: Tensor, tables: Tensor, lengths: list[int]) -> Tensor:
    widths = keys.dtype in (torch.float32, torch.bfloat16) and q.dtype == torch.float32
    library = native("paged_attention") if q.is_cpu and widths and q.shape[-1] % PANEL == 0 else None
    if library is not None:
        return _compiled(library, q, keys, values, tables, lengths)
    longest = ceil(max(lengths) / keys.shape[1])
    return paged_decode_attention(q, keys, values, tables[:, :longest], torch.tensor(lengths, device=q.device))


def _compiled(
    library: ctypes.CDLL, q: Tensor, keys: Tensor, values: Tensor, tables: Tensor, lengths: list[int]
) -> Tensor:
    q, keys, values, tables = (t.contiguous() for t in (q, keys, values, tables.long()))
    (rows, heads, head), (blocks, block_size, kv_heads, _) = q.shape, keys.shape
    held, longest, threads = torch.tensor(lengths), max(lengths), torch.get_num_threads()
    out, scratch = torch.empty_like(q), q.new_empty(threads * HEADS_TOGETHER * (head + longest))
    absent = typed(library.labkit_paged_attention, pointers=7, longs=8, ints=2, result=ctypes.c_int)(
        *(t.data_ptr() for t in (out, q, keys, values, tables, held, scratch)),
        *(rows, heads, kv_heads, head, blocks, block_size, tables.shape[1], longest, keys.itemsize, threads),
    )
    if absent:
        raise IndexError(f"A block table names a block that is not there; blocks go from 0 to {blocks - 1}.")
    return out


def _chunk(q: Tensor, keys: Tensor, values: Tensor, table: Tensor, seen: int) -> Tensor:
    k, v = (_gathered(blocks, table, seen).to(q.dtype) for blocks in (keys, values))
    if len(q) == seen:
        return _tokens_first(attention(_heads_first(q), k, v, causal=True))
    mask = torch.ones(len(q), seen, dtype=torch.bool, device=q.device).tril(seen - len(q))
    return _tokens_first(attention(_heads_first(q), k, v, mask[None, None]))


def _gathered(blocks: Tensor, tables: Tensor, seen: int) -> Float[Tensor, "rows kv_heads seen head"]:
    """A copy of the first `seen` tokens of each row."""
    needed = tables[:, : ceil(seen / blocks.shape[1])]
    return blocks[needed].flatten(1, 2)[:, :seen].transpose(1, 2)


def _heads_first(x: Float[Tensor, "tokens heads head"]) -> Float[Tensor, "1 heads tokens head"]:
    return x.transpose(0, 1)[None]


def _tokens_first(x: Float[Tensor, "1 heads tokens head"]) -> Float[Tensor, "tokens heads head"]:
    return x[0].transpose(0, 1)


def _check(
    q: Tensor, keys: Tensor, block_tables: Tensor, query_lengths: Sequence[int], context_lengths: Sequence[int]
) -> None:
    if not len(block_tables) == len(query_lengths) == len(context_lengths) or sum(query_lengths) != len(q):
        raise ValueError(
            f"{len(q)} tokens and {len(block_tables)} block tables do not fit query_lengths {list(query_lengths)} and "
            f"context_lengths {list(context_lengths)}."
        )
    room = block_tables.shape[1] * keys.shape[1]
    if not all(1 <= new <= seen <= room for new, seen in zip(query_lengths, context_lengths, strict=True)):
        raise ValueError(
            f"A row has at least one new token and at most {room} tokens, the room of its block table; got "
            f"query_lengths {list(query_lengths)} and context_lengths {list(context_lengths)}."
        )


def _cost(
    q: TensorSpec,
    keys: TensorSpec,
    values: TensorSpec,
    block_tables: TensorSpec,
    query_lengths: Sequence[int],
    context_lengths: Sequence[int],
    *,
    out: TensorSpec,
) -> Cost:
    """Each row's keys and values once, where they lie; FLOPs as the reference executes them."""
    pairs = sum(new * seen for new, seen in zip(query_lengths, context_lengths, strict=True))
    slot, (_, heads, head) = keys.nbytes // (keys.shape[0] * keys.shape[1]), q.shape
    read = sum(context_lengths) * slot
    entries = sum(ceil(seen / keys.shape[1]) for seen in context_lengths) * block_tables.itemsize
    return Cost(4 * heads * head * pairs, reads=[q, Part(keys, read), Part(values, read), Part(block_tables, entries)])


_LIBRARY = torch.library.Library("labkit", "FRAGMENT")
_LIBRARY.define(
    "paged_attention(Tensor q, Tensor keys, Tensor values, Tensor block_tables, int[] query_lengths, "
    "int[] context_lengths) -> Tensor"
)
_LIBRARY.impl("paged_attention", _rows, "CPU")
_LIBRARY.impl("paged_attention", _rows, "CUDA")
_LIBRARY.impl("paged_attention", lambda q, *rest: torch.empty_like(q), "Meta")
register_cost("labkit::paged_attention", _cost)
